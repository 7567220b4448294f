"""The part of Jinja2 that templates are written in, and what a template says without rendering it.

A mail needs fields, fallbacks and conditions: nothing else is let in. There are no loops, calls,
assignments, inclusions, indexing or arithmetic, so a template cannot reach into the program, cannot
run for long and cannot grow beyond its own size; Jinja2's sandbox stands behind that as a second
wall (docs/decisions/0023).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from jinja2 import Template, TemplateSyntaxError, Undefined, nodes
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from crm_tui.errors import BadInput
from crm_tui.services.templating.facts import MailFacts, value_of
from crm_tui.services.templating.fields import FIELDS, GROUPS, nearest
from crm_tui.services.templating.files import Problem
from crm_tui.text import visible

FILTER_NAMES = (
    "default",
    "d",
    "upper",
    "lower",
    "capitalize",
    "title",
    "trim",
    "truncate",
    "urlencode",
)
TEST_NAMES = ("defined", "undefined")

Used = dict[str, bool]
"""The merge fields that were looked at, the latest last, and whether each was known."""

SINGLE = tuple(name for name in FIELDS if "." not in name)
"""The merge fields without a dot."""

_DEEPEST = 40
_PLAIN_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Compare,
    nodes.Operand,
    nodes.Concat,
    nodes.Keyword,
)
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.For: "there is nothing to go through in a loop: leave out {% for %}",
    nodes.Call: "functions cannot be called here",
    nodes.Getitem: "square brackets cannot be used: write a field with a dot, as business.name",
    nodes.Assign: "{% set %} cannot be used: write the field where it is needed",
    nodes.AssignBlock: "{% set %} cannot be used: write the field where it is needed",
    nodes.Include: "a template stands alone and cannot include another file",
    nodes.Import: "a template stands alone and cannot import another file",
    nodes.FromImport: "a template stands alone and cannot import another file",
    nodes.Extends: "a template stands alone and cannot extend another file",
    nodes.BinExpr: "templates do not calculate; texts are joined with ~",
    nodes.UnaryExpr: "templates do not calculate",
    nodes.Scope: "{% autoescape %} and {% with %} cannot be used",
}
_LINK_IN_WORDS = re.compile(r"(?:https?://|mailto:)[!-~]*[!-~](?<![.,;:!?)>\"'])", re.IGNORECASE)
_SINGLE_BRACES = re.compile(r"(?<!\{)\{ *([a-z_]+(?:\.[a-z_]+)?) *\}(?!\})")


def with_links(words: str) -> Markup:
    """Plain words as HTML, with the addresses in them as links."""
    made, end = Markup(), 0
    for found in _LINK_IN_WORDS.finditer(words):
        shown = found[0].removeprefix("mailto:").partition("?")[0]
        made += escape(words[end : found.start()])
        made += Markup('<a href="{}">{}</a>').format(found[0], shown)
        end = found.end()
    return made + escape(words[end:])


def with_breaks(lines: str) -> Markup:
    """Plain lines as HTML, each on a line of its own."""
    return Markup("<br>\n").join(lines.split("\n"))


_IN_HTML = {"sender.postal_address": with_breaks, "unsubscribe": with_links}
"""The fields that are more than words in an HTML part."""

ONLY_AS_TEXT = frozenset(_IN_HTML)


class MissingField(BadInput):
    """A recipient lacks a field that the template has no fallback for; it is to be held back.

    Attributes:
        field: The merge field's name.
        reason: Why, in words to be shown beside the recipient.
    """

    def __init__(self, field: str) -> None:
        self.field = field
        self.reason = f"{FIELDS[field].missing} ({{{{ {field} }}}})"
        super().__init__(f"The mail cannot be made: {self.reason}.")


class Missing(Undefined):
    """A field that is not known: a condition is false, a fallback helps, anything else raises."""

    __slots__ = ()

    def _fail(self, *_arguments: Any) -> Any:
        assert self._undefined_name is not None
        raise MissingField(self._undefined_name)

    __str__ = __len__ = __iter__ = __html__ = _fail
    __lt__ = __le__ = __gt__ = __ge__ = _fail

    def __contains__(self, _part: object) -> bool:
        return False


class Group:
    """The fields before whose dot the same word stands; knows which of them were looked at."""

    __slots__ = ("facts", "name", "used")

    def __init__(self, name: str, facts: MailFacts, used: Used) -> None:
        self.name = name
        self.facts = facts
        self.used = used


class MailEnvironment(ImmutableSandboxedEnvironment):
    """The environment a template is read and rendered in; HTML escapes what it is given."""

    def __init__(self, *, html: bool) -> None:
        super().__init__(
            autoescape=html,
            undefined=Missing,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.globals.clear()
        self.filters = {name: FILTERS[name] for name in FILTER_NAMES}
        self.tests = {name: self.tests[name] for name in TEST_NAMES}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A field of a group; nothing else has anything after a dot."""
        if not isinstance(obj, Group):
            raise BadInput(f"There is nothing after the dot of .{visible(attribute, 40)}.")
        return self.field(f"{obj.name}.{attribute}", obj.facts, obj.used)

    def field(self, name: str, facts: MailFacts, used: Used) -> Any:
        """What a merge field says, or the `Missing` that stands for it."""
        if name not in FIELDS:
            raise BadInput(f"There is no field {visible(name, 60)}.")
        value = value_of(facts, name)
        used.pop(name, None)
        used[name] = value is not None
        if value is None:
            return Missing(name=name)
        if self.autoescape and name in _IN_HTML:
            return _IN_HTML[name](str(value))
        return value


