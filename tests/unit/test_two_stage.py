"""two_stage: the segmentation nets, and RePaint in their matte only."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from filmrestore.errors import WeightsError
from filmrestore.frame import Box
from filmrestore.motion import CHANNELS
from filmrestore.restorers.base import Context, Origin
from filmrestore.restorers.prior.model import Prior
from filmrestore.restorers.prior.network import new_prior
from filmrestore.restorers.stored import Stored
from filmrestore.restorers.two_stage.restorer import TwoStageRestorer
from filmrestore.restorers.two_stage.segmentation import KINDS, PUBLISHED, SHIPPED, DefectNet
from filmrestore.settings import RestoreSettings

torch.set_num_threads(1)
CPU = torch.device("cpu")
SMALL = (4, 8, 16)


def net(kind: str = "attention", frames: int = 3, widths: tuple[int, ...] = SMALL) -> DefectNet:
    torch.manual_seed(2)
    made: DefectNet = DefectNet(kind=kind, widths=list(widths), frames=frames)
    return made.eval()


class Specks(torch.nn.Module):
    """Stands where a trained net would: what is nearly black is damage."""

    multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.config = type("Config", (), {"frames": 1})()

    def forward(self, frame: Tensor, evidence: Tensor) -> Tensor:
        return torch.where(frame.amax(dim=1, keepdim=True) < 0.05, 6.0, -6.0)


class Counting(torch.nn.Module):
    """A prior's network that counts the pixels it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.pixels = new_prior("prior-test"), 0

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        self.pixels += sample.shape[-1] * sample.shape[-2]
        answer: Tensor = self.net(sample, timestep)
        return answer


def restorer(finder: torch.nn.Module, counting: Counting | None = None, card: dict[str, object] | None = None):
    prior = Prior.of_film(new_prior("prior-test"), "untrained", CPU)
    prior = replace(prior, net=counting) if counting else prior
    return TwoStageRestorer(Stored(net=finder, card=card or {}, digest="made"), prior, CPU)


def context_for(window: Tensor, matte: Tensor | None = None, **settings: object) -> Context:
    count, _, height, width = window.shape
    return Context(
        frames=tuple(range(1000, 1000 + count)),
        present=(True,) * count,
        box=Box(x0=5, y0=9, x1=5 + width, y1=9 + height),
        full=(height + 20, width + 20),
        overview=torch.zeros(3, 64, 64),
        settings=RestoreSettings(method="two_stage", **{"steps": 4, "jump_length": 2, **settings}),
        matte=matte,
    )


def scene(height: int = 96, width: int = 128) -> Tensor:
    coarse = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(3)) * 0.6 + 0.2
    frame = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    return frame.expand(3, -1, -1, -1).clone()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [1, 3])
def test_every_net_learns_to_find_a_speck(kind: str, frames: int) -> None:
    made = net(kind, frames).train()
    frame = scene(32, 32)[:2]
    wanted = torch.zeros(2, 1, 32, 32)
    wanted[0, :, 4:9, 4:9] = wanted[1, :, 20:24, 11:15] = 1
    frame = torch.where(wanted > 0, 0.0, frame)
    evidence = torch.zeros(2, CHANNELS, 32, 32)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.02)
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(made(frame, evidence), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert all(parameter.grad is not None for parameter in made.parameters())


def test_one_frame_does_not_read_the_neighbours_and_three_do() -> None:
    frame, evidence = scene(32, 32)[:1], torch.rand(1, CHANNELS, 32, 32)
    with torch.no_grad():
        assert torch.equal(net(frames=1)(frame, evidence), net(frames=1)(frame, 0 * evidence))
        assert not torch.equal(net(frames=3)(frame, evidence), net(frames=3)(frame, 0 * evidence))


def test_a_net_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of unet, attention, r2attention with 1 or 3"):
        DefectNet(kind="transformer")


def test_the_published_size_can_be_made_and_the_shipped_one_is_small() -> None:
    with torch.device("meta"):
        published, shipped = DefectNet(kind="unet", widths=list(PUBLISHED)), DefectNet(widths=list(SHIPPED))
    sizes = [sum(parameter.numel() for parameter in made.parameters()) for made in (published, shipped)]
    assert sizes[0] > 28e6 and sizes[1] < 2e6


def test_only_the_damage_is_drawn_and_its_edge() -> None:
    window = scene()
    window[1, :, 40:44, 60:64] = 0.0
    answer = restorer(Specks())(window, context_for(window))
    assert bool((answer.matte[..., 40:44, 60:64] > 0.9).all())
    changed = (answer.picture != window[1:2]).any(dim=1)[0]
    rows, columns = torch.where(changed)
    assert (int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())) == (38, 45, 58, 65)
    assert set(answer.origin[0, 0][changed].unique().tolist()) == {int(Origin.GENERATED)}
    assert float(answer.picture.min()) > -0.2 and float(answer.picture.max()) < 1.2


