"""Fits the weights of `analysis.traits` and says how they tell scratches: `python lines.py TRAIN PIECES [ROUNDS]`.

TRAIN is a folder of clean footage for training (video/, stills/), nothing of which any bench shows. Every clip gets
grain and, five times in six, damage with exact masks: the degrade node's, or pasted pieces of which the bench has
none, bundles of hairlines among them; stills are panned, shaken or stand. Each of the two rounds shows other parts of
the clips, and other stills. Prints the weights, and by cross-validation over clips how many lines of each kind are
found at each certainty.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from filmrestore.analysis import columns
from filmrestore.analysis.ridges import strips_of
from filmrestore.analysis.traits import TRAITS, certainty
from filmrestore.bench.clips import DAMAGE, FRAME_WIDTH, SCANNER_BLUR, _grained
from filmrestore.bench.light import to_linear
from filmrestore.bench.paste import Pieces, _trimmed, paste
from filmrestore.colour import encode_net
from filmrestore.damage import Damage

F32 = NDArray[np.float32]
FRAMES = 14
ROUNDS = ((7, (0, 45), slice(0, 44)), (9, (22, 70), slice(44, 84)))
"""Of each round: its seed, the first frames of its parts of every clip, and its stills."""
NEAR = 3  # columns within which a line is on a scratch


@dataclass
class Line:
    """One line that was followed: its clip, its traits in each look, and the share of it that lies on a scratch."""

    clip: str
    traits: NDArray[np.float64]
    on_scratch: float

    @property
    def mean(self) -> NDArray[np.float64]:
        return np.asarray(self.traits.mean(axis=0), np.float64)


class Recorder(columns.ScratchFinder):
    """Keeps every line, however uncertain."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.tracks: list[columns._Track] = []

    def _close(self, track: columns._Track) -> None:
        if len(track.frames) >= self.LASTS:
            self.tracks.append(track)


def footage(path: Path, first: int) -> list[F32]:
    """A clip of a movie or a folder of frames, shrunk by two where it is large."""
    if path.is_dir():
        files = sorted([*path.glob("*.jpg"), *path.glob("*.png")])[first : first + FRAMES]
        images = [cv2.imread(str(file))[..., ::-1] for file in files]
    else:
        import av

        with av.open(str(path)) as container:
            frames = (frame for number, frame in enumerate(container.decode(video=0)) if number >= first)
            images = [frame.to_ndarray(format="rgb24") for frame, _ in zip(frames, range(FRAMES), strict=False)]
    return [_small(image.astype(np.float32) / 255) for image in images]


def _small(image: F32) -> F32:
    width = image.shape[1] // 2 if image.shape[1] >= 900 else image.shape[1]
    return cv2.resize(image, (width, round(image.shape[0] * width / image.shape[1])), interpolation=cv2.INTER_AREA)


def moved_still(path: Path, rng: np.random.Generator) -> list[F32]:
    """A photograph panned, shaken, or standing."""
    image = cv2.imread(str(path))[..., ::-1].astype(np.float32) / 255
    scale = float(rng.choice([1, 0.5, 0.5]))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = image.shape[:2]
    high, wide = min(360, height - 40), min(640, width - 60)
    speed = rng.normal(0, 1, 2) * rng.choice([0, 0.3, 1.5, 4])
    shake = rng.choice([0, 0.3, 0.8])
    frames = []
    for t in range(FRAMES):
        y = np.clip((height - high) / 2 + speed[1] * (t - FRAMES / 2) + rng.normal(0, shake), 0, height - high)
        x = np.clip((width - wide) / 2 + speed[0] * (t - FRAMES / 2) + rng.normal(0, shake), 0, width - wide)
        turn = np.array([[1, 0, x], [0, 1, y]], np.float32)
        frames.append(cv2.warpAffine(image, turn, (wide, high), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))
    return frames


class OtherPieces(Pieces):
    """The pieces that the bench does not have."""

    @staticmethod
    def _load(folder: Path) -> list[F32]:
        files = [path for path in sorted(folder.glob("*.png")) if path.stem.isdigit() and int(path.stem) % 5]
        grey = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files[:60]]
        return [_trimmed(image.astype(np.float32) / 255) for image in grey]


def lines_of(clip: str, frames: list[F32], pieces: Pieces, rng: np.random.Generator) -> Iterator[Line]:
    """Every line of one clip, damaged or not."""
    grain = str(rng.choice(["fine", "coarse"]))
    kind = str(rng.choice(["none", "model", "model", "pieces", "pieces", "pieces"]))
    linear = [to_linear(_grained(frame, grain, rng)) for frame in frames]
    height, width = linear[0].shape[:2]
    damaged = pasted(linear, pieces, rng) if kind == "pieces" else modelled(linear, kind == "model", rng)
    finder = Recorder(height, width)
    truth: dict[int, NDArray[np.bool_]] = {}
    for number, (light, scratches) in enumerate(damaged, 1):
        finder.add(number, strips_of(encode_net(light).astype(np.float32)).mean(axis=2))
        truth[number] = scratches > 0.05
    finder.finish({}, ())
    for track in finder.tracks:
        yield Line(clip, np.array(track.traits), _share(track, truth, height))


