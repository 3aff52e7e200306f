"""Draws the Nuke nodes' panels into docs/images, from the list that makes their knobs: `make docs`."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "nuke_plugin"))

from filmrestore_nuke.panel import NODES, Entry, Node  # noqa: E402 - it is no package of the engine's

WIDTH, ROW, LEFT, RIGHT = 560, 25, 170, 540
_SMALL = 7.0  # width of a letter, px

OPENING = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<style>
text {{ font: 12px sans-serif; fill: #d0d0d0 }}
.title {{ font-size: 14px; font-weight: bold }}
.tab {{ font-weight: bold; fill: #ffffff }}
.label {{ text-anchor: end }}
.middle {{ text-anchor: middle }}
.field {{ fill: #262626; stroke: #555555 }}
.button {{ fill: #4b4b4b; stroke: #666666 }}
.bar {{ fill: #464646 }}
.line {{ stroke: #777777; stroke-width: 2 }}
</style>
<rect width="{width}" height="{height}" rx="5" fill="#383838"/>
"""


def image(title: str) -> Path:
    """Where a node's panel is kept."""
    return ROOT / "docs" / "images" / f"nuke_{title.removeprefix('Film').lower()}.svg"


def drawing(node: Node) -> str:
    """The panel, its tabs one below the other, every knob at its default."""
    y, parts = 26, [f'<text class="title" x="14" y="26">{node.title}1</text>']
    for tab, entries in node.tabs().items():
        y += ROW + 8
        parts.append(f'<rect class="bar" x="8" y="{y - 15}" width="{WIDTH - 16}" height="21" rx="3"/>')
        parts.append(f'<text class="tab" x="16" y="{y}">{escape(tab)}</text>')
        x = RIGHT
        for entry in (one for one in entries if not one.is_hidden):
            if not entry.on_line or x + _width(entry) > RIGHT:
                y, x = y + ROW, LEFT
            parts += _knob(entry, x, y)
            x += _width(entry)
        y += 6
    return OPENING.format(width=WIDTH, height=y + 14) + "\n".join(parts) + "\n</svg>\n"


def _width(entry: Entry) -> float:
    """What a knob takes of its line, px."""
    if entry.kind == "button":
        return len(entry.label) * _SMALL + 26
    return {"whole": 110.0, "choice": 190.0}.get(entry.kind, RIGHT - LEFT)


def _knob(entry: Entry, x: float, y: int) -> list[str]:
    if entry.kind == "button":
        width = _width(entry) - 8
        return [_box("button", x, y, width), _text("middle", x + width / 2, y, entry.label)]
    if entry.kind == "switch":  # Nuke writes behind the box
        return [_box("field", x, y, 14), _text("", x + 22, y, entry.label)]
    label = _text("label", x - 10, y, entry.label)
    if entry.kind == "choice":
        return [label, _box("field", x, y, 150), _text("", x + 6, y, entry.default), _text("", x + 134, y, "▾")]
    if entry.kind in ("number", "whole"):
        return [label, _box("field", x, y, 70), _text("", x + 6, y, f"{entry.default:g}"), *_slider(entry, x + 84, y)]
    return [label, _box("field", x, y, RIGHT - x), _text("", x + 6, y, str(entry.default or ""))]


def _slider(entry: Entry, x: float, y: int) -> list[str]:
    if entry.kind != "number":
        return []
    share = min(1.0, max(0.0, (entry.default - entry.low) / (entry.high - entry.low)))
    at = x + share * (RIGHT - x)
    line = f'<line class="line" x1="{x}" y1="{y - 4}" x2="{RIGHT}" y2="{y - 4}"/>'
    return [line, f'<line class="line" x1="{at:.1f}" y1="{y - 11}" x2="{at:.1f}" y2="{y + 3}" stroke="#dddddd"/>']


def _box(kind: str, x: float, y: int, width: float) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y - 14}" width="{width:g}" height="19" rx="3"/>'


def _text(kind: str, x: float, y: int, text: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y}">{escape(text)}</text>'


def draw() -> None:
    """Writes the picture of every node."""
    for node in NODES.values():
        image(node.title).write_text(drawing(node), encoding="utf-8")


if __name__ == "__main__":
    draw()
