"""Clean footage to train on: stills and clips decoded once into plain arrays that map into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ..damage import MaskFolder
from ..errors import InputError
from ..media.atomic import atomic_write

Bytes = NDArray[np.uint8]

LONGEST_STILL = 1280
FRAMES_OF_CLIP = 150
SHORTEST_SIDE = 170
"""Clips are shrunk by two, which hides their compression, as long as this many pixels remain."""

HELD_OUT_CLIPS = ("chair", "cups", "uuid540")
HELD_OUT_STILL = 12
"""Every twelfth still and these clips are never trained on: they make the validation set."""

_PICTURES = {".jpg", ".jpeg", ".png"}
_MOVIES = {".mp4", ".mov", ".mkv", ".webm", ".avi"}


@dataclass(frozen=True, kw_only=True)
class Footage:
    """Decoded material, display encoded (sRGB).

    Attributes:
        stills: Files of uint8 arrays (h, w, 3).
        clips: Files of uint8 arrays (frames, h, w, 3), consecutive frames.
        shapes: Masks of damage; every fifth is left out, since it measures.
    """

    stills: tuple[Path, ...]
    clips: tuple[Path, ...]
    shapes: MaskFolder | None = None

    def still(self, index: int) -> Bytes:
        """One still, mapped, not read."""
        return _mapped(self.stills[index % len(self.stills)])

    def clip(self, index: int) -> Bytes:
        """One clip, mapped, not read."""
        return _mapped(self.clips[index % len(self.clips)])


def open_footage(data: Path, cache: Path, *, held_out: bool = False) -> Footage:
    """The footage of a data folder (train/stills, train/video), decoded into `cache` where it is not yet.

    Args:
        data: Folder that holds "train"; "bench" and "real" beside it are never read.
        cache: Folder for the decoded arrays, about two gigabytes.
        held_out: The validation share instead of the training share.

    Raises:
        InputError: no stills or no clips there.
    """
    stills = sorted(path for path in (data / "train" / "stills").glob("*") if path.suffix.lower() in _PICTURES)
    clips = sorted(
        path for path in (data / "train" / "video").glob("*") if path.is_dir() or path.suffix.lower() in _MOVIES
    )
    if not stills or not clips:
        raise InputError(f"no training footage in {data}: expected pictures in train/stills and clips in train/video")
    stills = [path for index, path in enumerate(stills) if (index % HELD_OUT_STILL == 0) == held_out]
    clips = [path for path in clips if (path.stem in HELD_OUT_CLIPS) == held_out]
    pieces = data / "damage" / "pieces"
    return Footage(
        shapes=MaskFolder(pieces, exclude_every=5) if pieces.is_dir() else None,
        stills=tuple(_decoded(path, cache / "stills") for path in stills),
        clips=tuple(_decoded(path, cache / "clips") for path in clips),
    )


def _mapped(path: Path) -> Bytes:
    array: Bytes = np.load(path, mmap_mode="r")
    return array


def _decoded(source: Path, folder: Path) -> Path:
    target = folder / f"{source.stem}.npy"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        array = _read_picture(source, LONGEST_STILL) if source.suffix.lower() in _PICTURES else _read_clip(source)
        with atomic_write(target) as partial, Path(partial).open("wb") as stream:
            np.save(stream, array)
    return target


def _read_picture(path: Path, longest: int | None) -> Bytes:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise InputError(f"cannot read {path}: expected a JPEG or PNG picture; remove it or replace it")
    scale = (longest or 0) / max(picture.shape[:2])
    if longest and scale < 1.0:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8)


def _read_clip(path: Path) -> Bytes:
    frames = []
    for frame in _folder_frames(path) if path.is_dir() else _movie_frames(path):
        height, width = frame.shape[:2]
        shrink = 2 if min(height, width) >= 2 * SHORTEST_SIDE else 1
        frames.append(cv2.resize(frame, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA))
        if len(frames) == FRAMES_OF_CLIP:
            break
    if len(frames) < 5:
        raise InputError(f"{path} holds {len(frames)} frames: a training clip needs at least 5")
    return np.stack(frames)


def _folder_frames(path: Path) -> Iterator[Bytes]:
    for picture in sorted(file for file in path.iterdir() if file.suffix.lower() in _PICTURES):
        yield _read_picture(picture, None)


def _movie_frames(path: Path) -> Iterator[Bytes]:
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")
    except av.FFmpegError as error:
        raise InputError(f"cannot decode {path}: {error}; remove it or convert it") from error
