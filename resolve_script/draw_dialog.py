"""Draws the dialog from its own description into docs/hosts/resolve_dialog.svg: run it when settings change.

It is no photograph: it shows which knobs there are, in which tabs, with which values, not how Resolve paints them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from filmrestore_resolve.choices import NODES
from filmrestore_resolve.dialog import Knob, tabs_of
from filmrestore_resolve.remembered import defaults

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "hosts" / "resolve_dialog.svg"
_WIDTH, _ROW, _LEFT, _TOP = 420, 24, 14, 40


def drawing() -> str:
    """The dialog of the Edit and Utility menus: every tab of the run and of each node, side by side."""
    columns = [("FilmRestore", "run"), *((node.capitalize(), node) for node in NODES)]
    bodies, height = [], 0
    for number, (title, part) in enumerate(columns):
        lines, end = [], _TOP
        for tab, knobs in tabs_of("timeline")[part].items():
            lines.append(_text(_LEFT, end + 16, tab, "tab"))
            end += _ROW
            for knob in knobs:
                lines += _row(knob, end)
                end += _ROW
            end += 8
        height = max(height, end + 12)
        head = _text(_LEFT, 24, title, "title")
        bodies.append(f'<g transform="translate({number * _WIDTH} 0)">{head}{"".join(lines)}</g>')
    wide = _WIDTH * len(columns)
    style = (
        "text{font:13px sans-serif;fill:#ccc}.title{font-weight:bold;font-size:15px}.tab{fill:#e8915b}"
        ".value{fill:#fff}rect{fill:#1c1c1f;stroke:#4a4a50}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{height}" viewBox="0 0 {wide} {height}">'
        f'<style>{style}</style><rect width="{wide}" height="{height}" style="fill:#28282c"/>{"".join(bodies)}</svg>\n'
    )


def _row(knob: Knob, top: int) -> Iterator[str]:
    value = defaults("timeline")[knob.part][knob.name]
    shown = ("✓" if value else "") if knob.kind == "bool" else f"{value:g}" if knob.kind in ("int", "float") else value
    arrow = " ▾" if knob.facts.choices else " ▴▾" if knob.kind in ("int", "float") else ""
    unit = f" ({knob.facts.unit})" if knob.facts.unit else ""
    yield _text(_LEFT + 8, top + 16, knob.facts.label + unit, "label", tip=knob.facts.help)
    box = 18 if knob.kind == "bool" else 190
    yield f'<rect x="{_LEFT + 195}" y="{top + 2}" width="{box}" height="{_ROW - 5}" rx="3"/>'
    yield _text(_LEFT + 200, top + 16, f"{shown}{arrow}", "value")


def _text(x: int, y: int, words: str, kind: str, tip: str = "") -> str:
    title = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<text x="{x}" y="{y}" class="{kind}">{title}{escape(words)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
