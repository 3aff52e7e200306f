"""What a setting is, and the base of the nodes' settings: kinds, limits, validation, digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Any, Optional, Type, TypeVar

from ..errors import UsageError

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
        words: Words that a text may hold, between commas; empty for any text.
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
    words: tuple[str, ...] = ()


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


def word_list(
    default: str, words: tuple[str, ...], label: str, help: str, group: str = "Restore", network: bool = False
) -> Any:
    """A text setting that holds none, one or some of these words, between commas."""
    return field(default=default, metadata={"facts": Facts(label, help, group, network=network, words=words)})


def split_words(text: str) -> tuple[str, ...]:
    """The words between the commas of a text, in their order."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


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
    fits = isinstance(value, allowed) and isinstance(value, bool) == (kind == "bool")
    if not fits:
        raise UsageError(f"{name} is {value!r}: expected {kind}")
    if facts.words:
        for word in split_words(value):
            if word not in facts.words:
                raise UsageError(f"{name} names {word!r}: choose from {', '.join(facts.words)}, with commas between")
    if facts.low is None or facts.high is None:
        return
    if not math.isfinite(value) or not facts.low <= value <= facts.high:
        raise UsageError(f"{name} is {value}: give a value from {facts.low:g} to {facts.high:g} {facts.unit}".rstrip())
