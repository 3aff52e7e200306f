"""Writes src/parameters_generated.h from the nodes' settings: `make docs`. A test fails when the file is stale."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from filmrestore import __version__
from filmrestore.nodes.choosing import windows
from filmrestore.protocol import settings_digest
from filmrestore.settings import DEGRADE_PRESETS, DegradeSettings, Facts, GrainSettings, RestoreSettings, Settings

HEADER = Path(__file__).parent / "src" / "parameters_generated.h"

NODES: tuple[tuple[str, type[Settings]], ...] = (
    ("restore", RestoreSettings),
    ("degrade", DegradeSettings),
    ("grain", GrainSettings),
)

OPENING = """// The nodes' settings as parameters.
// Made from engine/filmrestore/settings by ofx_bridge/generate.py: edit neither numbers nor words here.
#pragma once

#include "parameter.h"

namespace filmrestore::generated {
"""


def header() -> str:
    """The whole file."""
    parts = [
        OPENING,
        f'constexpr char version[] = "{__version__}";',
        "// Of all settings; an engine of other settings refuses this plug-in.",
        f'constexpr char settings_digest[] = "{settings_digest()}";',
        _methods(),
    ]
    parts += [_node(name, settings) for name, settings in NODES]
    parts += [_presets(), "}  // namespace filmrestore::generated", ""]
    return "\n".join(parts)


def _methods() -> str:
    rows = [f"    {{{_text(name)}, {window}, {keep}}},\n" for name, (window, keep) in windows().items()]
    return f"constexpr Method methods[] = {{\n{''.join(rows)}}};\n"


def _node(node: str, settings: type[Settings]) -> str:
    defaults = {entry.name: entry.default for entry in dataclasses.fields(settings)}  # type: ignore[arg-type]
    facts = settings.facts()
    lists = [
        f"constexpr const char *{node}_{name}_choices[] = {{{', '.join(map(_text, fact.choices))}}};\n"
        for name, fact in facts.items()
        if fact.choices
    ]
    rows = [_row(node, name, defaults[name], fact) for name, fact in facts.items()]
    return "".join(lists) + f"constexpr Parameter {node}[] = {{\n" + "".join(rows) + "};\n"


def _row(node: str, name: str, default: object, fact: Facts) -> str:
    """One `Parameter`, in the order of its members."""
    words = ", ".join(map(_text, (name, fact.label, fact.help, fact.group, fact.unit)))
    numbers = ", ".join(_number(x) for x in (fact.low, fact.high, fact.soft_low, fact.soft_high))
    if fact.choices:
        start, kind = fact.choices.index(str(default)), "choice"
        choices = f"{node}_{name}_choices, {len(fact.choices)}"
    else:
        start, kind = default, _kind(default)  # type: ignore[assignment]
        choices = "nullptr, 0"
    value = "0.0" if kind == "text" else _number(float(start))
    text = _text(str(default)) if kind == "text" else '""'
    return f"    {{{words},\n     Kind::{kind}, {value}, {numbers}, {text}, {choices}}},\n"


def _kind(default: object) -> str:
    kinds = {bool: "toggle", int: "integer", float: "number", str: "text"}
    return kinds[type(default)]


def _presets() -> str:
    """Named sets of degrade settings, each as the differences from the defaults."""
    base = DegradeSettings().to_dict()
    parts = []
    for name, preset in DEGRADE_PRESETS.items():
        rows = [
            f"    {{{_text(key)}, {_preset_value(key, value)}}},\n"
            for key, value in preset.to_dict().items()
            if value != base[key]
        ]
        symbol = f"preset_{name.replace('-', '_')}"
        if rows:
            parts.append(f"constexpr PresetValue {symbol}[] = {{\n{''.join(rows)}}};\n")
    entries = [
        f"    {{{_text(name)}, preset_{name.replace('-', '_')}, std::size(preset_{name.replace('-', '_')})}},\n"
        if preset != DegradeSettings()
        else f"    {{{_text(name)}, nullptr, 0}},\n"
        for name, preset in DEGRADE_PRESETS.items()
    ]
    return "".join(parts) + "constexpr Preset degrade_presets[] = {\n" + "".join(entries) + "};\n"


def _preset_value(name: str, value: object) -> str:
    """The number that the parameter takes: of a choice, its place among the choices."""
    choices = DegradeSettings.facts()[name].choices
    return _number(float(choices.index(str(value)) if choices else value))  # type: ignore[arg-type]


def _number(value: float | None) -> str:
    return repr(float(value or 0.0))


def _text(value: str) -> str:
    return json.dumps(value)  # the escapes of JSON in ASCII text are those of C


if __name__ == "__main__":
    HEADER.write_text(header())
