"""From facts, texts and a theme to one self-contained HTML file."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from crm_tui.errors import BadInput
from crm_tui.services.sites.facts import SiteFacts
from crm_tui.services.sites.page import make_site, safe_url
from crm_tui.services.sites.texts import SiteTexts
from crm_tui.services.sites.themes import PAGE, SHARED, STYLESHEET, Theme
from crm_tui.text import visible

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup


class Renderer:
    """Renders pages of the given themes; keeps what it compiled, so use one for many pages.

    Rendering depends on nothing but its arguments and the themes: the same give the same bytes.
    """

    def __init__(self, themes: Mapping[str, Theme]) -> None:
        self.themes = themes
        self._environments: dict[str, SandboxedEnvironment] = {}
        self._styles: dict[tuple[str, str], Markup] = {}

    def render(
        self, facts: SiteFacts, texts: SiteTexts, theme: str, *, palette: str | None = None
    ) -> str:
        """One page as a complete HTML document.

        Args:
            facts: The facts of the business.
            texts: The texts of the site, as `default_texts` made or the operator edited them.
            theme: The name of the theme.
            palette: One of its palettes, if not the one that goes with the business's key.

        Raises:
            BadInput: There is no such theme, a text names something that is not a fact, or a
                template is wrong: one sentence with the file and the line.
        """
        chosen = self.themes.get(theme)
        if chosen is None:
            raise BadInput(
                f"There is no theme {visible(theme, 60)}; there are {', '.join(sorted(self.themes))}."
            )
        site = make_site(facts, texts, chosen)
        palette = palette or chosen.palette_for(facts.key, facts.line_of_work)
        style = self._style(chosen, palette)
        tab_icon = _icon(site.initials, chosen.palettes[palette])
        try:
            page = self._environment(chosen).get_template(PAGE)
            return page.render(site=site, labels=site.labels, style=style, tab_icon=tab_icon)
        except Exception as error:  # a theme's own expressions can raise anything
            raise _in_words(error, chosen) from error

    def _environment(self, theme: Theme) -> SandboxedEnvironment:
        if theme.name not in self._environments:
            self._environments[theme.name] = _make_environment(theme)
        return self._environments[theme.name]

    def _style(self, theme: Theme, palette: str) -> Markup:
        """The stylesheet of a page: the palette, the shared rules, the theme's own."""
        from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2, which starts slowly

        if (theme.name, palette) not in self._styles:
            colours = "".join(
                f"  --{role.replace('_', '-')}: {colour};\n"
                for role, colour in theme.palettes[palette].items()
            )
            shared, own = theme.templates[f"{SHARED}/base.css"], theme.templates[STYLESHEET]
            css = f":root {{\n{colours}}}\n{shared}{own}".replace("</", "<\\/")
            self._styles[theme.name, palette] = Markup(css)  # noqa: S704 - from the theme's own files, and it cannot end its element
        return self._styles[theme.name, palette]


def _icon(initials: str, colours: Mapping[str, str]) -> str:
    """The icon of the browser's tab, within the page: without one, browsers ask the server."""
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" rx="12" fill="{colours["deep"]}"/>'
        f'<text x="32" y="43" font-family="sans-serif" font-size="31" font-weight="700" '
        f'text-anchor="middle" fill="{colours["glow"]}">{escape(initials)}</text></svg>'
    )
    return f"data:image/svg+xml,{quote(drawing)}"


def _make_environment(theme: Theme) -> SandboxedEnvironment:
    from jinja2 import FunctionLoader, StrictUndefined  # noqa: PLC0415 - starts slowly
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - likewise

    def load(name: str) -> tuple[str, str, None] | None:
        if name not in theme.templates:
            return None
        return theme.templates[name], str(theme.path_of(name)), None

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["url"] = safe_url
    return environment


def _in_words(error: Exception, theme: Theme) -> BadInput:
    """An error out of a template as a sentence with the file and the line it came from."""
    from jinja2 import TemplateNotFound, TemplateSyntaxError  # noqa: PLC0415 - loaded by now

    if isinstance(error, TemplateSyntaxError):
        place = f"{error.filename or PAGE}, line {error.lineno}"
    else:
        files = {str(theme.path_of(name)) for name in theme.templates}
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files
        ]
        place = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else PAGE
    reason = str(error) or type(error).__name__
    if isinstance(error, TemplateNotFound):
        reason = f"there is no file {error.name}"
    return BadInput(
        f"The theme {theme.name} cannot be used: {visible(place)}: {visible(reason, 300)}."
    )
