"""Template files: the shipped ones, the operator's own, and how one is read.

A template is one text file: a few headers between two lines of three hyphens, and the body below.
`NAME.txt` is text alone; `NAME.html` is HTML, and the text part is made from it. The name of the
file is the name of the template, and one in the operator's folder wins over a shipped one. Text
messages have a folder of their own, and no subject.

    ---
    subject: A website for {{ business.name }}
    description: The first mail
    ---
    Hello {{ contact.first_name or "there" }},
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from crm_tui.errors import BadInput, NotFound
from crm_tui.text import visible
from crm_tui.vocabulary import Channel

LARGEST = 64 * 1024
"""Bytes above which a file is no template."""

_FENCE = "---"
_HEADERS = ("subject", "description")
_NAME = re.compile(r"[^\W_][\w.+-]{0,59}\Z")


class Kind(StrEnum):
    """What a template's body is."""

    TEXT = "text"
    HTML = "html"
    SMS = "sms"
    """A text message, which has no subject."""


SUFFIXES = {".txt": Kind.TEXT, ".html": Kind.HTML}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a template, and in which line of its file (from 1)."""

    line: int
    words: str

    @property
    def sentence(self) -> str:
        """Line and words, to be shown after the name of the file."""
        return f"line {self.line}: {self.words}{'' if self.words.endswith('?') else '.'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One template as it was read; whether it can be used, `checking.check` tells.

    Attributes:
        subject: The subject, a template itself; empty where the file has none.
        source: The whole text of the file.
        body_line: The line of the file (from 1) where the body begins; `subject_line` likewise.
        shipped: Whether it came with the program.
        problems: What was wrong with the file before its body was looked at.
    """

    name: str
    kind: Kind
    subject: str
    description: str
    body: str
    source: str
    subject_line: int = 1
    body_line: int = 1
    path: Path | None = None
    shipped: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def channel(self) -> Channel:
        """What it is sent through."""
        return Channel.SMS if self.kind is Kind.SMS else Channel.EMAIL

    def with_subject(self, subject: str) -> Template:
        """The same body under another subject."""
        return replace(self, subject=subject)


def read_template(source: str, *, name: str, kind: Kind) -> Template:
    """A template from its text. Nothing is raised: what is wrong stands in `problems`."""
    lines = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    headers: dict[str, tuple[int, str]] = {}
    problems: list[Problem] = []
    start = 0
    if len(source) > LARGEST:
        return _unreadable(f"it is larger than {LARGEST // 1024} KB", name=name, kind=kind)
    if lines[0].strip() == _FENCE:
        for number, line in enumerate(lines[1:], start=2):
            if line.strip() == _FENCE:
                start = number
                break
            problems += _read_header(line, number, headers)
    if not start:
        headers.clear()
        first = "a description" if kind is Kind.SMS else "the subject"
        problems = [Problem(1, f'the file has to begin with "---", {first} and "---" again')]
    elif kind is Kind.SMS and "subject" in headers:
        problems.append(Problem(headers["subject"][0], "a text message has no subject"))
    elif kind is not Kind.SMS and not headers.get("subject", (0, ""))[1]:
        problems.append(Problem(1, "there is no subject: add a line such as subject: Hello"))
    while start < len(lines) and not lines[start].strip():
        start += 1
    subject_line, subject = headers.get("subject", (1, ""))
    return Template(
        name=name,
        kind=kind,
        subject=subject,
        description=headers.get("description", (0, ""))[1],
        body="\n".join(lines[start:]).rstrip(),
        source=source,
        subject_line=subject_line,
        body_line=start + 1,
        problems=tuple(problems),
    )


def _unreadable(words: str, *, name: str, kind: Kind) -> Template:
    return Template(
        name=name,
        kind=kind,
        subject="",
        description="",
        body="",
        source="",
        problems=(Problem(1, words),),
    )


def _read_header(line: str, number: int, headers: dict[str, tuple[int, str]]) -> list[Problem]:
    """Read one line between the fences into `headers`; returns what is wrong with it."""
    if not line.strip() or line.startswith("#"):
        return []
    name, colon, value = (part.strip() for part in line.partition(":"))
    if not colon:
        return [Problem(number, f'"{_short(line)}" is no header: it has no colon')]
    if name not in _HEADERS:
        close = get_close_matches(name.casefold(), _HEADERS, n=1)
        meant = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(_HEADERS)}"
        return [Problem(number, f'there is no header "{_short(name)}"{meant}')]
    if name in headers:
        return [Problem(number, f"{name} stands there twice")]
    headers[name] = (number, value)
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return [Problem(number, f"the quotes around the {name} would be sent: leave them out")]
    return []


