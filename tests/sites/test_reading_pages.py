"""What can be read back from a page, and that no page is too broken for it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.sites.facts import SiteFacts
from crm_tui.services.sites.imported import whole_page
from crm_tui.services.sites.reading import PageFacts, read_page
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.texts import default_texts
from crm_tui.services.sites.themes import load_themes


def with_data(document: object, rest: str = "") -> str:
    return f'<script type="application/ld+json">{json.dumps(document)}</script>{rest}'


def test_structured_data_is_believed_first() -> None:
    document = {
        "@context": "https://schema.org",
        "@type": "HairSalon",
        "name": "Anna's Salon",
        "telephone": "+1 718 555 0101",
        "email": "anna@annas.example",
        "address": {
            "@type": "PostalAddress",
            "streetAddress": "1 Main St",
            "addressLocality": "Queens",
            "addressRegion": "NY",
            "postalCode": "11416",
            "addressCountry": {"@type": "Country", "name": "US"},
        },
    }
    page = "<title>Best cuts in town</title><a href='tel:+17185550199'>call</a>"
    assert read_page(with_data(document, page)) == PageFacts(
        name="Anna's Salon",
        category="Hair salon",
        phones=("+1 718 555 0101", "+17185550199"),
        emails=("anna@annas.example",),
        street="1 Main St",
        city="Queens",
        region="NY",
        postal_code="11416",
        country="US",
    )


@pytest.mark.parametrize(
    "document",
    [
        [
            {"@type": "WebSite", "name": "A site"},
            {"@type": "Plumber", "name": "Ace", "address": "x"},
        ],
        {"@graph": [{"@type": "Person", "name": "Joe"}, {"name": "Ace", "telephone": "1"}]},
        {"@type": "WebPage", "name": "Home", "about": {"@type": "LocalBusiness", "name": "Ace"}},
        {"@type": ["LocalBusiness", "Plumber"], "name": "Ace", "email": ["a@b.example"]},
    ],
)
def test_the_business_is_found_wherever_the_data_has_it(document: object) -> None:
    assert read_page(with_data(document)).name == "Ace"


@pytest.mark.parametrize(
    ("page", "slug", "name"),
    [
        ("<title>Ace Plumbing | Plumber in Queens</title>", "ace-plumbing", "Ace Plumbing"),
        ("<title>Plumber in Queens - Ace Plumbing</title>", "ace-plumbing", "Ace Plumbing"),
        ("<title>Home</title><h1>Ace Plumbing</h1>", "x", "Ace Plumbing"),
        ("<title>Home | Ace Plumbing</title><h1>Fast help, day and night</h1>", "", "Ace Plumbing"),
        ("<h1>Ace <em>Plumbing</em> &amp; Sons</h1>", "", "Ace Plumbing & Sons"),
        ("<title>Welcome</title><p>nothing else", "ace-plumbing", "Ace Plumbing"),
        (
            "<meta property='og:site_name' content='Ace Plumbing'><title>Hi</title>",
            "",
            "Ace Plumbing",
        ),
        ("", "joes_pizza-queens", "Joes Pizza Queens"),
        ("<title>Ace\u202e\x1b]52;c;x\x07 Plumbing</title>", "", "Ace ]52;c;x Plumbing"),
        ("", "", ""),
    ],
)
def test_the_name_is_what_title_heading_and_slug_agree_on(page: str, slug: str, name: str) -> None:
    assert read_page(page, slug).name == name


def test_links_and_the_address_element_are_read() -> None:
    page = read_page(
        """<h1>Ace</h1><a href="TEL:%2B1-718-555-0101">call</a> <a href='tel:7185550102'>or here</a>
        <a href="mailto:joe@ace.example?subject=Hi">write</a>
        <address><span>12 Main St</span><br>Queens, NY 11416<br>USA</address>"""
    )
    assert page.phones == ("+1-718-555-0101", "7185550102")
    assert page.emails == ("joe@ace.example",)
    assert page.address == "12 Main St, Queens, NY 11416, USA"


def test_a_page_of_ours_is_read_back_as_it_was_meant() -> None:
    themes = load_themes()
    facts = SiteFacts(
        key="k", name="Ace Plumbing", category="Plumber", street="12 Main St", city="Queens",
        region="NY", postal_code="11416", country="US", phone="+17185550101",
        email="joe@ace.example",
    )  # fmt: skip
    for theme in themes:
        html = Renderer(themes).render(facts, default_texts(facts, themes[theme]), theme)
        page = read_page(html, "something-else")
        assert (page.name, page.city, page.postal_code) == ("Ace Plumbing", "Queens", "11416")
        assert page.phones[0] == "+17185550101"
        assert page.emails == ("joe@ace.example",)


@given(st.text(max_size=300) | st.text(alphabet="<>/=\"' abht!-[]&;:1{}\n", max_size=300))
def test_no_page_is_too_broken(page: str) -> None:
    read_page(page, "slug")
    read_page(f'<script type="application/ld+json">{page}', "slug")
    read_page(f"<title>{page}", "slug")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["@type", "name", "address", "telephone", "email", "@graph"]), inner
            )
        ),
        max_leaves=20,
    )
)
def test_no_structured_data_is_too_odd(document: object) -> None:
    read_page(with_data(document))


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<!--", "<![CDATA[", "<style", "<h1>", "<a href='", "&amp", "<title>a - ", "<p x=",
     '<script type="application/ld+json">[', "data:image/png;base64,", "</", "<?"],
)  # fmt: skip
def test_five_megabytes_of_nothing_but_trouble_are_read_in_no_time(piece: str) -> None:
    page = piece * (5_000_000 // len(piece)) + ">"
    before = time.process_time()
    read_page(page, "slug")
    assert time.process_time() - before < 5


def test_what_stands_behind_an_inlined_picture_is_still_read() -> None:
    picture = "A" * 3_000_000
    page = f"<title>Ace</title><img src='data:image/png;base64,{picture}'><a href='tel:911'>x</a>"
    assert read_page(page).phones == ("911",)


def test_pieces_of_an_old_page_become_one_file() -> None:
    page = whole_page("<h1>Ace</h1>", "h1 { color: red }", "let a = '</script>'", title="A < B")
    assert page.startswith("<!doctype html>")
    assert "<title>A &lt; B</title>" in page
    assert page.count("</script>") == 1
    assert page.index("color: red") < page.index("</head>") < page.index("<h1>Ace")


def test_an_old_document_keeps_its_own_frame() -> None:
    document = "<!DOCTYPE html><html><head><title>Ace</title></HEAD><body>hi</body></html>"
    page = whole_page(document, "p {}", "go()", title="x")
    assert page.count("<title>") == 1
    assert page.index("p {}") < page.index("</HEAD>")
    assert page.index("hi") < page.index("go()") < page.index("</body>")
    assert whole_page(document, "", " ", title="x") == document
