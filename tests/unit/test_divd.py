"""divd: attention over frames and windows, its ablations, the diffusion of a change, and how its fixes are recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from film import picture as film_picture
from film import write_image
from filmrestore.cli import run
from filmrestore.errors import UsageError, WeightsError
from filmrestore.fixes import Ledger
from filmrestore.frame import Box
from filmrestore.restorers.base import REGISTRY, Context, Facts, Origin, Restored
from filmrestore.restorers.divd.blocks import WindowAttention
from filmrestore.restorers.divd.network import DivdNet, new_net
from filmrestore.restorers.divd.restorer import FACTS, DivdRestorer, load_weights, save_network
from filmrestore.restorers.divd.sampler import LARGEST, SCALE, deblur, learning_schedule
from filmrestore.restorers.exports import export
from filmrestore.settings import RestoreSettings

torch.set_num_threads(1)
CPU = torch.device("cpu")
BACKENDS_AGREE = 1e-4
"""Largest difference between torch and onnxruntime after all steps, net units."""


def living(net: DivdNet) -> DivdNet:
    """Without the zeros that make a new network the identity."""
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    return net.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(13)
    path = tmp_path_factory.mktemp("divd") / "divd.safetensors"
    save_network(living(new_net("divd-test")), path, {})
    return path


def window(height: int = 24, width: int = 24, frames: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.rand(frames, 3, height, width, generator=torch.Generator().manual_seed(seed))


def context_for(like: torch.Tensor, x: int = 0, **settings: object) -> Context:
    count, _, height, width = like.shape
    return Context(
        frames=tuple(range(1001, 1001 + count)),
        present=(True,) * count,
        box=Box(x0=x, y0=0, x1=x + width, y1=height),
        full=(height, 1000),
        overview=torch.zeros(3, 64, 64),
        settings=RestoreSettings(**settings),
    )


def attention(**changes: object) -> WindowAttention:
    torch.manual_seed(17)
    facts: dict[str, object] = {
        "frames": 4, "window": 3, "shifted": False, "frame_codes": True, "relative_bias": True, **changes
    }  # fmt: skip
    module = WindowAttention(8, 2, **facts)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.3)
    return module


ALL = torch.ones(1, 4, dtype=torch.bool)


def test_all_frames_of_a_window_see_each_other_and_nothing_beyond() -> None:
    x = torch.randn(4, 8, 6, 9, generator=torch.Generator().manual_seed(2))
    other = x.clone()
    other[3, :, 4, 4] = 2 * torch.arange(8) % 5  # frame 3, the window of rows 3..5, columns 3..5
    with torch.inference_mode():
        changed = (attention()(x, ALL) - attention()(other, ALL)).abs().amax(dim=1) > 0
    expected = torch.zeros(4, 6, 9, dtype=torch.bool)
    expected[:, 3:6, 3:6] = True
    assert torch.equal(changed, expected)


def test_shifted_windows_join_what_windows_part() -> None:
    x = torch.randn(4, 8, 6, 9, generator=torch.Generator().manual_seed(2))
    other = x.clone()
    other[0, :, 2, 2] = 2 * torch.arange(8) % 5
    with torch.inference_mode():
        changed = attention(shifted=True)(x, ALL) - attention(shifted=True)(other, ALL)
    assert float(changed[3, :, 3, 3].abs().max()) > 0


def test_a_frame_that_is_not_there_is_not_seen() -> None:
    x = torch.randn(4, 8, 6, 6, generator=torch.Generator().manual_seed(3))
    other = x.clone()
    other[2] = 7.0
    present = torch.tensor([[True, True, False, True]])
    with torch.inference_mode():
        first, second = attention()(x, present), attention()(other, present)
    assert torch.equal(first[[0, 1, 3]], second[[0, 1, 3]])


def test_attention_without_codes_and_bias_cannot_tell_frames_or_places_apart() -> None:
    x = torch.randn(4, 8, 3, 3, generator=torch.Generator().manual_seed(4))
    order = [2, 0, 3, 1]
    for codes, bias, is_blind in ((False, False, True), (True, False, False), (False, True, True)):
        module = attention(frame_codes=codes, relative_bias=bias)
        with torch.inference_mode():
            apart = float((module(x, ALL)[order] - module(x[order], ALL)).abs().max())
        assert (apart < 1e-5) == is_blind
    plain, placed = attention(frame_codes=False, relative_bias=False), attention(frame_codes=False)
    with torch.inference_mode():
        for module, is_blind in ((plain, True), (placed, False)):
            moved = module(x.roll(1, dims=3), ALL)
            assert (float((module(x, ALL).roll(1, dims=3) - moved).abs().max()) < 1e-5) == is_blind


def test_the_bias_is_shared_by_all_pairs_of_frames() -> None:
    module = attention(window=2)
    assert module.bias is not None and module.bias.shape == (2, 9)
    offsets = module.offsets.view(4, 4, 4, 4)
    assert all(torch.equal(offsets[a, :, b], offsets[0, :, 0]) for a in range(4) for b in range(4))


@pytest.mark.parametrize(
    "changes",
    [{"windows": (4, 3, 2, 1)}, {"windows": (0, 0, 0, 0)}, {"windows": (3, 2, 1, 1), "frames": 5}, {"shrink": 2},
     {"frame_codes": False}, {"relative_bias": False}, {"prediction": "epsilon"}],
    ids=str,
)  # fmt: skip
def test_the_papers_ablations_are_configurations(changes: dict[str, object], tmp_path: Path) -> None:
    net = living(new_net("divd-test", **changes))
    save_network(net, tmp_path / "divd.safetensors", {})
    restorer = DivdRestorer(load_weights(tmp_path / "divd.safetensors"), CPU)
    frames = window(frames=restorer.facts.window)
    answer = restorer(frames, context_for(frames, quality="preview"))
    assert answer.picture.shape == (restorer.facts.keep, 3, 24, 24)
    assert bool(torch.isfinite(answer.picture).all())


def test_four_frames_are_seen_and_the_middle_two_kept(weights: Path) -> None:
    assert (FACTS.window, FACTS.keep, FACTS.cause) == (4, 2, "blur")
    assert DivdRestorer(load_weights(weights), CPU).facts == FACTS
    assert FACTS.patch % new_net("divd-s").multiple == 0


@pytest.mark.parametrize("prediction", ["sample", "epsilon"])
@pytest.mark.parametrize("steps", [1, 8])
def test_a_model_that_knows_the_answer_gives_it_back(prediction: str, steps: int) -> None:
    blurred, sharp = window()[None], window(seed=1)[None]
    change = ((sharp - blurred) * SCALE).clamp(-LARGEST, LARGEST)
    schedule = learning_schedule(prediction)

    def model(noisy: torch.Tensor, seen: torch.Tensor, step: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor, ...]:
        alpha = schedule.alphas_cumprod[step].view(-1, 1, 1, 1, 1)
        told = change if prediction == "sample" else (noisy - alpha.sqrt() * change) / (1 - alpha).sqrt()
        return told, torch.zeros_like(seen[:, :, :1])

    drawn = torch.randn(blurred.shape, generator=torch.Generator().manual_seed(9))
    if prediction == "epsilon" and steps == 1:
        return  # published so, but nothing is predicted of the change where there is noise alone
    done, _ = deblur(model, blurred, ALL, drawn, prediction=prediction, steps=steps)
    assert float((done - (blurred + change / SCALE)).abs().max()) < 2e-3


def test_noise_is_that_of_the_absolute_pixel(weights: Path) -> None:
    restorer = DivdRestorer(load_weights(weights), CPU)
    frames = window(12, 48)
    left = restorer._noise(frames[..., :36], context_for(frames[..., :36]))
    right = restorer._noise(frames[..., 12:], context_for(frames[..., 12:], x=12))
    assert torch.equal(left[..., 12:36], right[..., :24])


def test_another_seed_gives_another_picture_and_preview_takes_one_step(weights: Path) -> None:
    restorer = DivdRestorer(load_weights(weights), CPU)
    frames = window()
    final, other = (restorer(frames, context_for(frames, seed=seed)).picture for seed in (0, 1))
    preview = restorer(frames, context_for(frames, quality="preview")).picture
    assert not torch.equal(final, other) and not torch.equal(final, preview)


def test_a_change_is_at_most_half_a_net_unit(weights: Path) -> None:
    restorer = DivdRestorer(load_weights(weights), CPU)
    frames = window() * 6 - 2
    answer = restorer(frames, context_for(frames))
    assert float((answer.picture - frames[1:3]).abs().max()) <= LARGEST / SCALE + 1e-5


def test_onnxruntime_gives_what_torch_gives(weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="exporting wants onnx")
    pytest.importorskip("onnxruntime", reason="the backend onnx wants onnxruntime")
    stored = load_weights(weights)
    by_onnx = DivdRestorer(stored, CPU, backend="onnx")
    by_torch = DivdRestorer(stored, CPU)
    for size in ((24, 24), (31, 50)):
        frames = window(*size)
        context = context_for(frames, temporal_radius=1)
        first, second = by_torch(frames, context), by_onnx(frames, context)
        assert float((first.picture - second.picture).abs().max()) < BACKENDS_AGREE
        assert float((first.matte - second.matte).abs().max()) < BACKENDS_AGREE
    (written,) = export("divd", "onnx", tmp_path, weights)
    assert written.name == "divd.onnx"


def test_torchscript_is_refused_with_the_reason(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes several steps"):
        export("divd", "torchscript", tmp_path, weights)


def test_missing_weights_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="filmrestore train --model divd"):
        load_weights(tmp_path / "none.safetensors")


class Sharpener:
    """Finds blur in the left half of every frame and answers something else there: what divd's fixes are tried with."""

    facts = Facts(**{**vars(FACTS), "name": "sharpener", "patch": 48, "overlap": 16})
    weights_hash = "0123456789abcdef"
    precision = "float32"
    backend = "torch"
    device = CPU

    def __call__(self, frames: torch.Tensor, context: Context) -> Restored:
        kept = frames[1:3]
        columns = torch.arange(kept.shape[-1]) + context.box.x0
        matte = (columns < context.full[1] // 2).float().expand(2, 1, *kept.shape[-2:]).clone()
        if context.matte is not None:
            matte = torch.maximum(matte, context.matte[1:3])
        origin = torch.full_like(matte, int(Origin.GENERATED), dtype=torch.uint8)
        return Restored(picture=kept + 0.05, matte=matte, origin=origin)


def load(device: torch.device) -> Sharpener:
    """As the registry calls it."""
    return Sharpener()


def test_blur_is_one_fix_of_the_picture_and_what_is_sharp_keeps_every_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REGISTRY, "frdm", f"{__name__}:load")
    (tmp_path / "scans").mkdir()
    for number in range(1001, 1006):
        codes = np.rint(film_picture(number, 40, 64) * 65535).astype(np.uint16)
        write_image(tmp_path / "scans" / f"reel.{number}.tif", codes)
    scan, out = str(tmp_path / "scans" / "reel.####.tif"), str(tmp_path / "out" / "reel.####.tif")
    assert run(["restore", scan, "-o", out, "--no-cache", "--progress", "none"]) == 0
    ledger = tmp_path / "out" / "reel.ledger"
    for number in range(1001, 1006):
        (fix,) = Ledger.open(ledger).fixes(number)
        assert (fix.cause, fix.origin) == ("blur", "generated")
        assert fix.box[0] == 0 and 32 <= fix.box[2] <= 35 and (fix.box[1], fix.box[3]) == (0, 40)
    assert run(["verify", scan, out, "--progress", "none"]) == 0
