"""The rows: what the registry holds, with and without the true matte, and the peers of `bench restore`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from typing import Any

from ...errors import UsageError
from ...restorers.base import REGISTRY, facts_of
from ...restorers.stored import FOLDER
from ...settings import RestoreSettings
from ..rows import code_digest
from ..vapour import find_vapoursynth

PEERS = ("input", "median", "mc-median", "telea-true-mask", "spotless", "spotless-descratch")
"""Rows of `bench restore` that are no restorers of ours; the first is the damaged scan, untouched."""

TOLD = " (true matte)"
"""Ends the name of a row that is told where the damage is."""

SHARED = ("analysis", "colour", "fixes", "grain", "motion", "nodes", "patches", "recovery")
LENDERS = ("restorers/base", "restorers/calibrated", "restorers/runtime", "restorers/frdm", "restorers/prior")
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
        return f"{code_digest(*SHARED, *LENDERS, package)} {_weights_digest(self.method)} {settings}"


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
    absent = [name for name in _weights(method) if not (FOLDER / name).exists()]
    return f"{method} is left out: {', '.join(absent)} is not in filmrestore/weights" if absent else ""


def _weights(method: str) -> list[str]:
    """Files in filmrestore/weights that the method works with."""
    module, function = REGISTRY[method].split(":")
    prior = ["prior.safetensors"] if "prior" in signature(getattr(import_module(module), function)).parameters else []
    return sorted({*filter(None, [facts_of(method).weights]), *prior})


def _weights_digest(method: str) -> str:
    digest = hashlib.sha256()
    for name in _weights(method):
        for path in (FOLDER / name, (FOLDER / name).with_suffix(".json")):
            digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()[:16]
