"""restormer: the published network, its matte, how far a pixel sees, and its files for others."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
import torch

from filmrestore.cli import run
from filmrestore.colour import decode_net, encode_net
from filmrestore.errors import UsageError, WeightsError
from filmrestore.frame import Box
from filmrestore.restorers.base import Context, Origin, load_restorer
from filmrestore.restorers.exports import export
from filmrestore.restorers.restormer import load
from filmrestore.restorers.restormer.blocks import ChannelNorm, TransposedAttention
from filmrestore.restorers.restormer.network import RestormerNet, new_net
from filmrestore.restorers.restormer.restorer import FACTS, RestormerRestorer, load_weights, save_network
from filmrestore.settings import RestoreSettings

torch.set_num_threads(1)
CPU = torch.device("cpu")
BACKENDS_AGREE = 2e-5
"""Largest difference between torch and onnxruntime, net units: float32, summed in another order."""
PATCH_MOVES_PIXEL = 0.02
"""Largest change of a proposed pixel, net units, when a mark comes or goes somewhere else in its patch."""


def living_net(size: str = "restormer-test", **changes: object) -> RestormerNet:
    torch.manual_seed(11)
    net = new_net(size) if not changes else RestormerNet(**{"dim": 8, "blocks": (1, 1, 1, 1), **changes})
    with torch.no_grad():
        net.head.weight.normal_(0, 0.05)
        net.head.bias[-1] = 0.0
    return net.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("restormer") / "restormer.safetensors"
    save_network(living_net(), path, {"calibration": {"temperature": 1.5, "shift": -0.2}})
    return path


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 8 + 2, width // 8 + 2, generator=random)
    soft = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return 0.8 * soft + 0.02 * torch.randn(1, 3, height, width, generator=random)


def context_for(height: int, width: int) -> Context:
    return Context(
        frames=(1001,),
        present=(True,),
        box=Box(x0=0, y0=0, x1=width, y1=height),
        full=(height, width),
        overview=torch.zeros(3, 64, 64),
        settings=RestoreSettings(),
    )


def test_the_full_size_has_the_parameters_that_were_published() -> None:
    with torch.device("meta"):
        net = new_net("restormer")
    assert sum(value.numel() for value in net.parameters()) == pytest.approx(26.1e6, rel=0.005)


def test_the_small_size_is_for_cpus() -> None:
    assert 1e6 < sum(value.numel() for value in new_net("restormer-s").parameters()) < 2e6


def test_bias_free_norm_keeps_the_mean_and_follows_its_formula() -> None:
    x = torch.randn(2, 6, 3, 4, generator=torch.Generator().manual_seed(1)) + 5
    free, full = ChannelNorm(6, bias=False), ChannelNorm(6, bias=True)
    variance = x.var(dim=1, keepdim=True, unbiased=False)
    expected = torch.nn.functional.layer_norm(x.movedim(1, -1), (6,)).movedim(-1, 1)
    assert float((free(x) - x / (variance + 1e-5).sqrt()).detach().abs().max()) < 1e-5
    assert float((full(x) - expected).detach().abs().max()) < 1e-5
    assert set(dict(free.named_parameters())) == {"weight"}


def test_attention_is_between_channels() -> None:
    torch.manual_seed(2)
    attention = TransposedAttention(8, 2)
    x = torch.randn(1, 8, 5, 7)
    parts = attention.local(attention.qkv(x)).chunk(3, dim=1)
    query, key, value = (part.reshape(2, 4, 35) for part in parts)
    expected = []
    for head in range(2):
        likeness = torch.stack(
            [torch.stack([torch.cosine_similarity(a, b, dim=0) for b in key[head]]) for a in query[head]]
        )
        expected.append((attention.temperature[head] * likeness).softmax(dim=-1) @ value[head])
    wanted = attention.out(torch.cat(expected).reshape(1, 8, 5, 7))
    assert float((attention(x) - wanted).detach().abs().max()) < 1e-5


def test_an_untrained_network_proposes_the_scan_and_finds_nothing() -> None:
    scan = picture(32, 40)
    clean, logits = new_net("restormer-test")(scan)
    assert torch.equal(clean, scan)
    assert float(logits.detach().max()) == -3.0


@pytest.mark.parametrize("shrink", [1, 2])
def test_folding_pixels_into_channels_keeps_the_size(shrink: int) -> None:
    net = living_net(shrink=shrink, norm_bias=True)
    assert net.multiple == 8 * shrink
    clean, logits = net(picture(32, 48))
    assert clean.shape == (1, 3, 32, 48) and logits.shape == (1, 1, 32, 48)


def test_a_mark_moves_every_pixel_of_its_patch_by_a_little() -> None:
    # Attention between channels is weighed over the whole patch, so overlapping patches differ: by this much at most.
    net = living_net()
    scan = picture(64, 256)
    marked = scan.clone()
    marked[:, :, 20:40, 10:30] = 0.0
    with torch.inference_mode():
        apart = (net(scan)[0] - net(marked)[0]).abs()[..., 192:]
    assert 0 < float(apart.max()) < PATCH_MOVES_PIXEL


def test_known_defects_are_not_shown_to_the_network(weights: Path) -> None:
    restorer = RestormerRestorer(load_weights(weights), CPU)
    scan, other = picture(40, 40), picture(40, 40)
    known = torch.zeros(1, 1, 40, 40)
    known[..., 10:20, 10:20] = 1
    other[..., 10:20, 10:20] = 0.9
    context = Context(**{**vars(context_for(40, 40)), "matte": known})
    first, second = restorer(scan, context), restorer(other, context)
    assert float((first.picture - second.picture).abs().max()) < 1e-5
    assert bool((first.matte[..., 10:20, 10:20] == 1).all())


def test_what_leaves_its_surroundings_is_generated_and_nothing_is_recovered(weights: Path) -> None:
    restorer = RestormerRestorer(load_weights(weights), CPU)
    answer = restorer(picture(48, 48), context_for(48, 48))
    assert set(answer.origin.unique().tolist()) == {int(Origin.INTERPOLATED), int(Origin.GENERATED)}


def test_confidence_is_calibrated_by_the_card(weights: Path, tmp_path: Path) -> None:
    save_network(load_weights(weights).net, tmp_path / "plain.safetensors", {})
    scan = picture(32, 32)
    mattes = [RestormerRestorer(load_weights(path), CPU)(scan, context_for(32, 32)).matte
              for path in (weights, tmp_path / "plain.safetensors")]  # fmt: skip
    assert float((mattes[0].logit() - (mattes[1].logit() / 1.5 - 0.2)).abs().max()) < 1e-3


@pytest.mark.parametrize("calibration", [{"temperature": 0}, {"temperature": "warm"}, [1]])
def test_a_card_whose_calibration_cannot_be_meant_is_refused(calibration: object, tmp_path: Path) -> None:
    save_network(living_net(), tmp_path / "odd.safetensors", {"calibration": calibration})
    with pytest.raises(WeightsError, match="calibration"):
        RestormerRestorer(load_weights(tmp_path / "odd.safetensors"), CPU)


def test_missing_weights_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="filmrestore train --model restormer"):
        load_weights(tmp_path / "none.safetensors")


def test_the_shipped_weights_are_sound_or_say_how_to_make_them() -> None:
    try:
        assert load(CPU).facts == FACTS
    except WeightsError as error:
        assert "filmrestore train --model restormer" in str(error)


def test_onnxruntime_gives_what_torch_gives_at_any_size(weights: Path) -> None:
    pytest.importorskip("onnx", reason="exporting wants onnx")
    pytest.importorskip("onnxruntime", reason="the backend onnx wants onnxruntime")
    by_torch = RestormerRestorer(load_weights(weights), CPU)
    by_onnx = RestormerRestorer(load_weights(weights), CPU, backend="onnx")
    assert (by_torch.backend, by_onnx.backend) == ("torch", "onnx")
    for height, width in ((64, 64), (37, 90), (5, 3)):
        scan = picture(height, width, seed=height) * 2.0
        first, second = (each(scan, context_for(height, width)) for each in (by_torch, by_onnx))
        assert float((first.picture - second.picture).abs().max()) < BACKENDS_AGREE
        assert float((first.matte - second.matte).abs().max()) < BACKENDS_AGREE


def test_onnxruntime_gives_the_same_bits_twice(weights: Path) -> None:
    pytest.importorskip("onnx", reason="exporting wants onnx")
    pytest.importorskip("onnxruntime", reason="the backend onnx wants onnxruntime")
    scan = picture(48, 56)
    answers = [RestormerRestorer(load_weights(weights), CPU, backend="onnx")(scan, context_for(48, 56)) for _ in "ab"]
    assert torch.equal(answers[0].picture, answers[1].picture) and torch.equal(answers[0].matte, answers[1].matte)


def test_an_unknown_backend_and_a_method_without_it_are_refused(weights: Path) -> None:
    with pytest.raises(UsageError, match="choose one of torch, onnx"):
        RestormerRestorer(load_weights(weights), CPU, backend="coreml")
    with pytest.raises(UsageError, match="svi has no backend 'onnx': choose --backend auto or torch"):
        load_restorer("svi", CPU, "onnx")


def test_the_exported_onnx_file_runs_by_itself(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx", reason="exporting wants onnx")
    onnxruntime = pytest.importorskip("onnxruntime", reason="running ONNX wants onnxruntime")
    words = [
        "export",
        "--method",
        "restormer",
        "--to",
        "onnx",
        "--weights",
        str(weights),
        "-o",
        str(tmp_path),
        "--json",
    ]
    assert run(words) == 0
    (written,) = json.loads(capsys.readouterr().out)
    session = onnxruntime.InferenceSession(written)
    scan = picture(24, 72)
    clean, logits = session.run(None, {"scan": scan.numpy()})
    with torch.inference_mode():
        expected = load_weights(weights).net(scan)
    assert float((torch.from_numpy(clean) - expected[0]).abs().max()) < BACKENDS_AGREE
    assert float((torch.from_numpy(logits) - expected[1]).abs().max()) < 10 * BACKENDS_AGREE


@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated:DeprecationWarning")
def test_torchscript_has_the_layout_of_nukes_inference_node(weights: Path, tmp_path: Path) -> None:
    (written,) = export("restormer", "torchscript", tmp_path, weights)
    assert written.suffix == ".pt"
    node = torch.jit.load(io.BytesIO(written.read_bytes()))
    stored = load_weights(weights)
    restorer = RestormerRestorer(stored, CPU)
    for height, width in ((30, 50), (64, 64), (9, 1)):
        linear = decode_net(picture(height, width, seed=3) * 1.3)
        with torch.inference_mode():
            out = node(linear)
        assert out.shape == (1, 4, height, width)
        expected = restorer(encode_net(linear), context_for(height, width))
        assert float((encode_net(out[:, :3]) - expected.picture).abs().max()) < 1e-4
        assert float((out[:, 3:] - expected.matte).abs().max()) < 1e-4
    with torch.inference_mode():
        assert math.isfinite(float(node(torch.full((1, 3, 8, 8), torch.nan)).max()))


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose one of divd, frdm, restormer, two_stage"):
        export("svi", "onnx", tmp_path)
    with pytest.raises(UsageError, match="choose one of onnx, torchscript"):
        export("restormer", "coreml", tmp_path)
