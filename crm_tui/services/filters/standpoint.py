from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from crm_tui.config import Settings


@dataclass(frozen=True, slots=True)
class Standpoint:
    """From where a query is asked: what "today" and "qualified" mean.

    Args:
        now: the time, aware.
        zone: where days begin; None is the machine's own zone.
        threshold: the score (0-100) from which a lead is qualified.
    """

    now: datetime
    zone: tzinfo | None
    threshold: int

    @classmethod
    def of(cls, settings: Settings, now: datetime) -> Standpoint:
        """The operator's standpoint at this moment."""
        return cls(now, settings.operator.zone, settings.score.threshold)
