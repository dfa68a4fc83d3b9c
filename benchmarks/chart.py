"""A bar chart of what was measured, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Panel", "draw"]

WIDTH, NAMES, FIGURES = 760, 170, 150  # pixels: of all, of the servers' names, of the figures behind the bars
ROW, BAR, TITLE, MARGIN = 26, 16, 44, 16

STYLE = """
  .ground { fill: #ffffff; } text { fill: #1f2328; font: 13px system-ui, sans-serif; }
  .title { font-weight: 600; } .note { fill: #59636e; } .bar { fill: #aab4be; } .ours { fill: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } text { fill: #f0f6fc; } .note { fill: #9198a1; }
    .bar { fill: #59636e; } .ours { fill: #3fb950; }
  }
"""


@dataclass(frozen=True)
class Panel:
    """The bars of one scenario: its title, what the figures count, and the figure of each server."""

    title: str
    unit: str
    figures: Mapping[str, float]
    less_is_better: bool = False

    @property
    def height(self) -> int:
        """Its height in pixels."""
        return TITLE + ROW * len(self.figures) + MARGIN

    def lines(self, top: int, ours: str) -> list[str]:
        """Return its elements, best server first; those whose name starts with ``ours`` stand out."""
        scale = (WIDTH - NAMES - FIGURES - 2 * MARGIN) / max(self.figures.values())
        unit = self.unit + (", less is better" if self.less_is_better else "")
        lines = [
            f'<text class="title" x="{MARGIN}" y="{top + 20}">{escape(self.title)}</text>',
            f'<text class="note" x="{WIDTH - MARGIN}" y="{top + 20}" text-anchor="end">{escape(unit)}</text>',
        ]
        order = sorted(self.figures.items(), key=lambda item: item[1], reverse=not self.less_is_better)
        for place, (server, value) in enumerate(order):
            y = top + TITLE + ROW * place
            kind = "bar ours" if server.startswith(ours) else "bar"
            length = max(value * scale, 1)
            lines += [
                f'<text x="{NAMES}" y="{y + 4}" text-anchor="end">{escape(server)}</text>',
                f'<rect class="{kind}" x="{NAMES + 8}" y="{y - 8}" width="{length:.1f}" height="{BAR}" rx="2"/>',
                f'<text x="{NAMES + 16 + length:.1f}" y="{y + 4}">{value:,.0f}</text>',
            ]
        return lines


def draw(panels: Sequence[Panel], note: str, ours: str = "hunchensocket") -> str:
    """Return a document with panels one below the other, and a note under them.

    It brings its own ground and has colours for light and for dark, so that it can be read on any page.
    """
    top, lines = 0, []
    for panel in panels:
        lines += panel.lines(top, ours)
        top += panel.height
    height = top + MARGIN
    told = "; ".join(
        f"{panel.title}: " + ", ".join(f"{server} {value:,.0f}" for server, value in panel.figures.items())
        for panel in panels
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" aria-labelledby="title told">',
            '<title id="title">WebSocket servers side by side</title>',
            f'<desc id="told">{escape(told)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{height}" rx="6"/>',
            *lines,
            f'<text class="note" x="{MARGIN}" y="{top}">{escape(note)}</text>',
            "</svg>\n",
        ]
    )
