"""Recipes: settings drawn by chance for training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..settings import DegradeSettings


def random_settings(rng: np.random.Generator) -> DegradeSettings:
    """Settings for one training clip: any mix of damage, from none to more than real film carries.

    They are made for crops of a 2K frame (Damage with frame_width): the densities of real scans and up to several times
    them, scratches far oftener than in life, because a crop is narrow and few of them would be learned from.
    """
    amounts: dict[str, Any] = {"seed": int(rng.integers(2**31)), **_shared(rng)}
    if rng.random() >= 0.08:  # else a clean window, from which a net learns to leave things alone
        amounts |= _marks(rng)
    if amounts["stock"] == "colour" and rng.random() < 0.3:
        amounts |= {f"fade_{dye}": float(rng.uniform(0.0, 0.5) ** 1.5) for dye in ("cyan", "magenta", "yellow")}
        amounts["stained_base"] = float(rng.uniform(0.0, 0.12))
    return DegradeSettings.from_dict(amounts)


def _some(rng: np.random.Generator, chance: float, low: float, high: float) -> float:
    """0, or with that chance a log-uniform amount."""
    amount = math.exp(rng.uniform(math.log(low), math.log(high)))
    return float(amount) if rng.random() < chance else 0.0


def _marks(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "dust": _some(rng, 0.8, 100.0, 5000.0),
        "dust_size": float(rng.uniform(0.5, 1.6)),
        "dirt": _some(rng, 0.7, 40.0, 1500.0),
        "dirt_size": float(math.exp(rng.uniform(math.log(0.4), math.log(3.5)))),
        "hair": _some(rng, 0.4, 20.0, 600.0),
        "hair_size": float(rng.uniform(0.7, 1.5)),
        "lint": _some(rng, 0.2, 10.0, 150.0),
        "gate_hair": _some(rng, 0.12, 3.0, 12.0),
        "gate_hair_life": float(rng.uniform(5.0, 200.0)),
        "quiver": float(rng.uniform(0.05, 0.6)),
        "scratches": _some(rng, 0.5, 3.0, 45.0),
        "scratches_moving": _some(rng, 0.2, 2.0, 15.0),
        "scratch_width": float(math.exp(rng.uniform(math.log(0.6), math.log(2.5)))),
        "scratch_opacity": float(rng.uniform(0.3, 0.95)),
        "scratch_wander": float(rng.uniform(0.0, 2.0)),
        "scratch_breaks": float(rng.uniform(0.0, 1.0)),
        "blotches": _some(rng, 0.3, 10.0, 120.0),
        "blotch_size": float(rng.uniform(0.4, 1.2)),
        "stains": _some(rng, 0.12, 10.0, 50.0),
        "stain_size": float(rng.uniform(0.3, 0.8)),
        "burns": _some(rng, 0.05, 8.0, 30.0),
        "burn_size": float(rng.uniform(0.2, 0.6)),
        "splices": _some(rng, 0.05, 40.0, 150.0),
        "polarity": str(rng.choice(["dark", "light", "mixed"], p=[0.3, 0.3, 0.4])),
        "opacity": float(rng.uniform(0.35, 1.0) ** 0.7),
        "faint": float(rng.uniform(0.05, 0.6)),
        "clumping": float(rng.uniform(0.0, 0.5)),
    }


def _shared(rng: np.random.Generator) -> dict[str, Any]:
    is_steady = rng.random() < 0.5
    return {
        "stock": "monochrome" if rng.random() < 0.25 else "colour",
        "base_light": float(rng.uniform(0.75, 1.3)),
        "weave": 0.0 if is_steady else float(rng.uniform(0.0, 2.5)),
        "beat": 0.0 if is_steady else float(rng.uniform(0.0, 1.0)),
        "flicker": _some(rng, 0.5, 0.01, 0.25),
        "flicker_uneven": _some(rng, 0.3, 0.01, 0.12),
        "focus": _some(rng, 0.15, 0.4, 2.0),
        "motion": _some(rng, 0.1, 1.0, 8.0),
        "grain": _some(rng, 0.9, 0.005, 0.07),
        "grain_size": float(rng.uniform(0.6, 2.0)),
        "scanner_blur": float(rng.uniform(0.35, 0.9)),
    }
