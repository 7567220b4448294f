"""Liveness as a lock: the kernel releases it when its holder dies, however it dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from crm_tui.db.engine import beside


def _lock_file(store: Path, name: str) -> Path:
    return beside(store, "locks") / f"{name}.lock"


@contextmanager
def held(store: Path, name: str) -> Iterator[bool]:
    """Hold the lock `name` beside the store; yields False at once if somebody else holds it."""
    path = _lock_file(store, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def is_held(store: Path, name: str) -> bool:
    """Whether a living process holds the lock `name`."""
    path = _lock_file(store, name)
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
