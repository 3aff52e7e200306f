"""Writes docs/nodes.md and the pictures of Nuke's panels: `make docs`. A test fails when they are stale."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from filmrestore.settings import DEGRADE_PRESETS, DegradeSettings, Facts, GrainSettings, RestoreSettings, Settings

PAGE = Path(__file__).parent / "nodes.md"

OPENING = """# The nodes and their settings

Three nodes, the same in every interface: **restore** cleans frames, **degrade** damages clean ones, **grain** changes
grain. Each setting below is an option of the command of that name, a key of its `--settings` file (with `_` for `-`),
and a knob of the same name in the hosts. A value comes from its own option, else from the file, else from `--preset`,
else from the default here.

This page is made from `engine/filmrestore/settings` by `make docs`.
"""

NODES: tuple[tuple[str, str, type[Settings]], ...] = (
    (
        "Restore",
        "`filmrestore restore IN -o OUT`. Strength, thresholds, sizes and mix act after the tile cache: changing them "
        "renders no tile anew. Those marked *network* do.",
        RestoreSettings,
    ),
    (
        "Grain",
        "`filmrestore grain IN -o OUT`. Modes match and add take the grain of `--reference`.",
        GrainSettings,
    ),
    (
        "Degrade",
        "`filmrestore degrade IN -o OUT`. The same seed gives the same damage in the same frame, whatever the span. "
        "`--masks-out` writes the exact masks, `--truth-out` the frames without their local defects.",
        DegradeSettings,
    ),
)


def page() -> str:
    """The whole page."""
    return "\n".join([OPENING, *(_node(*node) for node in NODES), _presets()])


def _node(title: str, opening: str, settings: type[Settings]) -> str:
    parts = [f"## {title}\n\n{opening}\n"]
    fields = {entry.name: entry for entry in dataclasses.fields(settings)}  # type: ignore[arg-type]
    groups: dict[str, list[str]] = {}
    for name, facts in settings.facts().items():
        groups.setdefault(facts.group, []).append(_row(name, fields[name].default, facts))
    for group, rows in groups.items():
        parts.append(f"### {title}: {group}\n")
        parts.append("| setting | option | default | range | what it does |\n|---|---|---|---|---|")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(name: str, default: object, facts: Facts) -> str:
    flag = f"`--{name.replace('_', '-')}`"
    network = " *network*" if facts.network else ""
    return f"| {facts.label} | {flag} | {_value(default)} | {_range(facts, default)} | {facts.help}{network} |"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.15g}" if isinstance(value, (int, float)) else str(value) or "none"


def _range(facts: Facts, default: object) -> str:
    if facts.choices:
        return ", ".join(facts.choices)
    if isinstance(default, str):
        return "text"
    if facts.low is None or facts.high is None:
        return "on, off" if not facts.unit else facts.unit
    return f"{facts.low:.15g} to {facts.high:.15g} {facts.unit}".rstrip()


def _presets() -> str:
    """What each preset changes."""
    plain = DegradeSettings().to_dict()
    lines = ["### Degrade: presets\n", "`--preset NAME` starts from these values instead of the defaults.\n"]
    for name, settings in DEGRADE_PRESETS.items():
        changed = {key: value for key, value in settings.to_dict().items() if value != plain[key]}
        told = ", ".join(f"{key.replace('_', '-')} {_value(value)}" for key, value in changed.items())
        lines.append(f"- **{name}**: {told or 'no damage'}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import nuke_panels

    PAGE.write_text(page())
    nuke_panels.draw()
