"""The second look at half the size: what it counts beside the first."""

from __future__ import annotations

import pytest
import torch

from filmrestore.frame import Box
from filmrestore.restorers.base import Context
from filmrestore.restorers.frdm.restorer import FrdmRestorer
from filmrestore.restorers.frdm.scales import EDGE, halved, joined
from filmrestore.restorers.frdm.weights import FOLDER, load_weights
from filmrestore.settings import RestoreSettings

ALONE = RestoreSettings(without="half")


def marks(size: tuple[int, int], *edges: int) -> torch.Tensor:
    """Logits of 2 in square marks of these edges side by side, -4 elsewhere, (1, 1, h, w)."""
    logits = torch.full((1, 1, *size), -4.0)
    left = 2
    for edge in edges:
        logits[0, 0, 2 : 2 + edge, left : left + edge] = 2.0
        left += edge + 4
    return logits


def nothing(size: tuple[int, int]) -> torch.Tensor:
    return torch.full((1, 1, size[0] // 2, size[1] // 2), -4.0)


def test_frames_of_any_size_are_halved() -> None:
    frames = torch.rand(5, 3, 33, 46)
    small = halved(frames)
    assert small.shape == (5, 3, 17, 23)
    assert torch.allclose(small[:, :, 3, 5], frames[:, :, 6:8, 10:12].mean(dim=(2, 3)))
    assert torch.allclose(small[:, :, 16, 5], frames[:, :, 32, 10:12].mean(dim=2))  # the row that is left over


def test_what_both_looks_say_is_what_is_said() -> None:
    logits = torch.full((2, 1, 32, 64), 1.5)
    assert torch.allclose(joined(logits, torch.full((2, 1, 16, 32), 1.5)), logits)


def test_the_smaller_a_mark_the_less_the_second_look_takes_from_it() -> None:
    size = (32, 64)
    said = joined(marks(size, 1, 4, 12, 16), nothing(size))[0, 0]
    speck, small, large, larger = (float(said[2, column]) for column in (2, 7, 15, 31))
    assert speck > small > large == larger == -1.0  # of large marks the mean of 2 and -4
    assert speck == pytest.approx((2 - 4 / EDGE) / (1 + 1 / EDGE))
    assert float(said[30, 2]) == -4.0


def test_a_large_mark_that_only_the_second_look_sees_is_found() -> None:
    size = (64, 64)
    half = torch.full((1, 1, 32, 32), -4.0)
    half[..., 8:20, 8:20] = 6.0
    said = joined(torch.full((1, 1, *size), -1.0), half)[0, 0]
    assert (said[20:36, 20:36] > 0).all() and (said[48:] < 0).all()


@pytest.mark.parametrize(("columns", "count"), [(480, 2), (1535, 2), (1536, 3), (4096, 3)])
def test_wide_frames_are_looked_at_a_third_time(columns: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time at half the size, odd ones too, by the same network; without "half" once."""
    restorer = FrdmRestorer(load_weights(FOLDER / "frdm.safetensors"), torch.device("cpu"))
    guide, seen = restorer._net.guide, []

    def noted(window: torch.Tensor, *rest: object, **named: object) -> object:
        seen.append(tuple(window.shape[-2:]))
        return guide(window, *rest, **named)

    monkeypatch.setattr(restorer._net, "guide", noted)
    window = torch.rand(5, 3, 101, 135, generator=torch.Generator().manual_seed(0))
    for settings, sizes in ((RestoreSettings(), [(128, 160), (64, 96), (32, 64)][:count]), (ALONE, [(128, 160)])):
        seen.clear()
        context = Context(
            frames=tuple(range(5)),
            present=(True,) * 5,
            box=Box(x0=0, y0=0, x1=135, y1=101),
            full=(1000, columns),
            overview=torch.zeros(3, 64, 64),
            settings=settings,
        )
        answer = restorer(window, context)
        assert seen == sizes
        assert answer.matte.shape == (3, 1, 101, 135) and answer.matte.isfinite().all()


def test_what_is_padded_at_half_the_size_is_cut_off() -> None:
    logits = torch.randn(3, 1, 32, 96)
    assert joined(logits, torch.randn(3, 1, 32, 64)).shape == logits.shape
