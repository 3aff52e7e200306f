"""What far frames show of holes that last: `python far.py WORK BENCH PIECES [SEQUENCE ...]`.

The sequences of `bench restore`, 36 frames each, kept in WORK with their analyses so that a second run is quick. In two
frames, the lines are filled from neighbours within two frames, then from far frames at several ranges, then joined from
their sides; no network has a part. Lines are those that the analysis is certain of ("found"), or the known
scratches ("known"). Prints PSNR inside damaged lines, and inside the holes that neighbours leave, pixels of the holes
that stay wrong by more than 12/255, and processor seconds a frame.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from filmrestore import metrics, recovery
from filmrestore.analysis import Analysis, analyse
from filmrestore.bench.clips import build, choose
from filmrestore.bench.figures import TRACE
from filmrestore.bench.light import from_codes
from filmrestore.colour import Colour, open_colour
from filmrestore.frame import Frame
from filmrestore.media import open_shot
from filmrestore.nodes.far import FarPlan
from filmrestore.nodes.far_fill import FarFrames
from filmrestore.nodes.line_repair import join
from filmrestore.nodes.lines import lines_in
from filmrestore.nodes.windows import Unit, plan_units
from filmrestore.settings import RestoreSettings

COUNT, FRAMES, RANGES = 36, (16, 18), (0, 4, 8, 12, 24)
WRONG = 12 / 255
F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass
class Film:
    """A sequence as it is looked at; `known` are its scratches, by frame, where they are told and not found."""

    frames: Mapping[int, Frame]
    truth: Mapping[int, NDArray[np.uint16]]
    masks: Mapping[str, NDArray[np.float16]]
    analysis: Analysis
    colour: Colour
    known: dict[int, Mask] = field(default_factory=dict)

    def lines(self, number: int, plan: FarPlan) -> Mask:
        if self.known:
            return self.known[number]
        found = lines_in(self.frames[number], plan.certain, self.colour)
        return np.zeros(self.truth[number].shape[:2], np.bool_) if found is None else found.plane > 0


class Told(FarFrames):
    """Far frames whose marks are told."""

    film: Film

    def _marks_of(self, number: int) -> Mask:
        return self.film.lines(number, self._plan)


def film_of(work: Path, bench: Path, pieces: Path, name: str) -> Film:
    folder = work / name
    if not (folder / "reel.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        clip = build(choose((name,), full=True)[0], bench, pieces, COUNT, 0)
        for kind in ("scan", "truth"):
            for number, codes in enumerate(getattr(clip, kind), 1):
                cv2.imwrite(str(folder / f"{kind}.{number:04d}.png"), codes[:, :, ::-1])
        np.savez_compressed(folder / "masks.npz", **clip.masks)  # type: ignore[arg-type]
    with open_shot(str(folder / "scan.####.png")) as scan, open_shot(str(folder / "truth.####.png")) as truth:
        colour = open_colour(scan.format, colourspace="srgb")
        if not (folder / "reel.json").exists():
            analyse(scan, colour).save(folder / "reel.json")
        return Film(
            frames={n: scan.read(n) for n in scan.frames},
            truth={n: np.asarray(truth.read(n).codes, np.uint16) for n in truth.frames},
            masks=dict(np.load(folder / "masks.npz")),
            analysis=Analysis.load(folder / "reel.json"),
            colour=colour,
        )


@dataclass
class Tally:
    """Squared misses in all of the lines and in the holes, wrong pixels, and seconds."""

    all: list[F32] = field(default_factory=list)
    holes: list[F32] = field(default_factory=list)
    wrong: int = 0
    seconds: float = 0.0

    def add(self, film: Film, number: int, picture: F32, line: Mask, hole: Mask) -> None:
        made, truth = (from_codes(codes) for codes in (film.colour.from_net(picture), film.truth[number]))
        damaged = metrics.largest_difference(from_codes(film.frames[number].picture()), truth) > metrics.DAMAGED
        others = sum(film.masks[kind][number - 1].astype(np.float32) for kind in film.masks if kind != "scratch")
        alone = damaged & ~metrics.dilate(np.asarray(others) >= TRACE)
        missed = np.square(made - truth)
        self.all.append(missed[line & alone])
        self.holes.append(missed[hole & alone])
        self.wrong += int((hole & (metrics.largest_difference(made, truth) > WRONG)).sum())

    def row(self, name: str) -> str:
        parts = [np.concatenate(part) for part in (self.all, self.holes)]
        cells = [f"{-10 * np.log10(part.mean()):.1f} ({len(part)} px)" if part.size else "-" for part in parts]
        return f"| {name} | {cells[0]} | {cells[1]} | {self.wrong} | {self.seconds / len(FRAMES):.2f} |"


def sound_of(film: Film, unit: Unit, number: int, plan: FarPlan) -> tuple[F32, Mask, Mask]:
    """The frame with what its neighbours show laid in, its lines, and the holes that are left."""
    place = unit.place(number)
    holes = np.stack([film.lines(n, plan) for n in unit.sources])
    scan = np.stack([film.colour.to_net(film.frames[n].picture()) for n in unit.sources])
    fills = np.stack([join(net, hole)[0] for net, hole in zip(scan, holes, strict=True)])
    (found,) = recovery.recover(scan, fills, holes, unit.present, (place,))
    near = holes[place] & (found.trust > 0.5)
    return np.where(near[..., None], found.picture, scan[place]), holes[place], holes[place] & ~near


def rows(film: Film) -> list[str]:
    tallies = {reach: Tally() for reach in RANGES}
    for number in FRAMES:
        (unit,) = plan_units([number], tuple(film.frames), (), window=5, keep=3)
        plans = {reach: FarPlan(film.analysis, (), RestoreSettings(far_range=reach)) for reach in RANGES}
        sound, line, hole = sound_of(film, unit, number, plans[max(RANGES)])
        for reach, tally in tallies.items():
            asking = plans[reach].with_far(unit, film.frames.keys())
            picture, rest = sound.copy(), hole
            if asking.far and hole.any():
                began = time.process_time()
                far = Told(asking, film.frames, plans[reach], film.colour)
                far.film = film
                rest = hole & (far.fill(number, picture, hole) == 0)
                tally.seconds += time.process_time() - began
            tally.add(film, number, join(picture, rest)[0], line, hole)
    return [tally.row(f"{reach} frames" if reach else "sides joined") for reach, tally in tallies.items()]


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    work, bench, pieces = map(Path, sys.argv[1:4])
    for name in sys.argv[4:] or ("dashcam-model", "juggle-model", "dog-still-model"):
        film = film_of(work, bench, pieces, name)
        known = {n: film.masks["scratch"][n - 1] >= TRACE for n in film.frames}
        for kind, told in (("found", {}), ("known", known)):
            print(f"\n| {name}, {kind} | lines, dB | holes, dB | wrong px | s a frame |\n|---|--:|--:|--:|--:|")
            print("\n".join(rows(replace(film, known=told))), flush=True)


if __name__ == "__main__":
    main()