def pasted(linear: list[F32], pieces: Pieces, rng: np.random.Generator) -> Iterator[tuple[F32, F32]]:
    """Each frame with pasted damage, and the alpha of its scratches."""
    damaged, alphas = paste(linear, pieces, rng)
    for light, alpha in zip(damaged, alphas["scratch"], strict=True):
        yield cv2.GaussianBlur(light, (0, 0), SCANNER_BLUR), cv2.GaussianBlur(alpha, (0, 0), SCANNER_BLUR)


def modelled(linear: list[F32], scratched: bool, rng: np.random.Generator) -> Iterator[tuple[F32, F32]]:
    """Each frame with the degrade node's damage, and the alpha of its scratches."""
    height, width = linear[0].shape[:2]
    settings = replace(
        DAMAGE,
        seed=int(rng.integers(10**6)),
        scratches=float(rng.choice([12, 30])) if scratched else 0.0,
        scratches_moving=4.0 if scratched else 0.0,
        scratch_opacity=float(rng.choice([0.4, 0.7])),
        weave=float(rng.choice([0, 0.5, 1.0])),
        scratch_wander=float(rng.choice([0.3, 1, 2])),
        scratch_width=float(rng.choice([1, 1.5, 2.5])),
    )
    model = Damage(settings, height, width, frame_width=FRAME_WIDTH)
    for number, light in enumerate(linear, 1):
        made = model.apply(light, number)
        masks = [made.masks[kind] for kind in ("scratch", "scratch_moving") if kind in made.masks]
        yield made.scan, np.max(masks, axis=0) if masks else np.zeros((height, width), np.float32)


def _share(track: columns._Track, truth: dict[int, NDArray[np.bool_]], height: int) -> float:
    """The share of the line's strips that a scratch runs through, in the frames where it was seen."""
    edges = np.linspace(0, height, round(height / 16) + 1).astype(int)
    knots = np.linspace(0, len(edges) - 2, columns.KNOTS)
    hits = []
    for number, way in zip(track.frames, track.knots, strict=True):
        for strip in range(track.top, track.bottom):
            column = round(float(np.interp(strip, knots, way)))
            hits.append(truth[number][edges[strip] : edges[strip + 1], max(0, column - NEAR) : column + NEAR + 1].any())
    return float(np.mean(hits))


def fitted(values: NDArray[np.float64], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights and, last, bias of a logistic regression with a little ridge, by Newton's method."""
    mean, spread = values.mean(axis=0), values.std(axis=0)
    rows = np.c_[(values - mean) / spread, np.ones(len(values))]
    weights, ridge = np.zeros(rows.shape[1]), np.eye(rows.shape[1])
    ridge[-1, -1] = 0
    for _ in range(30):
        chance = 1 / (1 + np.exp(-rows @ weights))
        bend = (rows * (chance * (1 - chance))[:, None]).T @ rows + ridge
        weights -= np.linalg.solve(bend, rows.T @ (chance - wanted) + ridge @ weights)
    plain = weights[:-1] / spread
    return np.append(plain, weights[-1] - plain @ mean)


def parts(train: Path, firsts: tuple[int, ...], stills: slice) -> list[tuple[Path, int | None]]:
    """Each clip with its first frame, and each still without one."""
    shuffled = np.random.default_rng(11).permutation(sorted((train / "stills").iterdir()))
    clips = [(path, first) for path in sorted((train / "video").iterdir()) for first in firsts]
    return [*clips, *((path, None) for path in shuffled[stills])]


def main() -> None:
    cv2.setNumThreads(1)
    train, count = Path(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else len(ROUNDS)
    pieces, lines = OtherPieces(Path(sys.argv[2])), list[Line]()
    for seed, firsts, stills in ROUNDS[:count]:
        for number, (path, first) in enumerate(parts(train, firsts, stills)):
            rng = np.random.default_rng([seed, number])
            frames = moved_still(path, rng) if first is None else footage(path, first)
            if len(frames) == FRAMES:
                lines += lines_of(path.name, frames, pieces, rng)
    report([line for line in lines if line.on_scratch > 0.5 or line.on_scratch < 0.1])


def report(lines: list[Line]) -> None:
    values, clips = np.array([line.mean for line in lines]), sorted({line.clip for line in lines})
    wanted = np.array([line.on_scratch > 0.5 for line in lines])
    fold = np.array([clips.index(line.clip) % 5 for line in lines])
    chance = np.zeros(len(lines))
    for part in range(5):
        weights = fitted(values[fold != part], wanted[fold != part])
        for place in np.flatnonzero(fold == part):
            chance[place] = certainty(lines[place].traits, weights)
    print(f"{wanted.sum()} lines on scratches, {(~wanted).sum()} on the picture, of {len(clips)} clips")
    for least in (0.5, 0.7, 0.8, 0.9, 0.95, 0.98):
        found, false = (chance[wanted] >= least).mean(), (chance[~wanted] >= least)
        print(f"at {least:.2f}: {100 * found:.1f} % found, {false.sum()} false ({100 * false.mean():.2f} %)")
    weights = fitted(values, wanted)
    print("WEIGHTS =", {name: round(float(weight), 3) for name, weight in zip(TRAITS, weights, strict=False)})
    print("BIAS =", round(float(weights[-1]), 3))


if __name__ == "__main__":
    main()
