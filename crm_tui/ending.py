"""Being asked to end from outside: by SIGTERM, SIGHUP or SIGINT.

Ending in order is the event loop's work; these handlers run at once, in the main thread, even
while the loop waits for a terminal that takes no more. So what must not be lost is kept in the
handler, and a watch sees to it that the process ends even where the loop does not.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

Handler = Callable[[int, FrameType | None], None]


def on_signals(handler: Handler) -> Callable[[], None]:
    """Call `handler` with the number of every signal that asks to end.

    A signal that was to be ignored (as nohup has it for SIGHUP) still is.

    Returns:
        What puts back how it was before.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    taken = {number for number, was in before.items() if was is not signal.SIG_IGN}
    with suppress(ValueError):  # only the main thread can, and only there signals arrive
        for number in taken:
            signal.signal(number, handler)

    def put_back() -> None:
        with suppress(ValueError):
            for number in taken:
                signal.signal(number, before[number])

    return put_back


def end_within(seconds: float, code: int, *, last: Callable[[], None]) -> None:
    """End the process with `code` after so many seconds, if it has not ended by then.

    `last` is called just before, in another thread, and given half a second.
    """

    def end() -> None:
        saying_goodbye = threading.Thread(target=last, daemon=True)
        saying_goodbye.start()
        saying_goodbye.join(0.5)
        os._exit(code)

    watch = threading.Timer(seconds, end)
    watch.daemon = True
    watch.start()
