"""The settings of the grain node."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Settings, choice, number


@dataclass(frozen=True)
class GrainSettings(Settings):
    """Settings of the grain node."""

    mode: str = choice(
        "keep",
        ("keep", "match", "add", "reduce"),
        "Mode",
        "Keep the grain, match it to a reference plate, add that plate's or a standard stock's, or reduce it.",
        "Grain",
    )
    amount: float = number(
        1.0,
        0.0,
        4.0,
        "Amount",
        "Grain against the reference's or the stock's; for reduce, the share taken away.",
        "Grain",
        soft=(0.0, 2.0),
    )
    size: float = number(
        1.0, 0.25, 8.0, "Size", "Size of added or matched grain against the reference's.", "Grain", soft=(0.5, 3.0)
    )
    red: float = number(1.0, 0.0, 4.0, "Red", "Grain of the red layer.", "Layers", soft=(0.0, 2.0))
    green: float = number(1.0, 0.0, 4.0, "Green", "Grain of the green layer.", "Layers", soft=(0.0, 2.0))
    blue: float = number(1.0, 0.0, 4.0, "Blue", "Grain of the blue layer.", "Layers", soft=(0.0, 2.0))
    shadows: float = number(1.0, 0.0, 4.0, "Shadows", "Grain below mid grey.", "Layers", soft=(0.0, 2.0))
    highlights: float = number(1.0, 0.0, 4.0, "Highlights", "Grain above mid grey.", "Layers", soft=(0.0, 2.0))
    seed: int = number(0, 0, 2**31 - 1, "Seed", "Another seed gives other grain.", "Grain", soft=(0, 1000))
