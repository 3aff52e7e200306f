"""What lasts, found and mended without any network: `python marks.py BENCH PIECES [FRAMES [SEQUENCE ...]]`.

`python marks.py film CLIP_OR_FOLDER ...` looks for hairs that flutter in the gate alone, in stretches of 13 frames of
films that have none, at half of the clips' size, and prints each that is told.

The sequences of `bench restore`, each as its analysis has it. Scratches and marks that are certain are joined across,
and nothing else is. Prints how many were found, objects fixed by kind, what it harmed, clean pixels that its maps cover
(of no kind's damage), and processor seconds a frame that looking for marks took.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from filmrestore import metrics
from filmrestore.analysis.columns import ScratchFinder
from filmrestore.analysis.gate_hairs import gate_hairs
from filmrestore.analysis.pieces import Glance, motion
from filmrestore.analysis.relief import relief
from filmrestore.analysis.ridges import strips_of
from filmrestore.analysis.standing import MarkFinder
from filmrestore.bench.clips import Clip, build, choose
from filmrestore.bench.figures import TRACE
from filmrestore.bench.light import Codes16, from_codes
from filmrestore.colour import Colour, encode_net, open_colour
from filmrestore.frame import Format, Frame
from filmrestore.nodes.line_repair import join, shine
from filmrestore.nodes.lines import line_map
from filmrestore.nodes.marks import mark_map

KINDS = {"scratch": "scratch", "long hair": "hair", "gate_hair": "gate hair"}
Mask = NDArray[np.bool_]
Codes8 = NDArray[np.uint8]


def frames_of(clip: Clip) -> tuple[list[Frame], Colour]:
    height, width = clip.scan.shape[1:3]
    form = Format(
        width=width, height=height, channels=("R", "G", "B"), dtype="uint16", bits=16, container="png", lossless=True
    )
    window = (0, 0, width, height)
    frames = [
        Frame(number=t, codes=codes, format=form, data_window=window, display_window=window)
        for t, codes in enumerate(clip.scan)
    ]
    return frames, open_colour(form, colourspace="srgb")


def mended(clip: Clip) -> tuple[Codes16, NDArray[np.bool_], str, float]:
    """The repaired frames, where they were repaired, how many of each were certain, and seconds a frame."""
    frames, colour = frames_of(clip)
    nets = [colour.to_net(frame.picture()) for frame in frames]
    lines = ScratchFinder(*clip.scan.shape[1:3])
    for frame in frames:
        lines.add(frame.number, colour.to_net(strips_of(frame.picture())).mean(axis=2))
    scratches = [one for one in lines.finish({}, ()) if one.certain]
    began, finder = time.process_time(), MarkFinder()
    for frame, net in zip(frames, nets, strict=True):
        finder.add(frame.number, net.mean(axis=2))
    marks = [one for one in finder.finish() if one.certain]
    seconds = (time.process_time() - began) / len(frames)
    result, planes = clip.scan.copy(), np.zeros(clip.scan.shape[:3], np.bool_)
    for t, (frame, net) in enumerate(zip(frames, nets, strict=True)):
        here = [one for one in scratches if one.first <= t <= one.last]
        for plane in (line_map(frame, here, colour), mark_map(frame, marks, colour)):
            if plane is not None:
                planes[t] |= plane > 0
        clean, done = join(net, planes[t])
        result[t][done] = colour.from_net(shine(net, clean, done))[done]
    return result, planes, f"{len(scratches)} / {len(marks)}", seconds


def row(clip: Clip) -> str:
    result, planes, found, seconds = mended(clip)
    alpha = [clip.alpha[t] >= TRACE if clip.masks else np.zeros(planes.shape[1:], np.bool_) for t in range(clip.frames)]
    harm, fixed = metrics.Share(), {name: metrics.Share() for name in KINDS}
    for t in range(clip.frames):
        scan, truth, made = (from_codes(codes[t]) for codes in (clip.scan, clip.truth, result))
        harm += metrics.harm(made, truth, alpha[t])
        for name in KINDS.keys() & clip.masks.keys():
            inside = (clip.damaged(t) & (clip.masks[name][t] >= TRACE))[..., None]
            fixed[name] += metrics.objects_fixed(np.where(inside, made, truth), np.where(inside, scan, truth), truth)
    wrong = sum(int((plane & ~marked).sum()) for plane, marked in zip(planes, alpha, strict=True)) / clip.frames
    cells = [f"{one.part} of {one.whole}" if one.whole else "-" for one in fixed.values()]
    return " | ".join([clip.plan.name, found, *cells, f"{100 * harm.share:.4f}", f"{wrong:.0f}", f"{seconds:.2f}"])


def stretches(film: Path, every: int = 40, most: int = 240) -> Iterator[tuple[int, list[Codes8]]]:
    """The first frame of each stretch, and its pictures: a film's from clips and from folders of PNG."""
    if film.is_dir():
        pictures = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in sorted(film.glob("*.png"))]
        every = 6
    else:
        with av.open(str(film)) as clip:
            grey = [frame.to_ndarray(format="gray") for frame in islice(clip.decode(video=0), most)]
        pictures = [cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for picture in grey]
    for first in range(0, len(pictures) - MarkFinder.WINDOW, every):
        yield first, [np.asarray(picture, np.uint8) for picture in pictures[first : first + MarkFinder.WINDOW]]


def in_film(films: list[Path]) -> None:
    count = told = 0
    for film in films:
        for first, pictures in stretches(film):
            lumas = [encode_net(np.asarray((picture / 255) ** 2.4, np.float32)) for picture in pictures]
            glances = [Glance.of(t, luma, *relief(luma)) for t, luma in enumerate(lumas)]
            hairs = gate_hairs(glances, *motion(glances, len(glances) // 2))
            count, told = count + 1, told + len(hairs)
            for hair in hairs:
                print(f"{film.name} from {first}: edge {hair.edge}, {hair.root:.0f}")
    print(f"{told} told in {count} stretches")


def main() -> None:
    cv2.setNumThreads(1)
    if sys.argv[1] == "film":
        in_film([Path(name) for name in sys.argv[2:]])
        return
    count, names = int(sys.argv[3]) if len(sys.argv) > 3 else 12, tuple(sys.argv[4:])
    print("| sequence | scratches / marks certain |", " | ".join(f"{kind} fixed" for kind in KINDS.values()), end=" ")
    print("| harm, % | clean px covered, a frame | s a frame |\n|---|" + "--:|" * 7)
    for plan in choose(names, full=False):
        clip = build(plan, Path(sys.argv[1]), Path(sys.argv[2]), count, 0)
        print(f"| {row(clip)} |", flush=True)


if __name__ == "__main__":
    main()