def test_cost_follows_damage_and_not_the_size_of_the_frame() -> None:
    shown = []
    for size, specks in (((96, 128), 1), ((192, 256), 1), ((192, 256), 4), ((192, 256), 0)):
        window, counting = scene(*size), Counting()
        for index in range(specks):
            window[1, :, 10 + 40 * index : 13 + 40 * index, 20 + 60 * index : 23 + 60 * index] = 0.0
        restorer(Specks(), counting)(window, context_for(window))
        shown.append(counting.pixels)
    assert shown[0] == shown[1] > 0
    assert shown[2] < 6 * shown[1]
    assert shown[3] == 0


def test_a_preview_fills_from_the_surroundings_and_asks_no_prior() -> None:
    window, counting = scene(), Counting()
    clean = window[1].clone()
    window[1, :, 40:44, 60:64] = 0.0
    answer = restorer(Specks(), counting)(window, context_for(window, quality="preview"))
    assert counting.pixels == 0
    assert float((answer.picture[0] - clean)[:, 40:44, 60:64].abs().max()) < 0.08
    assert set(answer.origin[answer.matte > 0].unique().tolist()) == {int(Origin.INTERPOLATED)}


def test_overlapping_patches_agree_on_the_noise() -> None:
    window = scene()
    window[1, :, 40:44, 60:64] = 0.0
    made = restorer(Specks())
    whole = made(window, context_for(window)).picture
    context = context_for(window)
    part = replace(context, box=replace(context.box, x0=context.box.x0 + 16, y0=context.box.y0 + 8))
    cut = made(window[..., 8:, 16:].contiguous(), part).picture
    assert float((whole[..., 8:, 16:] - cut).abs().max()) < 1e-4


def test_a_light_that_is_brighter_than_the_range_is_filled_as_bright() -> None:
    window = scene() * 0 + 2.5
    window[1, :, 40:44, 60:64] = 0.0
    answer = restorer(Specks())(window, context_for(window))
    assert float(answer.picture.min()) > 1.3


def test_another_seed_or_frame_gives_another_fill() -> None:
    window = scene()
    window[1, :, 40:44, 60:64] = 0.0
    made, context = restorer(Specks()), context_for(window)
    first = made(window, context).picture
    assert not torch.equal(first, made(window, replace(context, settings=context_for(window, seed=1).settings)).picture)
    assert not torch.equal(first, made(window, replace(context, frames=(7, 8, 9))).picture)


def test_the_card_calibrates_the_confidence() -> None:
    window = scene(32, 32)
    plain = restorer(net())(window, context_for(window)).matte
    softer = restorer(net(), card={"calibration": {"temperature": 2.0, "shift": -1.0}})(window, context_for(window))
    wanted = torch.sigmoid(torch.logit(plain) / 2 - 1)
    assert float((softer.matte - wanted).abs().max()) < 1e-5


@pytest.mark.parametrize("told", [{"temperature": 0.0}, {"temperature": "warm"}, [1.0]])
def test_a_calibration_that_cannot_be_is_refused(told: object) -> None:
    with pytest.raises(WeightsError, match="the card's calibration"):
        restorer(net(), card={"calibration": told})
