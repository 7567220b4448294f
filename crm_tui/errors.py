"""What can go wrong, by what the reader should do about it.

    CrmError
    ├── UserError          shown as written: what happened, to which record, what to do next
    │   ├── NotFound       the record named does not exist
    │   ├── BadInput       a file or value that cannot be used as it is
    │   │   └── WrongUsage a word this program does not know, such as a column there is not
    │   └── StoreError     the store cannot be opened, read or written
    └── Cancelled          the operator stopped a running job; carries how far it came

Everything else that is raised is a defect, and is shown as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class CrmError(Exception):
    """The root of every error this program raises on purpose."""


class UserError(CrmError):
    """A sentence for the operator: what happened, to which record, what to do next."""


class NotFound(UserError):
    """The record that was named does not exist."""


class BadInput(UserError):
    """A file or a value that cannot be used as it is.

    Attributes:
        at: The field of a form that asks for it; "" where nobody said.
    """

    def __init__(self, sentence: str, *, at: str = "") -> None:
        super().__init__(sentence)
        self.at = at


class WrongUsage(BadInput):
    """A word that names nothing this program knows, such as a column; says what there is."""


class StoreError(UserError):
    """The store cannot be opened, read or written."""


class Cancelled(CrmError):
    """The operator stopped a job; what was done before stays done and is said."""


@contextmanager
def asked_as(field: str) -> Iterator[None]:
    """What cannot be used within is the value of this field, to which a form can go."""
    try:
        yield
    except BadInput as error:
        error.at = error.at or field
        raise
