"""A plain job of the restore node, a quick run of it, and what that wrote, for the node's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from filmrestore.nodes.job import RestoreJob, RunReport
from filmrestore.nodes.restore import restore
from filmrestore.restorers.base import REGISTRY
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


def quickly(job: RestoreJob) -> RunReport:
    """Runs the job with the tests' quick restorer; for fixtures of a whole module, which a test's patch comes after."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(REGISTRY, "frdm", "fakes:load")
        return restore(job)


def ledger_of(out: Path) -> Path:
    """The one ledger in a folder."""
    return next(out.glob("*.ledger"))


def bytes_of(out: Path) -> dict[str, bytes]:
    """The frames in a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(out.glob("clean.*.png"))}
