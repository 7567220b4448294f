"""Businesses that sites are made for in tests: full of facts, with hardly any, and hostile."""

from __future__ import annotations

import uuid
from dataclasses import replace

from crm_tui.services.sites.facts import SiteFacts
from crm_tui.services.sites.texts import Entry, Question, SiteTexts

RICH = SiteFacts(
    key=str(uuid.UUID(int=1)),
    name="Marsh & Daughter",
    category="Plumber",
    street="12 Chapel Row",
    city="Bath",
    region="Somerset",
    postal_code="BA1 1HN",
    country="GB",
    phone="+441225555012",
    email="hello@example.com",
    links=("marsh.example.com", "https://www.facebook.com/marsh", "https://instagram.com/marsh"),
    latitude=51.38,
    longitude=-2.36,
    rating=4.8,
    review_count=1131,
    hours={
        "mon": [],
        "tue": [["09:00", "17:30"]],
        "wed": [["09:00", "17:30"]],
        "thu": [["09:00", "13:00"], ["14:00", "20:00"]],
        "fri": [["18:00", "02:00"]],
        "sat": [["00:00", "24:00"]],
        "sun": [],
    },
    price_range="££",
    service_area="Bath and the valley",
)
ONLY_A_NAME = SiteFacts(key=str(uuid.UUID(int=2)), name="Pete")
LONG = replace(
    RICH,
    name="Société Générale de Plomberie, Chauffage et Climatisation de la Région de Bruxelles-Capitale et Environs & Fils",
    city="Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
    email=f"{'very-long-mailbox-' * 3}@{'subdomain.' * 4}example.com",
    links=(f"https://{'deep.' * 10}example.com/{'path' * 30}",),
    hours={day: [["07:30", "12:00"], ["13:00", "23:59"]] for day in ("mon", "wed", "sun")},
)
UNBROKEN = replace(RICH, name="Ξ" * 120, category="x" * 90, street="y" * 150, city="z" * 90)
ARABIC = replace(ONLY_A_NAME, name="مكتب المحاسبة والاستشارات", phone="+35725123456", country="CY")
EMOJI = replace(
    ONLY_A_NAME, name="🍕🍕 Pizza 👩‍🍳 Παπαδόπουλος", hours={"mon": []}, email="a@b.example"
)
HOSTILE = SiteFacts(
    key="'; DROP TABLE business; --",
    name="</title></script><script>alert(1)</script>{{7*7}}{% raw %}",
    category='"><img src=x onerror=alert(2)> plumber',
    street="</style><style>*{display:none}",
    city="\u202eBath\x00\x1b[31m",
    region="<!--",
    postal_code="'\"`</address>",
    country="<>",
    phone="javascript:alert(3)",
    email='"><script>alert(4)</script>@x',
    links=(
        "javascript:alert(5)",
        "JaVaScRiPt:alert(6)",
        " data:text/html,<script>alert(7)</script>",
        "java\nscript:alert(8)",
        "//evil.example.com/\"onmouseover='alert(9)'",
        "https://ok.example.com/'\"><b>",
        "vbscript:msgbox",
        "file:///etc/passwd",
    ),
    rating=5.0,
    review_count=10**9,
    hours={"mon": [["</td>", "<script>"]], "sun": []},
    price_range="</script>",
    service_area="<script>alert(10)</script>",
)
EVERYBODY = {
    "rich": RICH,
    "only a name": ONLY_A_NAME,
    "long": LONG,
    "unbroken": UNBROKEN,
    "arabic": ARABIC,
    "emoji": EMOJI,
    "hostile": HOSTILE,
}

HOSTILE_WORDS = "</script><script>alert(1)</script><a href='javascript:alert(2)'>{{{{7*7}}}}"
HOSTILE_TEXTS = SiteTexts(
    lang="en",
    headline=HOSTILE_WORDS,
    tagline=HOSTILE_WORDS,
    about=f"{HOSTILE_WORDS}\n\n{HOSTILE_WORDS}",
    area=HOSTILE_WORDS,
    services=(Entry(HOSTILE_WORDS, HOSTILE_WORDS),),
    steps=(Entry(HOSTILE_WORDS, HOSTILE_WORDS),),
    questions=(Question(HOSTILE_WORDS, HOSTILE_WORDS),),
    labels={"preview": HOSTILE_WORDS, "mon": HOSTILE_WORDS, "directions": HOSTILE_WORDS},
)
