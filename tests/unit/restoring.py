"""A plain job of the restore node, for its tests."""

from __future__ import annotations

from pathlib import Path

from filmrestore.nodes.job import RestoreJob
from filmrestore.settings import RestoreSettings

SETTINGS = RestoreSettings(grain=0.0)


def job(scan: str, out: Path, **changes: object) -> RestoreJob:
    """`scan` into PNG files in `out`, on two threads; `changes` are further fields."""
    plain: dict[str, object] = {
        "source": scan,
        "output": str(out / "clean.####.png"),
        "settings": SETTINGS,
        "threads": 2,
        "colourspace": "srgb",
    }
    return RestoreJob(**{**plain, **changes})  # type: ignore[arg-type]
