"""Moving through the list: from the key to the last byte of the paint, and how many bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Measure, percentile
from benchmarks.scale import PROGRAM, Scale, alone, big_store, own_places
from benchmarks.start import first_lead
from benchmarks.terminal import Answer, Terminal

PAINT_MS = 30
MOVE_BYTES, PAGE_BYTES = 650, 6_500
_PAGE_DOWN, _PAGE_UP, _HALF_DOWN, _HALF_UP = "\x1b[6~", "\x1b[5~", "\x04", "\x15"


@dataclass(frozen=True, slots=True)
class Motion:
    """Keys that are pressed one by one, over and over.

    Args:
        name: what they do, in words.
        before: keys that bring the cursor to where they do it.
        keys: pressed in turn.
        most_bytes: what one of them may write.
        limited: whether the limit on the time to paint holds for them.
    """

    name: str
    before: str
    keys: tuple[str, ...]
    most_bytes: int
    limited: bool = True


MOTIONS = (
    Motion("cursor move", "gg", ("j", "j", "k"), MOVE_BYTES),
    Motion("scroll by a line", "gg" + "j" * 25, ("j",), PAGE_BYTES),
    Motion("half a page", "gg", (_HALF_DOWN, _HALF_DOWN, _HALF_UP), PAGE_BYTES),
    Motion("page down", "gg", (_PAGE_DOWN,), PAGE_BYTES),
    Motion("page up from the end", "G", (_PAGE_UP,), PAGE_BYTES),
    Motion("to the end and back", "gg", ("G", "gg"), PAGE_BYTES, limited=False),
)


def run(scale: Scale) -> list[Measure]:
    store = big_store(scale)
    measures: list[Measure] = []
    with own_places() as (_, env), Terminal([PROGRAM, "--db", str(store)], env=env) as terminal:
        terminal.shown(first_lead(store))
        terminal.settle()
        for motion in MOTIONS:
            terminal.press(motion.before)
            terminal.settle(0.4)
            presses = max(scale.keys, len(motion.keys))
            answers = [
                terminal.press(motion.keys[turn % len(motion.keys)]) for turn in range(presses)
            ]
            measures += _of(motion, answers, scale)
    return measures


def _of(motion: Motion, answers: Sequence[Answer], scale: Scale) -> list[Measure]:
    times = [1000 * answer.last for answer in answers if answer.last is not None]
    silent = len(answers) - len(times)
    if silent:
        raise RuntimeError(f"{motion.name}: {silent} of {len(answers)} keys changed nothing")
    middle = percentile(times, 50)
    note = f"median {middle:.1f} ms, {len(times)} keys"
    limit = PAINT_MS if motion.limited else None
    most = max(answer.size for answer in answers)
    at = f"{scale.at}, 80x24"
    return [
        Measure(
            f"{motion.name}: key to paint, p95", at, percentile(times, 95), "ms", limit, note=note
        ),
        Measure(f"{motion.name}: most bytes", at, most, "bytes", motion.most_bytes),
    ]


if __name__ == "__main__":
    alone(run)
