"""Masks that come with a shot: protect masks and defect maps, one image a frame, one for all, or the scan's alpha."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MixedFormats, UsageError
from ..frame import Codes, Frame
from ..media import Shot, open_shot


class MaskInput:
    """Reads a mask for each frame of a shot as float32 (h, w), 0..1.

    Args:
        masks: The masks' own shot; None takes the scan's alpha.
        invert: White counts as black.
        only: The one frame of `masks` that holds for every frame; None where each has its own.
    """

    def __init__(self, masks: Shot | None, *, invert: bool, only: int | None = None) -> None:
        self._masks, self._invert, self._only = masks, invert, only

    @classmethod
    def open(cls, source: str | None, shot: Shot, *, invert: bool = False) -> MaskInput | None:
        """The mask input of a pattern, a single image or "alpha"; None for None.

        Raises:
            InputError: nothing there.
            UsageError: "alpha", but the scan has none.
            MixedFormats: another size than the scan's.
        """
        if source is None:
            return None
        if source == "alpha":
            if shot.format.alpha is None:
                raise UsageError(
                    f"the defect map is to be the scan's alpha, but {shot.name} has {shot.format.channels}"
                )
            return cls(None, invert=invert)
        masks = open_shot(source)
        if (masks.format.width, masks.format.height) != (shot.format.width, shot.format.height):
            raise MixedFormats(
                f"{source} is {masks.format.width}x{masks.format.height}, the scan {shot.format.width}x"
                f"{shot.format.height}: give masks of the scan's size"
            )
        is_one = Path(source).is_file() and not masks.is_movie
        return cls(masks, invert=invert, only=masks.frames[0] if is_one else None)

    def close(self) -> None:
        """Closes the masks, if they are a movie."""
        if self._masks is not None:
            self._masks.close()

    def holds(self, number: int) -> bool:
        """Whether there is a mask of a frame."""
        return self._masks is None or self._number(number) in self._masks

    def facts(self, number: int) -> bytes:
        """What tells the mask of a frame from another: its file by name, size and time, and how it is read."""
        if self._masks is None:
            return f"alpha {self._invert}".encode()
        return self._masks.facts(self._number(number)) + f" {self._invert}".encode()

    def read(self, number: int, frame: Frame) -> NDArray[np.float32]:
        """The mask of a frame.

        Raises:
            InputError: it is missing or cannot be read.
        """
        if self._masks is None:
            alpha = frame.format.alpha
            assert alpha is not None
            plane, white = frame.codes[:, :, alpha], frame.format.white
        else:
            mask = self._masks.read(self._number(number))
            plane, white = mask.picture()[:, :, 0], mask.format.white
        return mask_values(plane, white, invert=self._invert)

    def _number(self, number: int) -> int:
        return number if self._only is None else self._only


def mask_values(plane: Codes, white: float, *, invert: bool) -> NDArray[np.float32]:
    """A mask's codes, shape (h, w), as float32 0..1; what is not finite counts as its nearest end, NaN as 0."""
    values = np.clip(np.nan_to_num(plane.astype(np.float32) / np.float32(white)), 0.0, 1.0)
    return np.asarray(1.0 - values if invert else values, np.float32)
