"""Where the picture has gone: as a whole, and beside a line, also where the two are not the same."""

from __future__ import annotations

import numpy as np
import pytest

from filmrestore.analysis.drift import drifts_of

STRIPS, COLUMNS = 30, 400


@pytest.mark.parametrize(("as_whole", "beside"), [(3, 3), (3, 4), (-7, -5), (0, 3)])
def test_a_part_of_the_picture_goes_its_own_way_beside_the_whole(as_whole: int, beside: int) -> None:
    """Every third strip says where the whole goes, and all of them what it costs."""
    picture = np.random.default_rng(1).normal(0.4, 0.1, (STRIPS, COLUMNS)).astype(np.float32)
    moved = np.roll(picture, beside, axis=1)
    moved[::3] = np.roll(picture[::3], as_whole, axis=1)
    _, drift = drifts_of([picture, moved], 0)
    own = np.array([row for row in range(STRIPS) if row % 3])
    assert drift.beside(own, np.full(len(own), 200)) == pytest.approx(beside, abs=0.1)
    thirds = np.arange(0, STRIPS, 3)
    assert drift.beside(thirds, np.full(len(thirds), 200)) == pytest.approx(as_whole, abs=0.1)
