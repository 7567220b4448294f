"""Who works on a batch: a lock that its process holds, and that nobody holds once it is dead."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from crm_tui.db.locks import held, is_held
from crm_tui.errors import StoreError
from crm_tui.services.imports.unfinished import WORKING
from crm_tui.vocabulary import BatchState


@contextmanager
def owner(store: Path) -> Iterator[str]:
    """The name of a new owner of batches, alive until the block ends.

    Raises:
        StoreError: The folder of locks cannot be written.
    """
    name = f"import-{uuid.uuid4().hex}"
    with ExitStack() as stack:
        try:
            stack.enter_context(held(store, name))
        except OSError as error:
            raise StoreError(
                f"Nothing was changed: the folder of locks beside {store} cannot be written "
                f"({error.strerror}). Check that you may write there."
            ) from error
        yield name


def works(store: Path, state: BatchState, name: str | None) -> bool:
    """Whether a living process works on a batch in this state and of this owner."""
    return state in WORKING and name is not None and is_held(store, name)
