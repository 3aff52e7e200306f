"""Which pictures beside a frame the guard is shown."""

from __future__ import annotations

import numpy as np
import pytest
from scratched import frame_of

from filmrestore.colour import open_colour
from filmrestore.nodes.lumas import Lumas
from filmrestore.nodes.windows import plan_units


@pytest.mark.parametrize(
    ("cuts", "missing", "shown"),
    [
        ((), (), {3: (-1, 1), 4: (-1, 1), 5: (-1, 1)}),
        ((3,), (), {3: (1, 2), 4: (-1, 1)}),
        ((6,), (), {4: (-1, 1), 5: (-2, -1)}),
        ((4,), (), {3: (-1,), 4: (1, 2)}),  # the window begins with 2
        ((), (4,), {3: (-1,), 5: (1,)}),
        ((3,), (4,), {3: (), 5: (1,)}),
        ((5,), (), {5: (1,)}),  # the window ends with 6
    ],
)
def test_the_guard_sees_both_sides_or_two_of_the_one_that_there_is(
    cuts: tuple[int, ...], missing: tuple[int, ...], shown: dict[int, tuple[int, ...]]
) -> None:
    there = [n for n in range(12) if n not in missing]
    frames = {n: frame_of(np.full((4, 6), 0.01 * n, np.float32), n) for n in there}
    lumas = Lumas(frames, open_colour(frames[0].format, colourspace="scene_linear"))
    units = plan_units([n for n in (3, 4, 5) if n in there], there, cuts, window=5, keep=3)
    for number, aways in shown.items():
        unit = next(unit for unit in units if number in unit.kept)
        around = lumas.around(number, unit)
        assert sorted(away for away in around if away) == sorted(aways)
        assert all(np.array_equal(luma, lumas[number + away]) for away, luma in around.items())
