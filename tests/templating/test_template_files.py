from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from crm_tui.errors import BadInput, NotFound
from crm_tui.services.templating.checking import (
    check,
    has_opt_out,
    says_always,
    uses_payment,
    uses_site,
)
from crm_tui.services.templating.facts import EXAMPLE, MailFacts, unsubscribe_sentence
from crm_tui.services.templating.fields import FIELDS
from crm_tui.services.templating.files import Kind, Templates, read_template, save_own, to_edit
from crm_tui.services.templating.language import FILTER_NAMES
from crm_tui.services.templating.rendering import render

SHIPPED = ["preview-1-offer", "preview-2-reminder", "preview-3-questions", "preview-4-goodbye"]
SALES = ["sale-1-payment-link", "sale-2-payment-failed"]
ALL = [*SHIPPED, *SALES]
GOOD = "---\nsubject: Hi\n---\nHello\n"

# A name, a city, an e-mail and a published site; the sender and the opt-out are the operator's.
LEAST = MailFacts(
    business_name="Woodhaven Plumbing",
    business_city="Queens",
    business_email="office@example.com",
    site_url="https://previews.example.com/woodhaven-plumbing",
    sender_name="Anna Berg",
    sender_email="anna@example.org",
    sender_postal_address="5 Mill Lane\nBristol BS1 4QD",
    unsubscribe=unsubscribe_sentence("mailto:anna+u.1@example.org?subject=unsubscribe"),
)


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    return Templates(tmp_path / "templates" / "email")


def write(templates: Templates, name: str, content: str | bytes) -> Path:
    templates.own.mkdir(parents=True, exist_ok=True)
    path = templates.own / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# The shipped ones


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_template_can_be_sent_to_a_lead_of_whom_hardly_anything_is_known(
    name: str, templates: Templates
) -> None:
    template = templates.named(name)
    assert check(template) == ()
    mail = render(template, LEAST)
    assert "Woodhaven Plumbing" in mail.subject
    assert mail.text.startswith("Hello,\n")
    for part in ("site_url", "sender_name", "sender_postal_address", "unsubscribe"):
        assert str(getattr(LEAST, part)) in mail.text
    assert '"no"' in mail.text or "need not do anything" in mail.text


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_template_is_plain_short_and_honest(name: str, templates: Templates) -> None:
    template = templates.named(name)
    assert uses_site(template)
    assert has_opt_out(template)
    assert says_always(template, "sender.postal_address")
    for facts in (LEAST, replace(EXAMPLE, unsubscribe=LEAST.unsubscribe)):
        mail = render(template, facts)
        words = f"{mail.subject}\n{mail.text}"
        assert "!" not in words
        assert "free" not in words.casefold()
        assert not [word for word in words.split() if word.isupper() and len(word) > 3]
        assert len(mail.subject) <= 70
        assert len(words.split()) <= 220


@pytest.mark.parametrize("name", SALES)
def test_a_shipped_template_about_money_is_short_and_friendly(
    name: str, templates: Templates
) -> None:
    template = templates.named(name)
    assert check(template) == ()
    assert uses_payment(template)
    link = "https://buy.example.com/1"
    for site in (None, LEAST.site_url):
        mail = render(template, replace(LEAST, payment_url=link, site_url=site))
        assert link in mail.text
        assert "Woodhaven Plumbing" in mail.subject
        assert "need not do anything" in mail.text
        words = f"{mail.subject}\n{mail.text}"
        assert "!" not in words
        assert len(mail.subject) <= 70
        assert len(words.split()) <= 220


def test_a_mail_about_a_failed_payment_goes_without_a_page_to_pay_at(
    templates: Templates,
) -> None:
    assert "answer this mail" in render(templates.named(SALES[1]), LEAST).text
    with pytest.raises(BadInput, match="no payment link"):
        render(templates.named(SALES[0]), LEAST)


def test_a_shipped_template_says_hello_to_somebody_it_knows(templates: Templates) -> None:
    mail = render(templates.named(SHIPPED[0]), replace(LEAST, contact_first_name="Jo"))
    assert mail.text.startswith("Hello Jo,\n")


def test_the_follow_ups_refer_to_the_earlier_mail(templates: Templates) -> None:
    for name, words in zip(
        SHIPPED[1:], ["I sent you", "I wrote to you", "my last one"], strict=True
    ):
        assert words in render(templates.named(name), LEAST).text


def test_a_lead_without_a_published_site_is_held(templates: Templates) -> None:
    for template in map(templates.named, SHIPPED):
        with pytest.raises(BadInput, match="no published site"):
            render(template, replace(LEAST, site_url=None))


def test_the_page_about_templates_tells_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "templates.md").read_text()
    for field in FIELDS.values():
        assert f"| `{field.name}` | {field.hint} |" in page
    for name in FILTER_NAMES:
        assert f"`{name}`" in page or name == "d"
    example = page.split("```")[3]
    assert check(read_template(example.strip(), name="spring", kind=Kind.TEXT)) == ()


# One's own


def test_without_a_folder_of_ones_own_there_are_the_shipped_ones(templates: Templates) -> None:
    found = templates.all()
    assert list(found) == ALL
    assert all(each.shipped and each.channel == "email" for each in found.values())