@cache
def environment(*, html: bool) -> MailEnvironment:
    """The environment for HTML or for text; it keeps nothing of what is rendered in it."""
    return MailEnvironment(html=html)


def compiled(tree: nodes.Template, *, html: bool) -> Template:
    """A template whose language is in order, ready to run."""
    known = environment(html=html)
    return known.template_class.from_code(known, known.compile(tree), {})


def run(part: Template, facts: MailFacts, used: Used, *, html: bool) -> str:
    """What a template says of these facts; the fields it looked at are added to `used`.

    Raises:
        MissingField: A field is not known, and there is no fallback.
        BadInput: There is a field that no template can have.
        TypeError: What cannot be compared is compared.
    """
    known = environment(html=html)
    names: dict[str, Any] = {group: Group(group, facts, used) for group in GROUPS}
    names |= {name: known.field(name, facts, {}) for name in SINGLE}
    try:
        return part.render(names)
    except TypeError:
        # Python lets no class of ours say what `missing in "text"` is.
        if used and not used[last := next(reversed(used))]:
            raise MissingField(last) from None
        raise


def parse(source: str, line: int) -> nodes.Template | Problem:
    """A template's tree, or what keeps it from being read; `line` is its first in the file."""
    try:
        return environment(html=False).parse(source)
    except TemplateSyntaxError as error:
        reason = visible(error.message or "it cannot be read", 200).rstrip(".")
        return Problem(line + error.lineno - 1, reason[0].lower() + reason[1:])
    except RecursionError:
        return Problem(line, "it is nested too deeply")
    except (ValueError, OverflowError, MemoryError):
        return Problem(line, "a number or a text in it cannot be read")


def problems_of(tree: nodes.Template, line: int) -> Iterator[Problem]:
    """What a template says that the language does not have, in the order of its lines."""
    waiting: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        words = "it is nested too deeply" if depth > _DEEPEST else _refusal(node)
        if words:
            yield Problem(line + (node.lineno or 1) - 1, words)
            continue
        if isinstance(node, nodes.TemplateData):
            yield from _single_braces(node, line)
        if not isinstance(node, nodes.Getattr):
            waiting += [(child, depth + 1) for child in reversed(list(node.iter_child_nodes()))]


def _refusal(node: nodes.Node) -> str | None:
    """Why a node cannot stand in a template; None where it can."""
    if isinstance(node, nodes.Name | nodes.Getattr):
        return _no_field(_dotted(node))
    if isinstance(node, nodes.Filter | nodes.Test):
        return _no_filter(node)
    if isinstance(node, _PLAIN_NODES):
        return None
    for kind, words in _REFUSED.items():
        if isinstance(node, kind):
            return words
    return f"{visible(type(node).__name__.lower(), 40)} cannot be used in a template"


def _no_filter(node: nodes.Filter | nodes.Test) -> str | None:
    is_filter = isinstance(node, nodes.Filter)
    known = FILTER_NAMES if is_filter else TEST_NAMES
    if node.name not in known:
        written = f"{'|' if is_filter else 'is '}{visible(node.name, 40)}"
        return f"{written} cannot be used; there are {', '.join(known)}"
    if node.node is None:
        return "{% filter %} cannot be used: put the filter behind a field"
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "stars cannot be used here"
    return None


def _no_field(name: str | None) -> str | None:
    if name in FIELDS:
        return None
    if name is None:
        return "only a field's name can stand before a dot, as business.name"
    if name in GROUPS:
        some = ", ".join(field for field in FIELDS if field.startswith(f"{name}."))
        return f"{name} alone is no field; there are {some}"
    meant = nearest(name)
    return f"there is no field {visible(name, 60)}" + (f"; did you mean {meant}?" if meant else "")


def _dotted(node: nodes.Node) -> str | None:
    """A name with its dots, as it was written; None for anything but names and dots."""
    parts: list[str] = []
    while isinstance(node, nodes.Getattr):
        parts.append(node.attr)
        node = node.node
    if not isinstance(node, nodes.Name):
        return None
    return ".".join([node.name, *reversed(parts)])


def _single_braces(node: nodes.TemplateData, line: int) -> Iterator[Problem]:
    for found in _SINGLE_BRACES.finditer(node.data):
        if found[1] in FIELDS:
            at = line + (node.lineno or 1) - 1 + node.data.count("\n", 0, found.start())
            yield Problem(at, f"a field stands in two braces: {{{{ {found[1]} }}}}")


def fields_in(tree: nodes.Node) -> frozenset[str]:
    """The merge fields that a template, or a part of one, names anywhere."""
    names = {_dotted(tree), *map(_dotted, tree.find_all((nodes.Getattr, nodes.Name)))}
    return frozenset(name for name in names if name in FIELDS)


def always_says(body: Iterable[nodes.Node], field: str) -> bool:
    """Whether every mail made of these nodes shows the field, whatever the facts are."""
    for node in body:
        if isinstance(node, nodes.Output):
            if any(_shows(part, field) for part in node.nodes):
                return True
        elif isinstance(node, nodes.If):
            branches = [node.body, *(other.body for other in node.elif_), node.else_]
            if all(always_says(branch, field) for branch in branches):
                return True
    return False


def _shows(node: nodes.Node, field: str) -> bool:
    if isinstance(node, nodes.Concat):
        return any(_shows(part, field) for part in node.nodes)
    return _dotted(node) == field
