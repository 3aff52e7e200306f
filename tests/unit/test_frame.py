"""Frame: which channels are the picture, and that taking them copies."""

from __future__ import annotations

import numpy as np
import pytest

from filmrestore.frame import Box, Format, Frame


def frame(channels: tuple[str, ...]) -> Frame:
    codes = np.random.default_rng(0).integers(0, 1024, (5, 7, len(channels)), dtype=np.uint16)
    form = Format(width=7, height=5, channels=channels, dtype="uint16", bits=10, container="dpx", lossless=True)
    return Frame(number=1, codes=codes, format=form, data_window=(0, 0, 7, 5), display_window=(0, 0, 7, 5))


@pytest.mark.parametrize(
    ("channels", "picture"),
    [
        (("R", "G", "B"), [0, 1, 2]),
        (("A", "R", "G", "B"), [1, 2, 3]),
        (("B", "G", "R"), [2, 1, 0]),
        (("R", "Z", "G", "B"), [0, 2, 3]),
        (("Y",), [0]),
        (("Y", "A"), [0]),
        (("left.R", "depth"), [0]),
    ],
)
def test_the_picture_is_a_copy_of_its_channels_in_order(channels: tuple[str, ...], picture: list[int]) -> None:
    whole = frame(channels)
    for box in (None, Box(x0=2, y0=1, x1=6, y1=4)):
        codes = whole.codes if box is None else whole.codes[box.slices]
        taken = whole.picture(box)
        assert np.array_equal(taken, codes[:, :, picture])
        assert taken.flags.c_contiguous and not np.shares_memory(taken, whole.codes)
