"""One at a time: two programs that publish at once would each undo half of what the other did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from crm_tui.db.locks import held
from crm_tui.errors import UserError

LOCK = "publishing"
PATIENCE = 20.0
"""Seconds that another one is waited for."""

_RETRY = 0.1


class Taken(UserError):
    """Somebody else publishes for this store just now."""


@asynccontextmanager
async def alone(
    store: Path, *, cancelled: Callable[[], bool] = lambda: False
) -> AsyncIterator[None]:
    """Publish for a store while nobody else does.

    Raises:
        Taken: somebody else still does after a while, or `cancelled` said to stop waiting.
    """
    waited = 0.0
    with ExitStack() as stack:
        while not stack.enter_context(held(store, LOCK)):
            if cancelled() or waited >= PATIENCE:
                raise Taken(
                    "Another crm-tui is publishing sites of this store. Try again when it has "
                    "finished."
                )
            await asyncio.sleep(_RETRY)
            waited += _RETRY
        yield
