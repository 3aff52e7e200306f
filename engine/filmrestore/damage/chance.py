"""Chance without memory: random numbers that depend on keys alone, so any frame can be made first."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Key = int | str


def key64(*keys: Key) -> int:
    """A 64-bit hash of the keys, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(repr(keys).encode(), digest_size=8).digest(), "little")


def generator(*keys: Key) -> np.random.Generator:
    """A generator that is started by the keys and by nothing else."""
    digest = hashlib.blake2b(repr(keys).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest, dtype="<u8").astype(np.uint64)))


def lattice(index: NDArray[np.int64], *keys: Key) -> NDArray[np.float64]:
    """One value of about N(0, 1) for each lattice point: the sum of four hashed uniforms.

    Args:
        index: Lattice points, any shape.
    """
    with np.errstate(over="ignore"):
        word = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key64(*keys))
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        word ^= word >> np.uint64(31)
    parts = [(word >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)]
    total = np.sum([part.astype(np.float64) for part in parts], axis=0) / 65535.0
    return np.asarray((total - 2.0) * math.sqrt(3.0))


def smooth(time: ArrayLike, *keys: Key) -> NDArray[np.float64]:
    """Noise of unit variance that varies smoothly over one unit of `time`.

    Args:
        time: Any shape, any sign; lattice values stand at the integers.

    Returns:
        float64 of the same shape.
    """
    moment = np.asarray(time, dtype=np.float64)
    floor = np.floor(moment)
    part = moment - floor
    weight = part * part * (3.0 - 2.0 * part)
    index = floor.astype(np.int64)
    mixed = lattice(index, *keys) * (1.0 - weight) + lattice(index + 1, *keys) * weight
    return np.asarray(mixed / np.sqrt((1.0 - weight) ** 2 + weight**2))


@dataclass(frozen=True)
class Event:
    """Something that lasts: a scratch, a hair in the gate, a stain.

    Attributes:
        key: Names the event; all that it is made of is drawn from it.
        age: Frames since it came, 0 in its first frame.
        life: Frames that it stays.
    """

    key: int
    age: int
    life: int

    @property
    def fade(self) -> float:
        """0..1: rises over its first and falls over its last frames."""
        return min(1.0, (self.age + 1) / 2.0, (self.life - self.age) / 2.0)


def events(expected: float, life: float, number: int, *keys: Key) -> Iterator[Event]:
    """The events that are present at a frame.

    Time is cut into epochs, of another length in each slot; an epoch holds one event or none. So the cost does not grow
    with the frame number, and frames may be asked for in any order.

    Args:
        expected: Mean number of events present at once.
        life: Mean frames that an event stays, at least 1.
        number: Frame.
        keys: Seed and kind.
    """
    occupancy = 0.5
    slots = math.ceil(expected / occupancy)
    for slot in range(slots):
        draw = generator(*keys, "slot", slot)
        epoch = max(2, round(2.0 * life * 2.0 ** draw.uniform(-0.7, 0.7)))
        index, inside = divmod(number + int(draw.integers(epoch)), epoch)
        event = generator(*keys, "event", slot, index)
        if event.random() >= expected / (occupancy * slots):
            continue
        length = min(epoch, max(1, round(epoch / 2 * event.uniform(0.4, 1.6))))
        start = int(event.integers(epoch - length + 1))
        if start <= inside < start + length:
            yield Event(key64(*keys, "event", slot, index), inside - start, length)
