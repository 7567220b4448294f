from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.templating.checking import (
    check,
    fields_of,
    has_opt_out,
    says_always,
    uses_site,
)
from crm_tui.services.templating.facts import EXAMPLE
from crm_tui.services.templating.files import Kind, Template, read_template
from crm_tui.services.templating.rendering import render


def template(body: str, *, subject: str = "Hello", kind: Kind = Kind.TEXT) -> Template:
    return read_template(f"---\nsubject: {subject}\n---\n{body}\n", name="mine", kind=kind)


def said(body: str, *, kind: Kind = Kind.TEXT) -> str:
    return "; ".join(f"{found.line}: {found.words}" for found in check(template(body, kind=kind)))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{{ business.nmae }}", "4: there is no field business.nmae; did you mean business.name?"),
        ("Hi\n\n{{ cty }}", "6: there is no field cty; did you mean business.city?"),
        ("{{ first_name }}", "did you mean contact.first_name?"),
        ("{{ Business.Name }}", "did you mean business.name?"),
        ("{{ qqqqq }}", "4: there is no field qqqqq"),
        ("{{ business }}", "business alone is no field; there are business.name"),
        ("{{ unsubscribe.link }}", "there is no field unsubscribe.link"),
        ("{% if a.b %}x{% endif %}", "there is no field a.b"),
        ("Hi\n{ business.name }", "5: a field stands in two braces: {{ business.name }}"),
        ("Hi\n{{ business.name }", "5: "),
        ("{% if business.name %}x", "4: "),
        ("{{ business.name|shout }}", "|shout cannot be used; there are default"),
        ("{{ business.rating > 'a' }}", "it compares a text with a number"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(body: str, words: str) -> None:
    assert words in said(body)


def test_what_is_wrong_with_the_subject_is_said_with_its_line() -> None:
    wrong = read_template("---\n\nsubject: {{ nam }}\n---\nHi", name="mine", kind=Kind.TEXT)
    assert [found.line for found in check(wrong)] == [3]


def test_everything_wrong_is_said_at_once_in_the_order_of_the_lines() -> None:
    wrong = template("{{ a.b }}\n{{ business.nam }}", subject="{{ x }}")
    assert [found.line for found in check(wrong)] == [2, 4, 5]


@pytest.mark.parametrize(
    "body",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ business.__class__ }}",
        "{{ business.__init__.__globals__ }}",
        "{{ business.facts }}",
        "{{ business.name.__class__ }}",
        "{{ business['__class__'] }}",
        "{{ business.name|attr('__class__') }}",
        "{{ business.name|map('upper') }}",
        "{{ business.name.format(1) }}",
        "{{ '%999999999d'|format(1) }}",
        "{{ self }}",
        "{{ self._TemplateReference__context }}",
        "{{ lipsum.__globals__ }}",
        "{{ cycler('a') }}",
        "{{ joiner }}",
        "{{ namespace }}",
        "{{ range(10) }}",
        "{{ dict(a=1) }}",
        "{{ caller() }}",
        "{{ varargs }}",
        "{% for x in range(99999999) %}{{ x }}{% endfor %}",
        "{% for x in business.name recursive %}{{ loop(x) }}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ -1 }}",
        "{% set a = 'x' %}{% set a = a ~ a %}",
        "{% set a %}x{% endset %}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{% call business.name() %}{% endcall %}",
        "{% with a = 1 %}{% endwith %}",
        "{% autoescape false %}{{ business.name }}{% endautoescape %}",
        "{{ business.name|safe }}",
        "{{ business.name|default(*business.city) }}",
        "{{ business.name[0:2] }}",
        "{{ [1] }}",
        "{{ {'a': 1} }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "not " * 5000 + "1 }}",
        "{% if business.name %}" * 99 + "{% endif %}" * 99,
        "{{ " + "9" * 5000 + " }}",
    ],
)
@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.HTML])
def test_a_template_cannot_reach_out_run_long_or_grow(body: str, kind: Kind) -> None:
    began = time.monotonic()
    assert said(body, kind=kind)
    assert time.monotonic() - began < 5


def test_conditions_within_conditions_are_fine_for_a_while() -> None:
    deep = template("{% if business.name %}" * 35 + "x" + "{% endif %}" * 35)
    assert check(deep) == ()
    assert render(deep, EXAMPLE).text == "x\n"
    chain = (
        "{% if contact.name == 'a' %}a" + "{% elif contact.name == 'b' %}b" * 500 + "{% endif %}c"
    )
    assert render(template(chain), EXAMPLE).text == "c\n"


@given(
    st.lists(
        st.sampled_from(
            "{{ }} {% %} {# #} if else endif for endfor raw endraw set business.name site.url or "
            "and not | default ( ) ' \" ~ < > <a href= </a> <!-- --> <p & ; 1 . - = __class__".split()
        )
        | st.text(max_size=5),
        max_size=25,
    ),
    st.sampled_from([Kind.TEXT, Kind.HTML]),
)
def test_any_template_is_refused_or_rendered(words: list[str], kind: Kind) -> None:
    tried = template(" ".join(words), kind=kind)
    if not check(tried):
        try:
            assert render(tried, EXAMPLE).text
        except Exception as error:  # noqa: BLE001 - only a mail that says nothing may be refused
            assert "gives it no text" in str(error)  # noqa: PT017


# HTML


