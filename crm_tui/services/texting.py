"""Text messages: how many segments one takes, and what it has to say.

A segment carries 160 septets of the GSM alphabet, or 70 units of UTF-16 where one letter is not in
that; a message of several has 153 or 67 in each, as a header joins them (3GPP TS 23.038, 23.040).
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 1600
"""Characters of the longest message that is sent."""

STOP = "Reply STOP to opt out."
"""What a text message says instead of a link to opt out."""

NO_CONSENT = "no consent for text messages"
"""Why a text message waits."""

LAW = (
    "The law asks for the recipient's consent beforehand; in the United States your number has to be"
    " registered for A2P 10DLC, too."
)
"""What is to be known before any text message goes."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, slots=True)
class Size:
    """What a text message takes.

    Attributes:
        segments: how many are sent, and paid for; 1 at least.
        units: septets, or 16-bit units where it is not all GSM.
        gsm: whether the GSM alphabet has every letter of it.
    """

    segments: int
    units: int
    gsm: bool

    @property
    def words(self) -> str:
        """For people: "2 segments"; says it where letters outside of GSM make them short."""
        said = f"{self.segments} segment{'' if self.segments == 1 else 's'}"
        return said if self.gsm else f"{said} of 70, for a letter that is not in the GSM alphabet"


def size(text: str) -> Size:
    """What a text takes. A letter is never cut in two, nor an extension from its escape."""
    if all(letter in _BASIC or letter in _EXTENSION for letter in text):
        return _size([2 if letter in _EXTENSION else 1 for letter in text], 160, 153, gsm=True)
    return _size([2 if ord(letter) > 0xFFFF else 1 for letter in text], 70, 67, gsm=False)


def _size(units: list[int], alone: int, joined: int, *, gsm: bool) -> Size:
    total = sum(units)
    if total <= alone:
        return Size(1, total, gsm)
    segments, left = 1, joined
    for each in units:
        if each > left:
            segments, left = segments + 1, joined
        left -= each
    return Size(segments, total, gsm)


def foreign(text: str) -> str:
    """The letters of a text that are not in the GSM alphabet, each once."""
    return "".join(dict.fromkeys(each for each in text if each not in _BASIC | _EXTENSION))


def why_too_long(text: str) -> str:
    """Why a text is too long for one message; "" where it is not."""
    if len(text) <= LONGEST:
        return ""
    return f"it has {len(text):,} characters, and a text message {LONGEST:,} at most"
