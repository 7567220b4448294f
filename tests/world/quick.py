"""Waiting for a provider in no time at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from crm_tui.providers.http import Api


@contextmanager
def in_no_time() -> Iterator[None]:
    """Within this, no adapter waits before it asks again."""

    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0)

    quick = property(lambda _api: sleep, lambda _api, _sleep: None)
    with patch.object(Api, "sleep", quick):
        yield