class Templates:
    """The templates there are: the shipped ones and those in the operator's folder.

    A file is read again when it changed, so keep one of these for as long as the program runs.
    """

    def __init__(self, own: Path) -> None:
        self.own = own
        self._read: dict[Path, tuple[tuple[int, int], Template]] = {}

    def all(self) -> dict[str, Template]:
        """Every template by its name, in the order of the names; the operator's own win.

        Raises:
            BadInput: The operator's folder cannot be read.
        """
        found = self._folder(shipped_folder(), shipped=True) | self._folder(self.own, shipped=False)
        return dict(sorted(found.items()))

    @property
    def own_texts(self) -> Path:
        """The operator's folder of text messages, beside that of mails."""
        return self.own.parent / Channel.SMS

    def texts(self) -> dict[str, Template]:
        """Every template of a text message, as `all` does for mails.

        Raises:
            BadInput: The operator's folder cannot be read.
        """
        shipped = self._folder(shipped_folder(Channel.SMS), shipped=True, texts=True)
        return dict(
            sorted((shipped | self._folder(self.own_texts, shipped=False, texts=True)).items())
        )

    def every(self) -> dict[str, Template]:
        """The templates of mails and then those of text messages; a name that both have is a mail's.

        Raises:
            BadInput: The operator's folders cannot be read.
        """
        mails = self.all()
        return mails | {name: each for name, each in self.texts().items() if name not in mails}

    def named(self, name: str) -> Template:
        """The template of that name, of a mail or of a text message.

        Raises:
            NotFound: There is none; names what may have been meant.
        """
        found = self.every()
        if name not in found:
            close = get_close_matches(name, found, n=1)
            there = f"Did you mean {close[0]}?" if close else f"There are {', '.join(found)}."
            raise NotFound(f"There is no template {visible(name, 60)}. {visible(there)}")
        return found[name]

    def _folder(self, folder: Path, *, shipped: bool, texts: bool = False) -> dict[str, Template]:
        found: dict[str, Template] = {}
        try:
            paths = sorted(folder.iterdir()) if folder.is_dir() else []
        except OSError as error:
            raise BadInput(f"{visible(str(folder))} cannot be read: {error.strerror}.") from None
        for path in paths:
            kind = SUFFIXES.get(path.suffix)
            if kind is None or path.name.startswith((".", "_", "#")) or not path.is_file():
                continue
            template = self._file(path, shipped=shipped, kind=Kind.SMS if texts else kind)
            twin = found.get(path.stem)
            if twin is not None and twin.path is not None:
                twice = Problem(1, f"{twin.path.name} has the same name: rename one of the two")
                template = replace(template, problems=(twice, *template.problems))
            found[path.stem] = template
        return found

    def _file(self, path: Path, *, shipped: bool, kind: Kind) -> Template:
        try:
            status = path.stat()
        except OSError:
            return _read_file(path, shipped=shipped, kind=kind)  # says what is in the way
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, _read_file(path, shipped=shipped, kind=kind))
            self._read[path] = known
        return known[1]


def _read_file(path: Path, *, shipped: bool, kind: Kind) -> Template:
    name = path.stem
    try:
        with path.open("rb") as file:
            content = file.read(4 * LARGEST + 1)
        template = read_template(content.decode(), name=name, kind=kind)
    except OSError as error:
        template = _unreadable(f"it cannot be read: {error.strerror}", name=name, kind=kind)
    except UnicodeDecodeError:
        template = _unreadable("it is not UTF-8 text", name=name, kind=kind)
    problems = template.problems
    if not _NAME.match(name):
        words = "a template's name is letters, digits, dots and hyphens: rename the file"
        problems = (Problem(1, words), *problems)
    return replace(template, path=path, shipped=shipped, problems=problems)


def shipped_folder(channel: Channel = Channel.EMAIL) -> Path:
    """Where the templates that come with the program are."""
    return Path(str(files("crm_tui") / "templates" / channel))


def own_folder(config: Path) -> Path:
    """Where the operator's own templates are: beside config.toml, which `config` names."""
    return config.parent / "templates" / "email"


def to_edit(templates: Templates, name: str, *, begin_with: str | None = None) -> Template:
    """The template to open in an editor, to be given to `save_own` when it was changed.

    Args:
        templates: The templates there are.
        name: The template's name.
        begin_with: The template that a new one begins as a copy of.

    Raises:
        NotFound: There is nothing of that name.
        BadInput: The name cannot be one, or is taken already.
    """
    found = templates.every()
    if begin_with is None:
        if name not in found:
            raise NotFound(
                f"There is no template {visible(name, 60)}. To write a new one, say what it "
                f"begins with: --from and one of {visible(', '.join(found))}."
            )
        return found[name]
    if not _NAME.match(name):
        raise BadInput(
            f"A template cannot be called {visible(name, 60)}: use letters, digits and hyphens."
        )
    if name in found:
        raise BadInput(f"There is a template {name} already: edit it without --from.")
    return replace(templates.named(begin_with), name=name, path=None, shipped=False)


def save_own(templates: Templates, template: Template, source: str) -> Template:
    """Write a template into the operator's folder; returns it as it is read from there.

    Raises:
        BadInput: The file cannot be written.
    """
    path = template.path
    if path is None or template.shipped:
        suffix = ".html" if template.kind is Kind.HTML else ".txt"
        folder = templates.own_texts if template.kind is Kind.SMS else templates.own
        path = folder / f"{template.name}{suffix}"
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(source, encoding="utf-8", newline="")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise BadInput(f"{visible(str(path))} cannot be written: {error.strerror}.") from None
    return _read_file(path, shipped=False, kind=template.kind)


def _short(text: str) -> str:
    return visible(text.strip(), 40)
