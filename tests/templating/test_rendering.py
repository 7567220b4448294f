from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.errors import BadInput
from crm_tui.services.templating.checking import check
from crm_tui.services.templating.facts import EXAMPLE, MailFacts, first_name
from crm_tui.services.templating.fields import FIELDS
from crm_tui.services.templating.files import Kind, Template, read_template
from crm_tui.services.templating.language import MissingField
from crm_tui.services.templating.rendering import one_line, render, reply_subject, tidy

ALL_FIELDS = [
    name for name in FIELDS if name not in {"sender.postal_address", "unsubscribe", "site.url"}
]
UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff]"
)


def template(body: str, *, subject: str = "Hello", kind: Kind = Kind.TEXT) -> Template:
    return read_template(f"---\nsubject: {subject}\n---\n{body}\n", name="mine", kind=kind)


def text_of(body: str, facts: MailFacts = EXAMPLE) -> str:
    return render(template(body), facts).text


# Fields


def test_every_field_has_its_place_in_the_facts_and_its_example_is_rendered() -> None:
    assert {field.attribute for field in FIELDS.values()} == set(MailFacts.__slots__)
    mail = render(template("\n".join(f"{{{{ {name} }}}}" for name in FIELDS)), EXAMPLE)
    for field in FIELDS.values():
        assert str(field.example) in mail.text
    assert mail.fields_used == tuple(sorted(FIELDS))


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_without_a_fallback_is_named(name: str) -> None:
    with pytest.raises(MissingField) as held:
        text_of(f"Hello {{{{ {name} }}}}", MailFacts())
    assert held.value.field == name
    assert FIELDS[name].missing in held.value.reason
    assert name in str(held.value)


@pytest.mark.parametrize("blank", ["", "  ", "\u200b\u202e", "\r\n"])
def test_a_field_of_nothing_visible_is_missing(blank: str) -> None:
    with pytest.raises(MissingField, match="no city"):
        text_of("{{ business.city }}", MailFacts(business_city=blank))


@pytest.mark.parametrize(
    "body",
    [
        "Hello {{ contact.first_name or 'there' }}",
        "Hello {{ contact.first_name|default('there') }}",
        "Hello {% if contact.first_name %}{{ contact.first_name }}{% else %}there{% endif %}",
        "Hello {{ contact.first_name if contact.first_name else 'there' }}",
        "Hello {{ contact.first_name if contact.first_name is defined else 'there' }}",
        "Hello {% if not contact.first_name %}there{% endif %}",
        "Hello {% if contact.first_name != 'Jo' %}there{% endif %}",
    ],
)
def test_a_fallback_helps_where_a_field_is_missing(body: str) -> None:
    assert check(template(body)) == ()
    assert text_of(body, MailFacts()) == "Hello there\n"


@pytest.mark.parametrize(
    "expression",
    [
        "contact.name|upper",
        "contact.name ~ '!'",
        "contact.name|truncate(5)",
        "business.rating > 4",
        "contact.first_name or contact.name in 'Jo'",
    ],
)
def test_a_missing_field_is_named_wherever_its_value_is_needed(expression: str) -> None:
    with pytest.raises(MissingField):
        text_of(f"{{{{ {expression} }}}}", MailFacts())


def test_a_missing_field_in_the_subject_holds_the_recipient_too() -> None:
    with pytest.raises(MissingField, match="no published site"):
        render(template("Hello", subject="Look: {{ site.url }}"), MailFacts())


def test_a_branch_that_is_not_taken_asks_for_nothing() -> None:
    body = "Hello{% if business.website %} {{ contact.name }}{% endif %}"
    assert text_of(body, MailFacts()) == "Hello\n"


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "marsh.example.com", "https://a b", "https://x\r\nBcc: y", "//x"],
)
def test_what_is_no_address_on_the_web_is_no_site(address: str) -> None:
    with pytest.raises(MissingField, match="no published site"):
        text_of("{{ site.url }}", MailFacts(site_url=address))


def test_a_mail_that_would_say_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="no subject"):
        render(template("Hello", subject="{{ contact.name or '' }}"), MailFacts())
    with pytest.raises(BadInput, match="no text"):
        text_of("{{ contact.name or '' }}", MailFacts())


