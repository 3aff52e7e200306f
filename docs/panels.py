"""Draws the OpenFX panels into docs/images, from what the compiled plug-in tells a host: `make panels`."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
NODES = ("FilmRestore", "FilmGrain", "FilmDegrade")
WIDTH, ROW, LEFT, FIELD = 520, 24, 190, 56
GROUP, PAGE = "OfxParamTypeGroup", "OfxParamTypePage"

OPENING = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">
<style>
text {{ font: 12px sans-serif; fill: #d8d8d8 }}
.title {{ font-size: 14px; font-weight: bold }}
.group {{ font-weight: bold }}
.label {{ text-anchor: end }}
.field {{ fill: #1d1d1d; stroke: #5a5a5a }}
.line {{ stroke: #6c6c6c; stroke-width: 3; stroke-linecap: round }}
.handle {{ fill: #e0a030 }}
</style>
<rect width="{width}" height="{height}" rx="6" fill="#333333"/>
"""


def drawing(title: str, parameters: dict[str, tuple[str, Any]]) -> str:
    """The panel as SVG, as hosts lay it out: each parameter in its group, at its default."""
    groups: dict[str, list[tuple[str, Any]]] = {name: [] for name, (kind, _) in parameters.items() if kind == GROUP}
    for kind, properties in parameters.values():
        if kind not in (GROUP, PAGE):
            groups[_one(properties, "OfxParamPropParent", "")].append((kind, properties))
    y, parts = 26, [f'<text class="title" x="14" y="26">{title}</text>']
    for name, members in groups.items():
        y += ROW + 8
        parts.append(f'<text class="group" x="14" y="{y}">{escape(_label(parameters[name][1]))}</text>')
        for kind, properties in members:
            y += ROW
            parts.append(f'<text class="label" x="{LEFT - 12}" y="{y}">{escape(_label(properties))}</text>')
            parts += _control(kind, properties, y)
    return OPENING.format(width=WIDTH, height=y + 16) + "\n".join(parts) + "\n</svg>\n"


def _control(kind: str, properties: Any, y: int) -> list[str]:
    value = _one(properties, "OfxParamPropDefault", "")
    if kind == "OfxParamTypeBoolean":
        tick = f'<text x="{LEFT + 2}" y="{y}">&#10003;</text>' if value else ""
        return [_field(14, y), tick] if tick else [_field(14, y)]
    if kind == "OfxParamTypeChoice":
        choices = properties.values["OfxParamPropChoiceOption"]
        return [_field(150, y), _inside(choices[value], y), f'<text x="{LEFT + 134}" y="{y}">&#9662;</text>']
    if kind == "OfxParamTypeString":
        return [_field(WIDTH - LEFT - 20, y), _inside(value, y)]
    low, high = _one(properties, "OfxParamPropDisplayMin", 0), _one(properties, "OfxParamPropDisplayMax", 1)
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    start, end, middle = LEFT + FIELD + 16, WIDTH - 24, y - 4
    return [
        _field(FIELD, y),
        _inside(f"{value:.6g}", y),
        f'<line class="line" x1="{start}" y1="{middle}" x2="{end}" y2="{middle}"/>',
        f'<circle class="handle" cx="{start + share * (end - start):.1f}" cy="{middle}" r="6"/>',
    ]


def _field(width: int, y: int) -> str:
    return f'<rect class="field" x="{LEFT}" y="{y - 13}" width="{width}" height="18" rx="2"/>'


def _inside(text: str, y: int) -> str:
    return f'<text x="{LEFT + 6}" y="{y}">{escape(text)}</text>'


def _label(properties: Any) -> str:
    return str(_one(properties, "OfxPropLabel", ""))


def _one(properties: Any, name: str, otherwise: Any) -> Any:
    return properties.values.get(name, [otherwise])[0]


def image(node: str) -> Path:
    """Where a node's panel is kept."""
    return IMAGES / f"openfx_{node.removeprefix('Film').lower()}.svg"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    from ofx.host import Host

    host = Host(Path(sys.argv[1]))
    for name in NODES:
        image(name).write_text(drawing(name, host.plugin(name).describe("General").parameters))
    host.close()
