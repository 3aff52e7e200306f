"""The nodes' settings: the one source of the command line, OpenFX, Nuke, Resolve and the docs.

Standard library only, Python 3.9 and newer: hosts load this file inside their own Python.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Any, Optional, Type, TypeVar

from .errors import UsageError

S = TypeVar("S", bound="Settings")


@dataclass(frozen=True)
class Facts:
    """What an interface must know of one setting.

    Attributes:
        label: Words on the knob.
        help: One sentence, shown as tool tip and in the docs.
        group: Tab or section.
        low, high: Hard limits, inclusive; None for text, switches and choices.
        soft_low, soft_high: Range of the slider.
        choices: Allowed words, in order.
        unit: "px", "frames", "%" or "".
        network: Whether networks read it, so that changing it renders tiles anew.
    """

    label: str
    help: str
    group: str
    low: Optional[float] = None
    high: Optional[float] = None
    soft_low: Optional[float] = None
    soft_high: Optional[float] = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    network: bool = False


def number(
    default: float,
    low: float,
    high: float,
    label: str,
    help: str,
    group: str = "Restore",
    soft: Optional[tuple[float, float]] = None,
    unit: str = "",
    network: bool = False,
) -> Any:
    """A float or int setting (the annotation says which) with hard and slider limits."""
    soft_low, soft_high = soft or (low, high)
    facts = Facts(label, help, group, low, high, soft_low, soft_high, (), unit, network)
    return field(default=default, metadata={"facts": facts})


def switch(default: bool, label: str, help: str, group: str = "Restore", network: bool = False) -> Any:
    """An on/off setting."""
    return field(default=default, metadata={"facts": Facts(label, help, group, network=network)})


def choice(
    default: str, choices: tuple[str, ...], label: str, help: str, group: str = "Restore", network: bool = False
) -> Any:
    """A setting with a fixed list of words."""
    facts = Facts(label, help, group, choices=choices, network=network)
    return field(default=default, metadata={"facts": facts})


def text(default: str, label: str, help: str, group: str = "Restore", network: bool = False) -> Any:
    """A free text setting."""
    return field(default=default, metadata={"facts": Facts(label, help, group, network=network)})


class Settings:
    """Base of the nodes' settings: validation, facts, digest. Subclasses are frozen dataclasses."""

    def __post_init__(self) -> None:
        for entry in dataclasses.fields(self):  # type: ignore[arg-type]
            _check(entry.name, getattr(self, entry.name), entry.type, entry.metadata["facts"])

    @classmethod
    def facts(cls) -> dict[str, Facts]:
        """Facts of every setting by name, in the order of the interface."""
        return {entry.name: entry.metadata["facts"] for entry in dataclasses.fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls: Type[S], values: dict[str, Any]) -> S:
        """Settings from plain values, e.g. of a message or a preset.

        Raises:
            UsageError: an unknown name, a wrong type or a value out of range.
        """
        known = cls.facts()
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise UsageError(f"unknown setting {unknown[0]!r}: {cls.__name__} has {', '.join(known)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]

    def network_values(self) -> dict[str, Any]:
        """The values that networks read: the part of the cache key."""
        return {name: getattr(self, name) for name, facts in self.facts().items() if facts.network}

    def digest(self) -> str:
        """A short hash of all values, the same in every host."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


def _check(name: str, value: Any, annotation: Any, facts: Facts) -> None:
    kind = annotation if isinstance(annotation, str) else annotation.__name__
    if facts.choices:
        if value not in facts.choices:
            raise UsageError(f"{name} is {value!r}: choose one of {', '.join(facts.choices)}")
        return
    allowed = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}[kind]
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind != "bool"):
        raise UsageError(f"{name} is {value!r}: expected {kind}")
    if facts.low is None or facts.high is None:
        return
    if not math.isfinite(value) or not facts.low <= value <= facts.high:
        raise UsageError(f"{name} is {value}: give a value from {facts.low:g} to {facts.high:g} {facts.unit}".rstrip())


@dataclass(frozen=True)
class RestoreSettings(Settings):
    """Settings of the restore node."""

    method: str = choice("frdm", ("frdm",), "Method", "The restorer that does the work.", network=True)
    quality: str = choice(
        "final",
        ("final", "preview"),
        "Quality",
        "Preview leaves out the sampler: faster, softer fills.",
        network=True,
    )
    strength: float = number(1.0, 0.0, 1.0, "Strength", "How much of each repair is laid over the scan.")
    sensitivity_dark: float = number(
        0.5, 0.0, 1.0, "Sensitivity dark", "How readily marks darker than the picture are repaired; 0 repairs none."
    )
    sensitivity_light: float = number(
        0.5, 0.0, 1.0, "Sensitivity light", "How readily marks lighter than the picture are repaired; 0 repairs none."
    )
    smallest: float = number(
        0.0, 0.0, 1000.0, "Smallest defect", "Defects of a smaller diameter stay.", soft=(0.0, 20.0), unit="px"
    )
    largest: float = number(
        0.0,
        0.0,
        100000.0,
        "Largest defect",
        "Defects longer than this stay; 0 is no limit.",
        soft=(0.0, 500.0),
        unit="px",
    )
    guard: float = number(
        0.5,
        0.0,
        1.0,
        "Motion guard",
        "How readily a mark seen again in a neighbour frame counts as moving picture, not dirt.",
    )
    grow: float = number(
        0.0, 0.0, 16.0, "Grow", "Widens every repair.", "Matte", soft=(0.0, 4.0), unit="px", network=True
    )
    mix: float = number(1.0, 0.0, 1.0, "Mix", "Dissolves between the scan and the output.", "Output")
    grain: float = number(
        1.0, 0.0, 2.0, "Grain", "Grain given to generated pixels, against their surroundings.", "Grain"
    )
    temporal_radius: int = number(
        2,
        0,
        2,
        "Temporal radius",
        "Neighbour frames looked at on each side; 0 works on single frames.",
        "Time",
        unit="frames",
        network=True,
    )
    handles: int = number(
        3,
        0,
        100,
        "Handles",
        "Frames read beyond the span, where there are any, so that its ends have full windows.",
        "Time",
        soft=(0, 10),
        unit="frames",
    )
    seed: int = number(
        0, 0, 2**31 - 1, "Seed", "Another seed gives other generated texture.", "Output", soft=(0, 1000), network=True
    )
    output: str = choice(
        "result",
        ("result", "matte", "difference", "overlay", "removed"),
        "Output",
        "What is written: the restored picture, the matte, their difference, the matte laid over, or what was taken away.",
        "Output",
    )
    defect_map_threshold: float = number(
        0.5,
        0.0,
        1.0,
        "Defect map threshold",
        "Where a given defect map (infrared) is above this, the pixel is repaired.",
        "Matte",
    )
    defect_map_invert: bool = switch(
        False, "Invert defect map", "For infrared planes in which dirt is dark.", "Matte", network=True
    )


@dataclass(frozen=True)
class GrainSettings(Settings):
    """Settings of the grain node."""

    mode: str = choice(
        "keep",
        ("keep", "match", "add", "reduce"),
        "Mode",
        "Keep the grain, match it to a reference plate, add some, or reduce it.",
        "Grain",
    )
    amount: float = number(
        1.0,
        0.0,
        4.0,
        "Amount",
        "Grain against the measured amount; for reduce, the share taken away.",
        "Grain",
        soft=(0.0, 2.0),
    )
    size: float = number(1.0, 0.25, 8.0, "Size", "Grain size against the measured one.", "Grain", soft=(0.5, 3.0))
    red: float = number(1.0, 0.0, 4.0, "Red", "Grain of the red layer.", "Layers", soft=(0.0, 2.0))
    green: float = number(1.0, 0.0, 4.0, "Green", "Grain of the green layer.", "Layers", soft=(0.0, 2.0))
    blue: float = number(1.0, 0.0, 4.0, "Blue", "Grain of the blue layer.", "Layers", soft=(0.0, 2.0))
    shadows: float = number(1.0, 0.0, 4.0, "Shadows", "Grain below mid grey.", "Layers", soft=(0.0, 2.0))
    highlights: float = number(1.0, 0.0, 4.0, "Highlights", "Grain above mid grey.", "Layers", soft=(0.0, 2.0))
    seed: int = number(0, 0, 2**31 - 1, "Seed", "Another seed gives other grain.", "Grain", soft=(0, 1000))


@dataclass(frozen=True)
class DegradeSettings(Settings):
    """Settings of the degrade node."""

    seed: int = number(0, 0, 2**31 - 1, "Seed", "Another seed gives other damage.", "Degrade", soft=(0, 1000))
