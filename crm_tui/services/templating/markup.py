"""HTML parts: what a stranger's words could do in them, and the text part made from one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from html import escape
from html.parser import HTMLParser

from jinja2 import nodes

from crm_tui.services.templating.files import Problem
from crm_tui.services.templating.language import ONLY_AS_TEXT, fields_in
from crm_tui.text import visible

Attributes = list[tuple[str, str | None]]

# A letter first, so that "<" before a field begins a tag here as it might in a mail.
_OPEN, _CLOSE = "f\ue000", "\ue001"
_NOT_OURS = dict.fromkeys((0xE000, 0xE001), " ")
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_QUOTED = re.compile("\"[^\"]*\"|'[^']*'")
_BRANCHES = frozenset({"body", "elif_", "else_"})
_LINKS = frozenset("href src srcset action formaction background poster cite xlink:href".split())
_SAFE_LINK = re.compile(f"(?:https?://|mailto:|tel:|#|{_OPEN})", re.IGNORECASE)
_COMPLETE = re.compile(
    r"<!--.*?(?:-->|\Z)|<[a-z/!?](?:\"[^\"]*\"|'[^']*'|[^'\"<>])*>", re.IGNORECASE | re.DOTALL
)
_BEGINS_TAG = re.compile(r"<[a-z/!?]", re.IGNORECASE)
_REFUSED_TAGS = frozenset({"script", "iframe", "object", "embed", "base", "form"})
_URL_FIELDS = frozenset({"site.url", "business.website", "payment_url"})
_FIT_FOR_LINKS = _URL_FIELDS | {"business.email", "business.phone", "sender.email"}
_UNSEEN = frozenset({"head", "script", "style", "title", "template"})
_BLOCKS = frozenset(
    "address article aside blockquote div dd dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header "
    "hr li main nav ol p pre section table tbody tfoot thead tr ul".split()
)
_SPACED = frozenset("blockquote h1 h2 h3 h4 h5 h6 hr ol p pre table ul".split())
_SPACES = re.compile(r"\s+")


# Where fields may stand


def markup_problems(tree: nodes.Template, line: int) -> list[Problem]:
    """What is wrong with the HTML of a template whose language is in order.

    Escaping makes a field safe between tags and in a quoted attribute. Everywhere else a stranger's
    words could become markup, a style or a link to anywhere, so no field may stand there.
    """
    # A branch may open a quote that another closes: looked at together, alone, and left out.
    problems = _page_problems(tree, line, _BRANCHES)
    for branches in ({"body"}, {"else_"}):
        problems += _page_problems(tree, line, branches)
    return sorted(set(problems), key=lambda problem: problem.line)


def _page_problems(tree: nodes.Template, line: int, branches: AbstractSet[str]) -> list[Problem]:
    """What is wrong with the page that these branches of every condition make."""
    fields: list[nodes.Node] = []
    page = "".join(_written(tree, fields, branches))
    words_only = _COMPLETE.sub(_without_tag, page)
    loose = _BEGINS_TAG.search(words_only)
    if loose:
        # The parser takes minutes over thousands of these, so it is not asked.
        at = line + words_only.count("\n", 0, loose.start())
        return [Problem(at, "a tag has no end; a < that is only a sign is written &lt;")]
    places = _Places(fields, line)
    places.feed(page)
    places.close()
    return places.problems


def _without_tag(tag: re.Match[str]) -> str:
    """The line breaks of a tag or a comment; a comment without an end still begins one."""
    begun = "<!" if tag[0].startswith("<!--") and not tag[0].endswith("-->") else ""
    return begun + "\n" * tag[0].count("\n")


def _written(
    node: nodes.Node, fields: list[nodes.Node], branches: AbstractSet[str]
) -> Iterator[str]:
    """The template as one page, branches one after the other, a mark where a field stands."""
    if isinstance(node, nodes.TemplateData):
        yield node.data.translate(_NOT_OURS)
    elif isinstance(node, nodes.Output | nodes.Template):
        for child in node.iter_child_nodes():
            yield from _written(child, fields, branches)
    elif isinstance(node, nodes.If):
        for branch in ("body", "elif_", "else_"):
            for child in getattr(node, branch) if branch in branches else ():
                yield from _written(child, fields, branches)
    elif isinstance(node, nodes.Const):
        yield escape(str(node.value))
    else:
        fields.append(node)
        yield f"{_OPEN}{len(fields) - 1}{_CLOSE}"


class _Places(HTMLParser):
    """Looks for marks of fields in places of a page where no field may stand."""

    def __init__(self, fields: Sequence[nodes.Node], line: int) -> None:
        super().__init__(convert_charrefs=False)
        self.fields = fields
        self.line = line
        self.problems: list[Problem] = []
        self._raw = ""

    def _look(self, text: str, words: str) -> None:
        """Say what is wrong with each field standing in this piece of the page."""
        for found in _MARK.finditer(text):
            node = self.fields[int(found[1])]
            self.problems.append(Problem(self.line + node.lineno - 1, words))

    def _say(self, words: str) -> None:
        self.problems.append(Problem(self.line + self.getpos()[0] - 1, words))

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self._raw = tag if tag in {"script", "style"} else ""
        self._look(tag, "a field cannot stand in the name of a tag")
        if tag in _REFUSED_TAGS:
            self._say(f"mail programs refuse <{tag}>: leave it out")
        for name, value in attrs:
            if tag == "meta":
                self._look(value or "", "a field cannot stand in <meta>")
            self._attribute(name, value or "")
        bare = _QUOTED.sub("", self.get_starttag_text() or "")
        self._look(bare, "a field within a tag needs quotes around the value it is in")

    def _attribute(self, name: str, value: str) -> None:
        if name == "style" or name.startswith("on"):
            self._look(value, f"a field cannot stand in {visible(name, 20)}")
            return
        if name in _LINKS and value and not _SAFE_LINK.match(value.strip()):
            self._say(f"{name} has to begin with https://, mailto: or tel:, or be a field")
        for found in _MARK.finditer(value):
            node = self.fields[int(found[1])]
            at = self.line + node.lineno - 1
            begins = not value[: found.start()].strip()
            words = _unfit(node, in_link=name in _LINKS, begins=begins)
            if words:
                self.problems.append(Problem(at, words))

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""
        self._look(tag, "a field cannot stand in the name of a tag")

    def handle_data(self, data: str) -> None:
        if self._raw:
            self._look(data, f"a field cannot stand in <{self._raw}>")

    def handle_comment(self, data: str) -> None:
        self._look(data, "nobody sees a field in a comment")

    def handle_decl(self, decl: str) -> None:
        self._look(decl, "a field cannot stand here")

    def handle_pi(self, data: str) -> None:
        self._look(data, "a field cannot stand here")

    def unknown_decl(self, data: str) -> None:
        self._look(data, "a field cannot stand here")


def _unfit(node: nodes.Node, *, in_link: bool, begins: bool) -> str | None:
    """Why a field cannot stand in the value of an attribute, as a link or within one."""
    used = fields_in(node)
    if used & ONLY_AS_TEXT:
        return f"{min(used & ONLY_AS_TEXT)} stands in the text, not within a tag"
    if in_link and begins and not used <= _URL_FIELDS:
        return (
            "a link can begin with site.url, payment_url or business.website, with no other field"
        )
    encoded = isinstance(node, nodes.Filter) and node.name == "urlencode"
    if in_link and not encoded and not used <= _FIT_FOR_LINKS:
        return f"within a link, write {{{{ {min(used - _FIT_FOR_LINKS)}|urlencode }}}}"
    return None


# The text part


def text_from(html: str) -> str:
    """The words of an HTML part as text: paragraphs, lists, and links with their addresses."""
    maker = _TextMaker()
    maker.feed(html)
    maker.close()
    return "".join(maker.pieces)


class _TextMaker(HTMLParser):
    """Writes what a reader of the page would read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._breaks = 0
        self._unseen = 0
        self._lists: list[int | None] = []
        self._links: list[tuple[str, int]] = []
        self._starts: dict[str, Callable[[dict[str, str | None]], None]] = {
            "a": self._start_link,
            "br": lambda _: self._break(self._breaks + 1),
            "hr": lambda _: self._write("--"),
            "img": lambda known: self.handle_data(known.get("alt") or ""),
            "li": lambda _: self._start_item(),
            "ol": lambda _: self._lists.append(0),
            "td": lambda _: self.handle_data(" "),
            "th": lambda _: self.handle_data(" "),
            "ul": lambda _: self._lists.append(None),
        }

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "body":
            self._unseen = 0
        if tag in _BLOCKS:
            self._break(2 if tag in _SPACED and not (self._lists and tag in {"ul", "ol"}) else 1)
        if tag in self._starts:
            self._starts[tag](dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag in {"ul", "ol"} and self._lists:
            self._lists.pop()
        if tag in _BLOCKS:
            self._break(2 if tag in _SPACED and not self._lists else 1)

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        text = _SPACES.sub(" ", data)
        if self._breaks or not self.pieces or self.pieces[-1].endswith(" "):
            text = text.lstrip(" ")
        if text:
            self._write(text)

    def _write(self, text: str) -> None:
        if self._breaks and self.pieces:
            self.pieces.append("\n" * self._breaks)
        self._breaks = 0
        self.pieces.append(text)

    def _break(self, lines: int) -> None:
        self._breaks = max(self._breaks, min(lines, 2))

    def _start_item(self) -> None:
        indent = "  " * (len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is None:
            self._write(f"{indent}- ")
        else:
            self._lists[-1] = number + 1
            self._write(f"{indent}{number + 1}. ")

    def _start_link(self, known: dict[str, str | None]) -> None:
        self._links.append(((known.get("href") or "").strip(), len(self.pieces)))

    def _end_link(self, address: str, start: int) -> None:
        """Put the address behind the words of a link, unless it says nothing new."""
        if self._unseen or not address or address.startswith("#"):
            return
        written = "".join(self.pieces[start:])
        words = written.strip()
        bare = re.sub(r"\A(?:mailto:|tel:|https?://)", "", address, flags=re.IGNORECASE)
        if not words:
            self._write(address)
        elif words == bare.partition("?")[0]:
            before = written[: len(written) - len(written.lstrip())]
            self.pieces[start:] = [before + address]
        elif words.rstrip("/") not in {address.rstrip("/"), bare.rstrip("/")}:
            self.handle_data(
                f" ({address})" if not self.pieces[-1].endswith(" ") else f"({address})"
            )
