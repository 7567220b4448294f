"""How the app is dressed: its themes, colour or none, shapes or ASCII, motion or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter, Monochrome

from crm_tui.config import AppearanceSettings
from crm_tui.palettes import DARK, TERMINAL, Palette, no_such
from crm_tui.widgets.look import theme_of
from crm_tui.widgets.shapes import plain_shapes, wants_plain_shapes

_BRIGHT_BLACK = 8
"""What the terminal's palette names for quiet text and for the ground under the cursor. As a colour
it is invisible in some terminals' palettes, so that it is written as an attribute."""

_DEFAULT = RichColor.default()


class DressedApp(App[None], inherit_bindings=False):
    """An app that wears what the operator's settings, terminal and connection ask for."""

    CSS = """
    /* Nothing can be half seen through in the terminal's own colours. */
    ModalScreen:ansi { background: $background; }
    """

    palettes: Sequence[Palette] = ()
    """The themes there are to choose from."""

    _own_filters: tuple[LineFilter, ...] = ()
    _without_colour = False

    def dress(
        self,
        palettes: Iterable[Palette],
        wanted: AppearanceSettings,
        environ: Mapping[str, str],
        *,
        theme: str = "",
    ) -> list[str]:
        """Put on a theme, and what goes with it.

        Args:
            palettes: The themes there are.
            wanted: What the settings ask for.
            environ: The environment, which has a say as well (NO_COLOR, TERM, SSH_CONNECTION).
            theme: The theme that was chosen since, before the one of the settings.

        Returns:
            A sentence where there is no such theme.
        """
        self.palettes = tuple(palettes)
        for palette in self.palettes:
            self.register_theme(theme_of(palette))
        ascii_only = wanted.ascii or wants_plain_shapes(environ)
        self.no_color = self._without_colour = bool(environ.get("NO_COLOR"))
        self._own_filters = (
            Attributes(without_colour=self.no_color),
            *([AsciiShapes()] if ascii_only else []),
        )
        if not wanted.motion or "SSH_CONNECTION" in environ or "SSH_TTY" in environ:
            self.animation_level = "none"
        names = [palette.name for palette in self.palettes]
        self.wear(next((name for name in (theme, wanted.theme) if name in names), DARK.name))
        return no_such(wanted.theme, self.palettes)

    def wear(self, theme: str) -> None:
        """Put on another theme; where there is to be no colour, it stays the terminal's own."""
        self.theme = TERMINAL.name if self._without_colour else theme

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters and ours."""
        # Textual's way without colour is shades of grey, which are colours too.
        filters = [each for each in super().get_line_filters() if not isinstance(each, Monochrome)]
        attributes, *others = self._own_filters or (None,)
        if self.native_ansi_color and attributes is not None:
            filters.append(attributes)
        return [*filters, *filter(None, others)]


class AsciiShapes(LineFilter):
    """Everything in ASCII, except what others have written in another script."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line in ASCII shapes."""
        del background
        return [Segment(plain_shapes(text), style, control) for text, style, control in segments]


class Attributes(LineFilter):
    """Faint ink and reversed ground in place of a colour that not every terminal can show.

    Args:
        without_colour: Whether no colour at all is to be left.
    """

    def __init__(self, *, without_colour: bool) -> None:
        super().__init__()
        self._without_colour = without_colour

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line with attributes."""
        del background
        return [
            Segment(text, style and in_attributes(style, self._without_colour), control)
            for text, style, control in segments
        ]


@lru_cache(maxsize=1_024)
def in_attributes(style: Style, without_colour: bool) -> Style:  # noqa: FBT001 - cached by place
    """A style whose faint ink and ground are attributes; a reversed line has one ink."""
    if _is_bright_black(style.bgcolor):
        return style + Style(color=_DEFAULT, bgcolor=_DEFAULT, reverse=True)
    if _is_bright_black(style.color):
        style += Style(color=_DEFAULT, dim=True)
    return style + Style(color=_DEFAULT, bgcolor=_DEFAULT) if without_colour else style


def _is_bright_black(colour: RichColor | None) -> bool:
    return colour is not None and colour.is_system_defined and colour.number == _BRIGHT_BLACK