# What strangers call themselves


@pytest.mark.parametrize(
    "name",
    [
        "{{ 7*7 }}",
        "{% for x in range(9) %}x{% endfor %}",
        "{{ ''.__class__ }}",
        "{# gone #}",
        "</title><script>alert(1)</script>",
        '" onmouseover="alert(1)',
        "&lt;b&gt;",
        "%s {0} $name {business.city}",
    ],
)
@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.HTML])
def test_a_name_is_shown_as_it_is(name: str, kind: Kind) -> None:
    mail = render(
        template("Dear {{ business.name }}!", subject="For {{ business.name }}", kind=kind),
        replace(EXAMPLE, business_name=name),
    )
    assert mail.subject == f"For {name}"
    assert mail.text == f"Dear {name}!\n"
    if mail.html is not None:
        assert shape(mail.html) == []


def test_nobody_writes_headers_by_their_name() -> None:
    facts = replace(
        EXAMPLE, business_name="Joe\r\nBcc: all@example.com\n\n<b>\x00\x1b[31m\u202eeoJ"
    )
    mail = render(template("{{ business.name }}", subject="For {{ business.name }}"), facts)
    assert mail.subject == "For Joe Bcc: all@example.com <b>[31meoJ"
    assert mail.text == "Joe Bcc: all@example.com <b>[31meoJ\n"


def test_an_endless_name_is_cut() -> None:
    facts = replace(EXAMPLE, business_name="Ξ" * 5_000_000)
    mail = render(template("{{ business.name }}", subject="For {{ business.name }}"), facts)
    assert len(mail.subject) == 200
    assert mail.text.endswith("…\n")
    assert len(mail.text) < 300


