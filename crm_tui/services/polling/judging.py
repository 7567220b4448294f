"""Whether a machine opened or clicked: mail privacy proxies, link scanners, image prefetch.

Judged from everything that is known of one message, so that the order in which things came does
not matter: what comes late is reason to judge again. What a machine did is kept and shown, and
moves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

AT_ONCE = timedelta(seconds=10)
"""Who opens or clicks so soon after delivery is no person."""

TOGETHER = timedelta(seconds=2)
"""Different links clicked within this time were not clicked by a person."""

APPLE = "Mozilla/5.0"
"""How Apple's mail privacy proxy calls itself: exactly this, and nothing after it."""

_SCANNERS = re.compile(
    r"barracuda|proofpoint|mimecast|messagelabs|symantec|trendmicro|fireeye|sophos|ironport"
    r"|safelinks|urldefense|virustotal|fortiguard|zscaler|cloudmark|spamassassin|mailscanner"
    r"|\bbot\b|bot/|crawler|spider|scanner|headless|phantomjs|selenium|puppeteer|playwright"
    r"|\bcurl/|\bwget/|python-(requests|urllib)|aiohttp|httpx|go-http-client|okhttp|libwww"
    r"|apache-httpclient|java/|node-fetch|axios/",
    re.IGNORECASE,
)


class Touch(NamedTuple):
    """An open or a click.

    Attributes:
        key: that of its event.
        is_click: a click, else an open.
        at: when, aware UTC.
        seen: whether `at` is only when it was seen: then it tells nothing of how soon it was.
        url: of a click.
        agent: what opened or clicked, as it calls itself.
        flag: why the provider says that it was a machine; "" where it does not.
    """

    key: str
    is_click: bool
    at: datetime
    seen: bool = False
    url: str = ""
    agent: str = ""
    flag: str = ""


def judge(touches: Sequence[Touch], delivered_at: datetime | None) -> dict[str, str]:
    """Why opens and clicks of one message were made by a machine; "" for those by people.

    Args:
        touches: all opens and clicks of the message, in any order.
        delivered_at: when it was delivered, as far as that is known.
    """
    together = _together(touches)
    return {
        each.key: each.flag or _by_agent(each) or _by_time(each, delivered_at) or together[each.key]
        for each in touches
    }


def _by_agent(touch: Touch) -> str:
    return by_agent(touch.agent.strip()) if touch.agent else ""


@lru_cache(maxsize=2_000)
def by_agent(agent: str) -> str:
    """Why what calls itself like this is a machine; "" where it may be a person's."""
    if agent == APPLE:
        return "Apple's mail privacy proxy"
    if "GoogleImageProxy" in agent:
        return ""  # it fetches when a person opens
    return "a link scanner, by what it calls itself" if _SCANNERS.search(agent) else ""


def _by_time(touch: Touch, delivered_at: datetime | None) -> str:
    if delivered_at is None or touch.seen or touch.at >= delivered_at + AT_ONCE:
        return ""
    return "within 10 seconds of delivery"


def _together(touches: Sequence[Touch]) -> Mapping[str, str]:
    """Clicks of which others, on other links, are hardly apart."""
    reasons = {each.key: "" for each in touches}
    clicks = sorted((each for each in touches if each.is_click and not each.seen), key=_when)
    for number, each in enumerate(clicks):
        for later in clicks[number + 1 :]:
            if later.at - each.at > TOGETHER:
                break
            if later.url != each.url:
                reasons[each.key] = reasons[later.key] = "several links within 2 seconds"
    return reasons


def _when(touch: Touch) -> datetime:
    return touch.at
