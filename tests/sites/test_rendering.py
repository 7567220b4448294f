from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_tui.errors import BadInput
from crm_tui.services.sites.facts import SiteFacts
from crm_tui.services.sites.page import safe_url
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.texts import SiteTexts, default_texts
from crm_tui.services.sites.themes import load_themes, shipped_folder
from tests.sites.businesses import EVERYBODY, HOSTILE, HOSTILE_TEXTS, ONLY_A_NAME, RICH

THEMES = load_themes()
RENDERER = Renderer(THEMES)
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}


class Page(HTMLParser):
    """What a browser would find in a page: elements, addresses, scripts, headings, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(facts: SiteFacts, theme: str, texts: SiteTexts | None = None) -> Page:
    return Page(RENDERER.render(facts, texts or default_texts(facts, THEMES[theme]), theme))


def check(page: Page) -> None:
    """What holds for every page, whatever the facts."""
    assert page.open == []
    (script,) = page.all("script")
    assert script == {"type": "application/ld+json"}
    assert json.loads("".join(page.scripts))["@context"] == "https://schema.org"
    (icon,) = page.all("link")
    assert icon["rel"] == "icon"
    assert re.fullmatch(r"data:image/svg\+xml,[\w.%/~-]+", icon.pop("href") or "", re.ASCII)
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert "style" not in attributes
        assert "src" not in attributes
        href = attributes.get("href")
        if href is not None:
            assert href.startswith(("#", "https://", "http://", "tel:", "mailto:")), href
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in page.all("a"):
        target = attributes["href"] or ""
        assert not target.startswith("#") or target[1:] in ids, target
    assert not {"iframe", "img", "base", "form", "object"} & {tag for tag, _ in page.tags}
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("facts", EVERYBODY.values(), ids=list(EVERYBODY))
def test_a_page_is_whole_and_safe_whatever_the_facts(theme: str, facts: SiteFacts) -> None:
    check(page_of(facts, theme))
    check(page_of(facts, theme, HOSTILE_TEXTS))


@pytest.mark.parametrize("theme", THEMES)
@given(words=st.text(max_size=200))
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
    deadline=None,
)
def test_no_text_breaks_out_of_its_place(theme: str, words: str) -> None:
    facts = replace(
        HOSTILE, name=words, category=words, street=words, city=words, links=(words, f"x:{words}")
    )
    facts = replace(facts, email=words, phone=words, service_area=words, price_range=words[:9])
    said = words.replace("{", "{{").replace("}", "}}")
    texts = SiteTexts(headline=said, tagline=said, about=said, area=said, labels={"call": said})
    check(page_of(facts, theme, texts))


@pytest.mark.parametrize("theme", THEMES)
def test_a_page_says_what_is_known(theme: str) -> None:
    page = page_of(RICH, theme)
    for said in (
        "Marsh & Daughter",
        "12 Chapel Row",
        "Bath, Somerset BA1 1HN",
        "01225 555012",
        "hello@example.com",
        "4.8 out of 5 from 1,131 reviews",
        "Monday",
        "09:00 – 17:30",
        "18:00 – 02:00",
        "Open 24 hours",
        "Closed",
        "Facebook",
        "marsh.example.com",
        "Preview made for Marsh & Daughter – not yet live",
    ):
        assert said in page.text, said
    targets = [attributes["href"] or "" for attributes in page.all("a")]
    assert "tel:+441225555012" in targets
    assert "mailto:hello@example.com" in targets
    assert any("google.com/maps" in target and "Chapel+Row" in target for target in targets)
    assert {"name": "robots", "content": "noindex, nofollow"} in page.all("meta")
    assert page.all("html") == [{"lang": "en"}]
    assert "see_" not in page.text


def test_search_engines_are_told_the_same() -> None:
    data = json.loads("".join(page_of(RICH, "trades").scripts))
    assert data["@type"] == "Plumber"
    assert data["telephone"] == "+441225555012"
    assert data["address"]["postalCode"] == "BA1 1HN"
    assert data["geo"]["latitude"] == 51.38
    assert {"Tuesday", "Saturday"} <= {
        spec["dayOfWeek"] for spec in data["openingHoursSpecification"]
    }
    assert "aggregateRating" not in data


@pytest.mark.parametrize("theme", THEMES)
def test_a_page_of_a_name_alone_has_no_empty_places(theme: str) -> None:
    page = page_of(ONLY_A_NAME, theme)
    assert not page.all("table")
    assert not page.all("address")
    assert all((a["href"] or "").startswith("#") for a in page.all("a"))
    assert {"id": "contact", "class": "contact"} not in page.all("section")
    for nothing in ("None", "Undefined", "your area", " in .", "{"):
        assert nothing not in page.text


def test_a_rating_that_does_not_flatter_is_not_shown() -> None:
    assert "out of 5" not in page_of(replace(RICH, rating=3.2), "food").text


def test_times_are_written_as_in_the_country() -> None:
    american = page_of(replace(RICH, country="US", phone="+15185550147"), "trades").text
    assert "9:00 AM – 5:30 PM" in american
    assert "(518) 555-0147" in american


@pytest.mark.parametrize("theme", THEMES)
def test_the_same_facts_give_the_same_bytes(theme: str) -> None:
    texts = default_texts(RICH, THEMES[theme])
    first = RENDERER.render(RICH, texts, theme)
    again = Renderer(load_themes()).render(RICH, texts, theme)
    assert first.encode() == again.encode()


def test_two_processes_give_the_same_bytes() -> None:
    program = (
        "from tests.sites.test_rendering import *; import hashlib;"
        "page = RENDERER.render(RICH, default_texts(RICH, THEMES['food']), 'food');"
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1


def test_templates_are_not_loaded_before_the_first_page() -> None:
    program = (
        "import sys; from crm_tui.services.sites.render import Renderer;"
        "from crm_tui.services.sites.themes import load_themes; Renderer(load_themes());"
        "assert 'jinja2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("example.com", "https://example.com"),
        ("//example.com/a", "https://example.com/a"),
        ("http://example.com/?a=1&b=%20", "http://example.com/?a=1&b=%20"),
        ("tel:+15185550147", "tel:+15185550147"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("https://bücher.example/ü", "https://b%C3%BCcher.example/%C3%BC"),
        ("https://example.com/\"'<b>", "https://example.com/%22%27%3Cb%3E"),
        ("javascript:alert(1)", ""),
        ("JAVASCRIPT:alert(1)", ""),
        ("java\tscript:alert(1)", ""),
        ("\x01javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("https:///path", ""),
        ("http://[bad", ""),
        ("\\\\evil.example", ""),
        ("nothing", ""),
        ("", ""),
    ],
)
def test_only_known_schemes_are_put_into_a_page(address: str, safe: str) -> None:
    assert safe_url(address) == safe


@pytest.mark.parametrize(
    ("broken", "line", "said"),
    [
        ("<p>\n{{ site.nothing }}</p>", 2, "nothing"),
        ("<p>\n\n{{ unknown }}</p>", 3, "unknown"),
        ("{% if %}", 1, "Expected"),
        ("<p>\n{{ 1 / 0 }}", 2, "division"),
        ("\n{{ site.__class__ }}", 2, "unsafe"),
        ("\n{{ ''.__class__.__mro__ }}", 2, "unsafe"),
        ("\n\n{% include 'none.html' %}", 3, "there is no file none.html"),
        ("\n{{ range(999999999) }}", 2, "Range too big"),
    ],
)
def test_a_wrong_template_is_named_with_file_and_line(
    tmp_path: Path, broken: str, line: int, said: str
) -> None:
    copytree(THEMES["food"].folder, tmp_path / "mine")
    file = tmp_path / "mine" / "page.html"
    file.write_text(broken)
    renderer = Renderer(load_themes(tmp_path))
    with pytest.raises(BadInput) as caught:
        renderer.render(RICH, default_texts(RICH, renderer.themes["mine"]), "mine")
    assert f"{file}, line {line}" in str(caught.value)
    assert said in str(caught.value)


def test_an_error_in_a_shared_file_names_the_shared_file(tmp_path: Path) -> None:
    copytree(THEMES["food"].folder, tmp_path / "mine")
    wrong = "{% from '_shared/parts.html' import rating %}{{ rating(3) }}"
    (tmp_path / "mine" / "page.html").write_text(wrong)
    renderer = Renderer(load_themes(tmp_path))
    with pytest.raises(BadInput) as caught:
        renderer.render(RICH, default_texts(RICH, renderer.themes["mine"]), "mine")
    assert str(shipped_folder() / "_shared" / "parts.html") in str(caught.value)


def test_a_theme_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadInput, match=r"There is no theme gone; there are beauty, food"):
        RENDERER.render(RICH, SiteTexts(headline="x"), "gone")