class _Shape(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment",))


def shape(html: str) -> list[tuple[str, ...]]:
    """The tags of a page with the names of their attributes, in order."""
    reader = _Shape()
    reader.feed(html)
    reader.close()
    return reader.tags


PAGE = template(
    '<p title="{{ business.name or "-" }}">Hello {{ contact.first_name or "you" }},</p>\n<ul>'
    + "".join(f"<li>{{{{ {name} or '-' }}}}</li>\n" for name in ALL_FIELDS)
    + '</ul><p><a href="{{ site.url }}">{{ business.city or "-" }}</a><br>\n'
    + '<a href="https://example.com/?q={{ (business.name or "-")|urlencode }}">map</a></p>\n'
    + "<p>{{ sender.postal_address }}</p>\n<p>{{ unsubscribe }}</p>",
    subject="{{ business.name or '-' }} {{ contact.name or '-' }}",
    kind=Kind.HTML,
)
WORDS = st.text(st.characters(exclude_categories=[]), max_size=60) | st.sampled_from(
    [
        "{{ 1 }}",
        "<!--",
        "-->",
        "</p>",
        '"',
        "'",
        "&",
        "&#60;",
        "\u2028",
        "<script>",
        "]]>",
        "a\n" * 9,
    ]
)
FACTS = st.fixed_dictionaries(
    {
        FIELDS[name].attribute: WORDS | st.none()
        for name in ALL_FIELDS
        if isinstance(FIELDS[name].example, str)
    }
)


@given(FACTS)
def test_whatever_the_facts_are_the_parts_are_safe(known: dict[str, str | None]) -> None:
    facts = replace(EXAMPLE, **known)  # type: ignore[arg-type]
    mail = render(PAGE, facts)
    assert mail.html is not None
    assert shape(mail.html) == shape(render(PAGE, EXAMPLE).html or "")
    assert "\n" not in mail.subject
    for part in (mail.subject, mail.text, mail.html):
        part.encode()
        assert not UNSAFE.search(part)
    for line in mail.text.split("\n"):
        assert len(line.encode()) <= 998
        assert line == line.rstrip(" ")
    assert "\n\n\n" not in mail.text


@given(st.text())
def test_text_is_always_tidy_and_tidying_again_changes_nothing(text: str) -> None:
    once = tidy(text)
    assert tidy(once) == once
    assert all(len(line.encode()) <= 998 for line in once.split("\n"))


# Parts


def test_long_lines_are_broken_at_spaces_and_by_force_where_there_are_none() -> None:
    words = "wörter " * 400
    lines = text_of(words).splitlines()
    assert len(lines) > 2
    assert " ".join(lines) == words.strip()
    assert all(len(line.encode()) <= 998 for line in lines)
    unbroken = text_of("ä" * 2000).splitlines()
    assert "".join(unbroken) == "ä" * 2000
    assert len(unbroken) == 5


def test_blank_lines_and_trailing_spaces_are_tidied() -> None:
    body = "One  \n{% if business.phone %}\n{% endif %}\n\n\n\ntwo\t\r\nthree"
    assert text_of(body) == "One\n\ntwo\nthree\n"


def test_the_text_part_is_made_from_the_html() -> None:
    html = """<!doctype html><html><head><title>No</title><style>p { color: red }</style></head><body>
<h1>Hello   {{ contact.first_name }}</h1>
<p>I made <b>a website</b> for
you: <a href="{{ site.url }}">have a look</a>, or <a href="{{ site.url }}">{{ site.url }}</a>.</p>
<ul><li>quick</li><li>short<ol><li>one</li><li>two</li></ol></li></ul>
<hr>
<p>{{ sender.name }}<br>{{ sender.postal_address }}</p>
<img src="https://example.com/x.png" alt="Portrait">
<p>{{ unsubscribe }}</p></body></html>"""
    mail = render(template(html, kind=Kind.HTML), EXAMPLE)
    site, link = EXAMPLE.site_url, "mailto:anna+u.k3v9@example.org?subject=unsubscribe"
    assert mail.text == (
        "Hello Jo\n\n"
        f"I made a website for you: have a look ({site}), or {site}.\n\n"
        "- quick\n- short\n  1. one\n  2. two\n\n"
        "--\n\n"
        "Anna Berg\n5 Mill Lane\nBristol BS1 4QD\n\n"
        "Portrait\n\n"
        f"If you do not want mail from me, tell me here and I will not write again: {link}\n"
    )
    assert mail.html is not None
    assert f'<a href="{link}">anna+u.k3v9@example.org</a>' in mail.html


def test_a_text_template_has_no_html_part_and_escapes_nothing() -> None:
    mail = render(template("<b>{{ business.name }}</b>"), replace(EXAMPLE, business_name="A & B"))
    assert mail.html is None
    assert mail.text == "<b>A & B</b>\n"


def test_a_template_that_is_wrong_is_not_rendered() -> None:
    with pytest.raises(BadInput, match="line 4: there is no field business"):
        text_of("{{ business.nmae }}")


def test_a_mail_that_grows_without_end_is_refused() -> None:
    body = "{{ unsubscribe }}" * 3000
    with pytest.raises(BadInput, match="endless"):
        text_of(body, replace(EXAMPLE, unsubscribe="x" * 900))


@pytest.mark.parametrize(
    ("subject", "reply"),
    [("Hello", "Re: Hello"), ("RE: re: Hello", "Re: Hello"), ("AW: a\r\nb", "Re: a b"), ("", "")],
)
def test_a_follow_up_carries_the_subject_of_its_thread(subject: str, reply: str) -> None:
    assert reply_subject(subject) == reply
    assert reply_subject(one_line(reply)) == reply


@pytest.mark.parametrize(
    ("person", "given_name"),
    [
        ("Jo Marsh", "Jo"),
        ("Dr. Anna Berg", "Anna"),
        ("Berg, Anna", "Anna"),
        ("Anna Berg, MBA", "Anna"),
        ("ANNA BERG", "Anna"),
        ("jean-luc picard", "Jean-Luc"),
        ("Παύλος Π.", "Παύλος"),
        ("J. Marsh", None),
        ("Owner", None),
        ("Jo & Al", None),
        ("Jo and Al", None),
        ("info@example.com", None),
        ("Mr", None),
        ("{{ 7*7 }}", None),
        ("", None),
        (None, None),
    ],
)
def test_a_first_name_is_told_or_left_out_but_never_guessed(
    person: str | None, given_name: str | None
) -> None:
    assert first_name(person) == given_name