def test_ones_own_template_wins_over_a_shipped_one(templates: Templates) -> None:
    write(templates, f"{SHIPPED[0]}.html", "---\nsubject: Mine\n---\n<p>Hi</p>")
    mine = templates.named(SHIPPED[0])
    assert (mine.subject, mine.kind, mine.shipped) == ("Mine", Kind.HTML, False)
    assert list(templates.all()) == ALL


def test_a_file_is_read_again_when_it_changed_and_only_then(templates: Templates) -> None:
    path = write(templates, "mine.txt", GOOD)
    before = templates.named("mine")
    assert templates.named("mine") is before
    write(templates, "mine.txt", GOOD.replace("Hi", "Ho"))
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    assert templates.named("mine").subject == "Ho"
    path.unlink()
    with pytest.raises(NotFound):
        templates.named("mine")


@pytest.mark.parametrize("name", [".mine.txt.swp", "mine.txt~", ".mine.txt", "notes.md", "_x.txt"])
def test_what_editors_leave_is_no_template(name: str, templates: Templates) -> None:
    write(templates, name, GOOD)
    (templates.own / "folder.txt").mkdir()
    assert list(templates.all()) == ALL


def test_an_unknown_name_is_refused_with_the_nearest(templates: Templates) -> None:
    with pytest.raises(NotFound, match="Did you mean preview-1-offer"):
        templates.named("preview-offer")
    with pytest.raises(NotFound, match="There are preview-1-offer, preview-2"):
        templates.named("qqq")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", '1: the file has to begin with "---"'),
        ("---\nsubject: a\nHello", '1: the file has to begin with "---"'),
        ("subject: a\n\nHello", '1: the file has to begin with "---"'),
        ("---\n---\nHello", "1: there is no subject"),
        ("---\nsubject:\n---\nHello", "1: there is no subject"),
        ("---\nsubject: a\n---\n\n", "there is nothing below the subject"),
        ("---\nsubject: a\nsubjct: b\n---\nx", '3: there is no header "subjct"; did you mean'),
        ("---\nsubject: a\nhello\n---\nx", "3: "),
        ("---\nsubject: a\nsubject: b\n---\nx", "3: subject stands there twice"),
        ('---\nsubject: "a"\n---\nx', "2: the quotes around the subject would be sent"),
        (b"---\nsubject: \xff\n---\nx", "1: it is not UTF-8 text"),
        (b"---\nsubject: a\n---\n" + b"x" * 70_000, "1: it is larger than 64 KB"),
        (b"x" * 10_000_000, "1: it "),
    ],
)
def test_a_file_that_cannot_be_used_is_listed_and_says_why(
    content: str | bytes, words: str, templates: Templates
) -> None:
    write(templates, "mine.txt", content)
    problems = [f"{found.line}: {found.words}" for found in check(templates.all()["mine"])]
    assert any(words in found for found in problems), problems


def test_two_files_of_one_name_are_a_problem(templates: Templates) -> None:
    write(templates, "mine.txt", GOOD)
    write(templates, "mine.html", GOOD)
    (problem,) = check(templates.named("mine"))
    assert "has the same name" in problem.words


def test_a_file_from_another_system_is_read(templates: Templates) -> None:
    write(
        templates,
        "mine.txt",
        "\ufeff---\r\n# a note\r\nsubject: Hi: you\r\n---\r\n\r\nA\r\n\r\nB\r\n",
    )
    mine = templates.named("mine")
    assert check(mine) == ()
    assert mine.subject == "Hi: you"
    assert render(mine, MailFacts()).text == "A\n\nB\n"


def test_lines_are_counted_from_the_top_of_the_file() -> None:
    wrong = read_template("---\nsubject: a\n---\n\n\nx\n{{ y.z }}", name="x", kind=Kind.TEXT)
    assert [found.line for found in check(wrong)] == [7]


# Editing


def test_a_shipped_template_is_edited_as_a_copy(templates: Templates) -> None:
    opened = to_edit(templates, SHIPPED[0])
    saved = save_own(templates, opened, opened.source.replace("Kind regards", "Yours"))
    assert saved.path == templates.own / f"{SHIPPED[0]}.txt"
    assert "Yours" in templates.named(SHIPPED[0]).body
    assert not templates.named(SHIPPED[0]).shipped
    again = to_edit(templates, SHIPPED[0])
    assert save_own(templates, again, GOOD).path == saved.path
    assert sorted(path.name for path in templates.own.iterdir()) == [f"{SHIPPED[0]}.txt"]


def test_a_new_template_begins_as_a_copy(templates: Templates) -> None:
    write(templates, "page.html", "---\nsubject: a\n---\n<p>x</p>")
    opened = to_edit(templates, "new", begin_with="page")
    saved = save_own(templates, opened, opened.source)
    assert saved.path == templates.own / "new.html"
    with pytest.raises(BadInput, match="already"):
        to_edit(templates, "new", begin_with="page")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", ".x", "", "x\n", "_x", "x" * 99])
def test_a_name_that_would_leave_the_folder_is_refused(name: str, templates: Templates) -> None:
    with pytest.raises(BadInput, match="cannot be called"):
        to_edit(templates, name, begin_with=SHIPPED[0])
    with pytest.raises(NotFound, match="--from"):
        to_edit(templates, name)
