"""The rows: what the registry holds, with and without the true matte, and the peers of `bench restore`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ...errors import UsageError, WeightsError
from ...restorers.base import REGISTRY, facts_of, load_restorer
from ...settings import RestoreSettings
from ..rows import code_digest
from ..vapour import find_vapoursynth

PEERS = ("input", "median", "mc-median", "telea-true-mask", "spotless", "spotless-descratch")
"""Rows of `bench restore` that are no restorers of ours; the first is the damaged scan, untouched."""

TOLD = " (true matte)"
"""Ends the name of a row that is told where the damage is."""

SHARED = ("analysis", "colour", "fixes", "grain", "motion", "nodes", "patches", "recovery")
LENDERS = tuple(f"restorers/{name}" for name in ("base", "calibrated", "folders", "runtime", "frdm", "prior"))
"""Code that every method's answer depends on."""


@dataclass(frozen=True, kw_only=True)
class MethodRow:
    """A row of the table.

    Attributes:
        name: In the table.
        method: In the registry; "" for a peer.
        settings: That differ from the defaults.
        told: Whether it is given the true matte.
    """

    name: str
    method: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    told: bool = False

    @property
    def version(self) -> str:
        """Of all that its answer depends on beside the sequence."""
        if not self.method:
            return code_digest("bench/classical", "bench/vapour", "bench/vapour_worker")
        package = REGISTRY[self.method].split(":")[0].removeprefix("filmrestore.").replace(".", "/")
        settings = json.dumps(dict(self.settings), sort_keys=True)
        return f"{code_digest(*SHARED, *LENDERS, package)} {weights_of(self.method)} {settings}"


def registry_rows() -> tuple[list[MethodRow], list[str]]:
    """One or two rows for each method of the registry, and a sentence on each that has none.

    A method that must be told what is damaged has its row with the true matte alone; the others have one more that
    finds the damage itself, so that finding and filling can be told apart. What mends the picture as such and not
    marks on it has its own table.
    """
    rows: list[MethodRow] = []
    missing: list[str] = []
    for name in sorted(REGISTRY):
        facts = facts_of(name)
        if facts.cause:
            missing.append(f"{name} mends {facts.cause}, not marks: it is measured under its paper's claim")
        elif lacking := lacks(name):
            missing.append(lacking)
        elif facts.needs & {"matte", "operator"}:
            rows.append(MethodRow(name=name + TOLD, method=name, told=True))
        else:
            rows += [MethodRow(name=name, method=name), MethodRow(name=name + TOLD, method=name, told=True)]
    return rows, missing


def peer_rows(vapoursynth: str | None) -> tuple[list[MethodRow], list[str]]:
    """The peers that can run here, and a sentence on those that cannot."""
    if find_vapoursynth(vapoursynth):
        return [MethodRow(name=name) for name in PEERS], []
    rows = [MethodRow(name=name) for name in PEERS if not name.startswith("spotless")]
    return rows, ["spotless is left out: no Python with VapourSynth was found; name one with --vapoursynth"]


def knows_nothing(row: MethodRow) -> bool:
    """Whether it finds no damage itself."""
    return row.told or row.name in ("input", "telea-true-mask")


def rows_of(method: str, variants: Mapping[str, Mapping[str, Any]]) -> tuple[list[MethodRow], list[str]]:
    """Rows of one method under other settings, and a sentence on each that cannot run.

    Args:
        method: Name in the registry.
        variants: What a row adds to the method's name ("" for nothing) -> settings that differ.
    """
    if method not in REGISTRY:
        return [], [f"{method} is left out: it is not in the registry"]
    if lacking := lacks(method):
        return [], [lacking]
    told = bool(facts_of(method).needs & {"matte", "operator"})
    rows, missing = [], []
    for words, settings in variants.items():
        name = f"{method}, {words}" if words else method
        try:
            RestoreSettings.from_dict({"method": method, **settings})
        except UsageError as error:
            missing.append(f"{name} is left out: {error}")
            continue
        rows.append(MethodRow(name=name + TOLD * told, method=method, settings=settings, told=told))
    return rows, missing


def lacks(method: str) -> str:
    """A sentence on the weights that are not there; "" where all are."""
    try:
        weights_of(method)
    except WeightsError as error:
        return f"{method} is left out: {error}"
    return ""


def weights_of(method: str) -> str:
    """Content hash of all the weights that a method works with.

    Raises:
        WeightsError: they are missing or damaged.
    """
    return _loaded(method, REGISTRY[method])


@cache
def _loaded(method: str, line: str) -> str:
    del line  # the registry's, which tests change
    return load_restorer(method).weights_hash
