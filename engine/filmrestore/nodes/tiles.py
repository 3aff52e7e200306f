"""From a window of frames to its tiles: ask the cache, else the restorer; then blend the tiles into frames."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from .. import __version__
from ..cache import MATTE_FLOOR, Tile, TileCache
from ..colour import Colour
from ..errors import Cancelled
from ..frame import Box, Format, Frame
from ..patches import Blend, blend_weight, overview, overview_samples
from ..restorers.base import Context, Origin, Restored, Restorer
from ..settings import RestoreSettings
from .meter import Meter
from .proxy import Proxy, grid_of
from .whole import Whole, whole_frames
from .windows import Unit

F32 = NDArray[np.float32]
_LOOK_S = 0.05  # between looks at the cancel, while a patch is at work
_MARGIN = 3  # pixels kept around what the matte may touch: hysteresis, growth by one, feather


@cache
def code_digest() -> str:
    """A hash of the source code that decides what a tile holds: an edited network never meets old tiles."""
    root = Path(__file__).parent.parent
    names = ("cache", "colour", "frame", "motion", "patches", "recovery", "scenes")
    shared = [root / f"{name}.py" for name in (*names, "nodes/proxy", "nodes/tiles", "nodes/whole")]
    digest = xxhash.xxh3_64()
    for path in sorted([*shared, *root.glob("restorers/**/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Blended:
    """What the tiles say of one frame.

    Attributes:
        confidence: (h, w), 0..1.
        picture: (h, w, 3), net encoding; 0 where `origin` is.
        origin: (h, w), `Origin`.
        others: Confidence of the other frames that were restored in the same window, for what lasts.
    """

    confidence: F32
    picture: F32
    origin: NDArray[np.uint8]
    others: tuple[F32, ...]


class TileMaker:
    """Restores windows patch by patch, `threads` patches at a time.

    Every patch runs on one thread with one batch, so that the count of threads changes no bit.
    """

    def __init__(
        self,
        restorer: Restorer,
        colour: Colour,
        settings: RestoreSettings,
        numeric_class: Mapping[str, str],
        *,
        cache: TileCache | None,
        threads: int,
        roi: Box | None,
        meter: Meter,
        cancelled: Callable[[], None],
    ) -> None:
        cv2.setNumThreads(1)
        self._restorer, self._colour, self._settings = restorer, colour, settings
        self._cache, self._roi, self._meter, self._cancelled = cache, roi, meter, cancelled
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "patch", initializer=torch.set_num_threads, initargs=(1,))
        self._base_key = json.dumps(
            [
                __version__,
                code_digest(),
                restorer.facts.name,
                restorer.weights_hash,
                settings.network_values(),
                dict(numeric_class),
                colour.describe(),
            ],
            sort_keys=True,
            default=str,
        ).encode()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def boxes(self, full: tuple[int, int]) -> list[Box]:
        """The patches of a frame of size `full`, those outside the region of interest left out."""
        grid = grid_of(self._restorer.facts, self._settings, full)
        return [box for box in grid if self._roi is None or box.meets(self._roi)]

    def _step(self, full: tuple[int, int]) -> int:
        return self._restorer.facts.step(full[1], self._settings)

    def blend(
        self, unit: Unit, frames: Mapping[int, Frame], maps: Mapping[int, F32] | None = None
    ) -> dict[int, Blended]:
        """Restores every kept frame of the unit; a repeat gets the very answer of its original.

        Args:
            unit: What to restore.
            frames: At least the frames of `unit.sources`.
            maps: Known defects by frame number, (h, w) 0..1.

        Raises:
            Cancelled: before the last patch has begun; the patches at work are finished, and cached, by `close`.
        """
        full = next(iter(frames.values())).codes.shape[:2]
        small = self._overview(unit, frames)
        edge = self._restorer.facts.whole
        whole = whole_frames(unit, frames, maps, self._colour, edge) if edge else None
        boxes = self.boxes(full)
        keep = self._restorer.facts.keep
        edge = (len(unit.numbers) - keep) // 2
        seen = [slot for slot in range(keep) if unit.present[edge + slot]]
        slots = sorted(set(unit.slots))
        matte = {slot: Blend(full, 1) for slot in seen}
        picture = {slot: Blend(full, 3) for slot in slots}
        origin = {slot: np.zeros(full, np.uint8) for slot in slots}
        overlap = self._restorer.facts.overlap * self._step(full)
        for box, tile in zip(boxes, self._tiles(unit, frames, boxes, small, whole, maps), strict=True):
            weight = blend_weight(box, full, overlap)
            for slot in seen:
                matte[slot].add(box, tile.matte[slot, :, :, None].astype(np.float32) / 255.0, weight)
            for slot in slots:
                _lay(tile, slot, box, weight, picture[slot], origin[slot])
        confidence = {slot: matte.pop(slot).result()[:, :, 0] for slot in seen}
        blended = {
            slot: Blended(
                confidence=confidence[slot],
                picture=picture.pop(slot).result(),
                origin=origin[slot],
                others=tuple(confidence[other] for other in seen if other != slot),
            )
            for slot in slots
        }
        return {number: blended[slot] for number, slot in zip(unit.kept, unit.slots, strict=True)}

    def _tiles(
        self,
        unit: Unit,
        frames: Mapping[int, Frame],
        boxes: list[Box],
        small: F32,
        whole: Whole | None,
        maps: Mapping[int, F32] | None,
    ) -> Iterator[Tile]:
        """The tiles in the order of `boxes`, a few ahead of the one that is asked for."""
        ahead = deque(boxes)
        waiting: deque[Future[Tile]] = deque()
        try:
            while ahead or waiting:
                while ahead and len(waiting) < 2 * self._threads:
                    waiting.append(self._pool.submit(self._tile, unit, frames, ahead.popleft(), small, whole, maps))
                # Asked while a patch is at work too: one that waits behind it must not begin after a cancel.
                try:
                    self._cancelled()
                except Cancelled:
                    if ahead or not all(job.running() or job.done() for job in waiting):
                        raise
                    # The window's last patches are at work: no time is won by throwing away what they make. Whoever
                    # called asks again.
                if wait([waiting[0]], timeout=_LOOK_S).done:
                    yield waiting.popleft().result()
        finally:
            for job in waiting:
                job.cancel()

    def _overview(self, unit: Unit, frames: Mapping[int, Frame]) -> F32:
        there = [frames[n] for n, present in zip(unit.sources, unit.present, strict=True) if present]
        rows, columns = overview_samples(*there[0].codes.shape[:2])
        channels = list(there[0].format.picture)
        return overview([self._colour.to_net(f.codes[rows[:, None], columns][:, :, channels]) for f in there])

    def _tile(
        self,
        unit: Unit,
        frames: Mapping[int, Frame],
        box: Box,
        small: F32,
        whole: Whole | None,
        maps: Mapping[int, F32] | None,
    ) -> Tile:
        crops = {n: frames[n].picture(box) for n in sorted(set(unit.sources))}
        known = None if maps is None else {n: np.ascontiguousarray(maps[n][box.slices]) for n in crops if n in maps}
        form = next(iter(frames.values())).format
        key = self._key(unit, box, form, crops, small, whole, known)
        if self._cache is not None and (tile := self._cache.get(key)) is not None:
            self._meter.count(cached=True)
            return tile
        proxy = Proxy(self._step((form.height, form.width)))
        with self._meter.stage("colour"):
            nets = {n: self._colour.to_net(proxy.picture(crop)) for n, crop in crops.items()}
            window = torch.from_numpy(np.stack([nets[n] for n in unit.sources]).transpose(0, 3, 1, 2).copy())
        context = Context(
            frames=unit.numbers,
            present=unit.present,
            box=proxy.box(box),
            full=proxy.size((form.height, form.width)),
            overview=torch.from_numpy(small),
            settings=self._settings,
            matte=None if known is None else _stack_maps(known, unit, proxy, box),
            whole=None if whole is None else torch.from_numpy(whole.frames),
            whole_matte=None if whole is None or whole.matte is None else torch.from_numpy(whole.matte),
            timed=self._meter.add,
        )
        restored = proxy.enlarged(self._restorer(window, context), (box.height, box.width))
        tile = _to_tile(restored, margin=_MARGIN + int(np.ceil(self._settings.grow)))
        self._meter.count(cached=False)
        if self._cache is not None:
            self._cache.put(key, tile)
        return tile

    def _key(
        self,
        unit: Unit,
        box: Box,
        form: Format,
        crops: Mapping[int, NDArray[np.generic]],
        small: F32,
        whole: Whole | None,
        known: Mapping[int, F32] | None,
    ) -> str:
        """Everything that the tile can see, and nothing else."""
        digest = xxhash.xxh3_128(self._base_key)
        facts = (form.height, form.width, form.picture, form.dtype, form.bits)
        with_map = None if known is None else sorted(known)
        digest.update(repr((unit.numbers, unit.sources, unit.present, box, facts, with_map)).encode())
        digest.update(small.tobytes())
        for plane in () if whole is None else (whole.frames, whole.matte):
            digest.update(b"" if plane is None else plane.tobytes())
        for number in sorted(crops):
            digest.update(np.ascontiguousarray(crops[number]).view(np.uint8).data)
            if known is not None and number in known:
                digest.update(known[number].view(np.uint8).data)
        return digest.hexdigest()


def _stack_maps(known: Mapping[int, F32], unit: Unit, proxy: Proxy, box: Box) -> torch.Tensor:
    empty = np.zeros((box.height, box.width), np.float32)
    return torch.from_numpy(np.stack([proxy.map(known.get(n, empty)) for n in unit.sources])[:, None])


def _to_tile(restored: Restored, margin: int) -> Tile:
    """Rounds the answer to what a tile stores: a cold run must see exactly what a warm run reads back."""
    matte = np.round(restored.matte[:, 0].clamp(0, 1).nan_to_num(0).numpy() * 255).astype(np.uint8)
    seen = (matte > MATTE_FLOOR).astype(np.uint8)
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    support = np.stack([cv2.dilate(plane, kernel) for plane in seen]).astype(bool)
    picture = restored.picture.permute(0, 2, 3, 1).numpy()
    support &= np.isfinite(picture).all(axis=-1)
    return Tile(
        matte=matte,
        support=support,
        picture=np.ascontiguousarray(picture[support], dtype=np.float32),
        origin=np.ascontiguousarray(restored.origin[:, 0].numpy()[support]),
    )


def _lay(tile: Tile, slot: int, box: Box, weight: F32, picture: Blend, origin: NDArray[np.uint8]) -> None:
    support = tile.support[slot]
    if not support.any():
        return
    before = int(tile.support[:slot].sum())
    inside = slice(before, before + int(support.sum()))
    values = np.zeros((*support.shape, 3), np.float32)
    values[support] = tile.picture[inside]
    picture.add(box, values, np.where(support, weight, np.float32(0)))
    # Where patches overlap, the least certain origin stands: generated over interpolated over recovered.
    target = origin[box.slices]
    target[support] = np.maximum(target[support], np.maximum(tile.origin[inside], Origin.RECOVERED))