@pytest.mark.parametrize("piece", ["<a ", "<!--", '<a "', "<a '", "</", "<?", "<![CDATA[", "<!x"])
def test_thousands_of_tags_without_an_end_take_no_time(piece: str) -> None:
    began = time.monotonic()
    assert "a tag has no end" in said(piece * (60_000 // len(piece)), kind=Kind.HTML)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<p>\n<a href={{ site.url }}>x</a>", "5: a field within a tag needs quotes"),
        ("<p {{ business.name }}>x</p>", "needs quotes"),
        ("<{{ business.name }}>x", "in the name of a tag"),
        ("</{{ business.name }}>x", "in the name of a tag"),
        ('<a href="{{ business.name }}">x</a>', "a link can begin with site.url"),
        ('<a href=" {{ site.url or business.name }}">x</a>', "a link can begin with site.url"),
        ('<a href="https://x/?q={{ business.name }}">x</a>', "write {{ business.name|urlencode }}"),
        ('<a href="javascript:alert(1)">x</a>', "has to begin with https://"),
        ('<a href="&#106;avascript:alert(1)">x</a>', "has to begin with https://"),
        ("<a href=\"{{ 'java' }}script:alert(1)\">x</a>", "has to begin with https://"),
        ('<p style="color: {{ business.name }}">x</p>', "cannot stand in style"),
        ('<p onclick="{{ business.name }}">x</p>', "cannot stand in onclick"),
        ("<style>{{ business.name }}</style>x", "cannot stand in <style>"),
        ("<script>1</script>x", "refuse <script>"),
        ("<!-- {{ unsubscribe }} -->x", "nobody sees a field in a comment"),
        ("<!-- {{ unsubscribe }}", "a tag has no end"),
        ("<? {{ business.name }} ?>x", "cannot stand here"),
        ('<p>\n<a href="{{ site.url }}', "5: a tag has no end"),
        ('<p title="{{ unsubscribe }}">x</p>', "stands in the text, not within a tag"),
        (
            '<p {% if site.url %}title="{% endif %}{{ business.name }}{% if site.url %}"{% endif %}>x',
            "needs quotes",
        ),
        (
            '<p {% if site.url %}{% else %}title="{% endif %}{{ business.name }}">x</p>',
            "a tag has no end",
        ),
        ('<meta http-equiv="refresh" content="0; url={{ business.name }}">x', "in <meta>"),
        ("<a href=\"{{ 'javascript:alert(1)' }}\">x</a>", "has to begin with https://"),
        (
            '<a href="{% if business.name %}{{ business.name }}{% endif %}">x</a>',
            "a link can begin with site.url",
        ),
    ],
)
def test_a_field_may_not_stand_where_escaping_does_not_help(body: str, words: str) -> None:
    assert words in said(body, kind=Kind.HTML)


@pytest.mark.parametrize(
    "body",
    [
        '<a href="{{ site.url }}">x</a>',
        "<a href='{{ site.url or business.website }}'>x</a>",
        '<a href="mailto:{{ sender.email }}?subject={{ business.name|urlencode }}">x</a>',
        '<p title="{{ business.name }}" style="color: red">1 < 2 &amp; &lt;b></p>',
        '<a href="{% if site.url %}{{ site.url }}{% else %}https://example.com{% endif %}">x</a>',
    ],
)
def test_a_field_may_stand_where_escaping_helps(body: str) -> None:
    assert said(body, kind=Kind.HTML) == ""


# What every mail says


def test_what_a_template_needs_is_known_without_rendering_it() -> None:
    used = template("{% if site.url %}{{ site.url }}{% endif %}", subject="{{ business.city }}")
    assert fields_of(used) == {"site.url", "business.city"}
    assert uses_site(used)
    assert uses_site(template("Hi", subject="{{ site.url }}"))
    assert not uses_site(template("site.url {# {{ site.url }} #}"))


@pytest.mark.parametrize(
    ("body", "carries"),
    [
        ("{{ unsubscribe }}", True),
        ("{{ 'Bye. ' ~ unsubscribe }}", True),
        ("{% if site.url %}a {{ unsubscribe }}{% else %}{{ unsubscribe }}{% endif %}", True),
        (
            "{% if site.url %}{{ unsubscribe }}{% elif sender.name %}{{ unsubscribe }}{% else %}{{ unsubscribe }}{% endif %}",
            True,
        ),
        ("{% if site.url %}{{ unsubscribe }}{% endif %}", False),
        ("{% if site.url %}{{ unsubscribe }}{% elif sender.name %}x{% else %}y{% endif %}", False),
        ("{% if unsubscribe %}x{% endif %}", False),
        ("{{ unsubscribe or '' }}", False),
        ("{{ unsubscribe|truncate(3) }}", False),
        ("{# {{ unsubscribe }} #}unsubscribe", False),
        ("{% raw %}{{ unsubscribe }}{% endraw %}", False),
        ("{{ unsubscribe }}{{ wrong }}", False),
    ],
)
def test_whether_every_mail_says_how_to_opt_out(body: str, carries: bool) -> None:
    assert has_opt_out(template(body)) is carries


def test_an_opt_out_in_the_subject_alone_is_none() -> None:
    assert not has_opt_out(template("Hi", subject="{{ unsubscribe }}"))
    assert says_always(template("{{ sender.postal_address }}"), "sender.postal_address")
