"""Whether a template can be used, and what every mail made of it will say."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Template as Compiled
from jinja2 import nodes

from crm_tui.services.templating.facts import EXAMPLE
from crm_tui.services.templating.files import Kind, Problem, Template
from crm_tui.services.templating.language import (
    always_says,
    compiled,
    fields_in,
    parse,
    problems_of,
    run,
)
from crm_tui.services.templating.markup import markup_problems
from crm_tui.services.texting import why_too_long
from crm_tui.text import visible


@dataclass(frozen=True, slots=True)
class Part:
    """The subject or the body of a template that can be used."""

    tree: nodes.Template
    compiled: Compiled
    fields: frozenset[str]
    html: bool


def check(template: Template) -> tuple[Problem, ...]:
    """What is wrong with a template, by the lines of its file; empty where it can be used."""
    return _looked_at(template)[0]


def parts(template: Template) -> tuple[Part, Part]:
    """Subject and body of a template that `check` found nothing wrong with."""
    subject, body = _looked_at(template)[1]
    return subject, body


def fields_of(template: Template) -> frozenset[str]:
    """The merge fields a template names, fallbacks or not; none where it cannot be used."""
    if check(template):
        return frozenset()
    subject, body = parts(template)
    return subject.fields | body.fields


def uses_site(template: Template) -> bool:
    """Whether a template names the public address of the site."""
    return "site.url" in fields_of(template)


def uses_payment(template: Template) -> bool:
    """Whether a template names the page where a lead can pay, with a fallback or without."""
    return "payment_url" in fields_of(template)


def says_always(template: Template, field: str) -> bool:
    """Whether every mail made of a template shows this field in its body, whoever gets it."""
    return not check(template) and always_says(parts(template)[1].tree.body, field)


def has_opt_out(template: Template) -> bool:
    """Whether every mail made of a template says how to opt out."""
    return says_always(template, "unsubscribe")


@lru_cache(maxsize=200)
def _looked_at(template: Template) -> tuple[tuple[Problem, ...], tuple[Part, ...]]:
    """What is wrong with a template, and its subject and body where nothing is."""
    html = template.kind is Kind.HTML
    subject = _part(template.subject, template.subject_line, html=False)
    body = _part(template.body, template.body_line, html=html)
    found = [*template.problems]
    made = []
    for part in (subject, body):
        if isinstance(part, Part):
            made.append(part)
        else:
            found += part
    if not template.body and not template.problems:
        above = "headers" if template.kind is Kind.SMS else "subject"
        found.append(Problem(template.body_line, f"there is nothing below the {above}"))
    elif template.kind is Kind.SMS and isinstance(body, Part):
        why = why_too_long(run(body.compiled, EXAMPLE, {}, html=False).strip())
        found += [Problem(template.body_line, why)] if why else []
    in_order = sorted(dict.fromkeys(found), key=lambda problem: problem.line)
    return tuple(in_order), tuple(made)


def _part(source: str, line: int, *, html: bool) -> Part | list[Problem]:
    """A subject or a body ready to run, or what is wrong with it."""
    tree = parse(source, line)
    if isinstance(tree, Problem):
        return [tree]
    wrong = list(problems_of(tree, line))
    if not wrong and html:
        wrong = markup_problems(tree, line)
    if wrong:
        return wrong
    try:
        part = Part(tree, compiled(tree, html=html), fields_in(tree), html)
        run(part.compiled, EXAMPLE, {}, html=html)
    except Exception as error:  # noqa: BLE001 - what Python says of comparing a text with a number
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno or 1 for frame in frames if frame.filename == "<template>"]
        words = visible(str(error), 200)
        if isinstance(error, TypeError):
            words = "it compares a text with a number"
        return [Problem(line + (lines[-1] if lines else 1) - 1, words)]
    return part
