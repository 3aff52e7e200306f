"""frdm in other runtimes: what is exported, that onnxruntime answers as torch does, and which of the two is taken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from filmrestore.errors import UsageError
from filmrestore.frame import Box
from filmrestore.motion import ALL_CHANNELS, SECOND_VALID, VALID
from filmrestore.restorers import frdm, runtime
from filmrestore.restorers.base import Context, Restored, load_restorer
from filmrestore.restorers.exports import export
from filmrestore.restorers.frdm import graphs, precision_of
from filmrestore.restorers.frdm.exported import ExportedNet
from filmrestore.restorers.frdm.network import FrdmNet, new_net
from filmrestore.restorers.frdm.restorer import FACTS, FrdmRestorer
from filmrestore.restorers.frdm.weights import Weights, load_weights, save_weights
from filmrestore.restorers.runtime import Graph, backend_for
from filmrestore.settings import RestoreSettings

torch.set_num_threads(1)
pytest.importorskip("onnx", reason="exporting wants onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="the backend onnx wants onnxruntime")

CPU = torch.device("cpu")
LOGITS_AGREE = 1e-4
"""Largest difference of logits and features between the backends, of which the largest are near 40."""
PICTURES_AGREE = 2e-5
"""The same of clean pictures, net units."""


def living_net() -> FrdmNet:
    """Without the zeros that make an untrained network the identity, and unsure of every pixel."""
    torch.manual_seed(1)
    net = new_net("frdm-test")
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
        net.guidance.head.bias[:4] = -0.5
    return net.eval()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frdm") / FACTS.weights
    save_weights(living_net(), path, {})
    return path


@pytest.fixture(scope="module")
def net(path: Path) -> FrdmNet:
    return load_weights(path).net


@pytest.fixture(scope="module")
def both(path: Path) -> tuple[FrdmRestorer, FrdmRestorer]:
    return FrdmRestorer(load_weights(path), CPU), FrdmRestorer(load_weights(path), CPU, backend="onnx")


@pytest.fixture(scope="module")
def exported(both: tuple[FrdmRestorer, FrdmRestorer]) -> ExportedNet:
    running = both[1]._net
    assert isinstance(running, ExportedNet)
    return running


def window_of(height: int, width: int, level: float = 0.8) -> torch.Tensor:
    """A soft picture that moves, with grain and a speck."""
    random = torch.Generator().manual_seed(height)
    coarse = torch.rand(1, 3, height // 8 + 2, width // 8 + 4, generator=random)
    large = torch.nn.functional.interpolate(coarse, size=(height, width + 8), mode="bilinear")
    frames = [large[0, :, :, index : index + width] for index in range(FACTS.window)]
    window = torch.stack(frames) * level + 0.02 * torch.randn(FACTS.window, 3, height, width, generator=random)
    window[2, :, height // 3 : height // 3 + 4, width // 2 : width // 2 + 3] = 0.02
    return window


def context_of(window: torch.Tensor, **settings: object) -> Context:
    height, width = window.shape[-2:]
    return Context(
        frames=tuple(range(1001, 1001 + len(window))),
        present=(True,) * len(window),
        box=Box(x0=10, y0=20, x1=10 + width, y1=20 + height),
        full=(height + 64, width + 64),
        overview=torch.full((3, 64, 64), 0.4),
        settings=RestoreSettings(**settings),
    )


def assert_agree(first: Restored, second: Restored) -> None:
    assert float((first.picture - second.picture).abs().max()) < PICTURES_AGREE
    assert float((first.matte - second.matte).abs().max()) < PICTURES_AGREE


def guided(height: int, width: int, frames: int, level: float) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(frames)
    evidence = level * torch.rand(1, frames, ALL_CHANNELS, height, width, generator=random)
    evidence[:, :, VALID] = 1.0
    evidence[:, :, SECOND_VALID] = (torch.rand(1, frames, 2, height, width, generator=random) > 0.5).float()
    window = level * torch.rand(1, frames, 3, height, width, generator=random)
    present = torch.ones(1, frames, dtype=torch.bool)
    present[0, -1] = frames == 1
    return window, evidence, present, torch.rand(1, 3, 64, 64, generator=random), torch.tensor([[0.1, 0.2, 0.4, 0.6]])


@pytest.mark.parametrize("frames", [5, 3, 1])
def test_guidance_is_the_same_at_any_size_and_length_and_brightness(
    net: FrdmNet, exported: ExportedNet, frames: int
) -> None:
    for height, width, level in ((32, 32, 1.0), (96, 64, 1.0), (64, 160, 6.0), (64, 64, -2.0)):
        given = guided(height, width, frames, level)
        with torch.inference_mode():
            expected, found = net.guide(*given), exported.guide(*given)
        for one, other in zip(
            (expected.matte_logits, expected.class_logits, *expected.features),
            (found.matte_logits, found.class_logits, *found.features),
            strict=True,
        ):
            assert one.shape == other.shape and float((one - other).abs().max()) < LOGITS_AGREE


@pytest.mark.parametrize("left_out", [("texture",), ("temporal", "fusion")])
def test_modules_can_be_left_out_of_what_is_exported(
    net: FrdmNet, exported: ExportedNet, left_out: tuple[str, ...]
) -> None:
    given = guided(64, 64, 5, 1.0)
    with torch.inference_mode():
        expected = net.guide(*given, without=left_out).matte_logits
        assert float((expected - exported.guide(*given, without=left_out).matte_logits).abs().max()) < LOGITS_AGREE
        assert float((expected - exported.guide(*given).matte_logits).abs().max()) > 10 * LOGITS_AGREE


def test_the_denoiser_is_the_same_in_blocks_of_any_size(net: FrdmNet, exported: ExportedNet) -> None:
    for height, width, level in ((96, 96, 1.0), (80, 64, 5.0), (32, 96, -3.0)):
        pictures = level * torch.rand(3, 1, 3, height, width)
        masks = torch.rand(2, 1, 1, height, width)
        features = [torch.randn(1, c, height // s, width // s) for c, s in zip((8, 8, 16), (2, 4, 8), strict=True)]
        given = (pictures[0], torch.tensor([0.5]), pictures[1], pictures[2], masks[0], masks[1], features)
        with torch.inference_mode():
            assert float((net.denoise(*given) - exported.denoise(*given)).abs().max()) < PICTURES_AGREE


@pytest.mark.parametrize(("size", "level"), [((37, 61), 0.8), ((64, 90), 3.0), ((33, 40), -2.0), ((1, 5), 0.8)])
def test_the_backends_agree_on_odd_sizes_and_beyond_black_and_white(both, size, level: float) -> None:
    window = window_of(*size, level)
    context = context_of(window)
    assert_agree(*(restorer(window, context) for restorer in both))


@pytest.mark.parametrize("radius", [0, 1])
def test_the_backends_agree_with_a_short_temporal_radius(both, radius: int) -> None:
    window = window_of(40, 48)
    context = context_of(window, temporal_radius=radius)
    assert_agree(*(restorer(window, context) for restorer in both))


def test_the_backends_agree_on_known_defects_and_a_shots_end(both) -> None:
    window = window_of(48, 40)
    known = torch.zeros(FACTS.window, 1, 48, 40)
    known[:, :, 4:40, 4:39] = 1.0  # large: the coarse picture leads the sampler
    context = replace(context_of(window), matte=known, present=(False, False, True, True, True))
    answers = [restorer(window, context) for restorer in both]
    assert_agree(*answers)
    assert float((answers[0].picture[1] - window[2]).abs().max()) > 0.01


def test_a_graph_that_many_threads_want_first_is_made_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    to_onnx = runtime.to_onnx

    def counted(graph: Graph) -> bytes:
        made.append(graph.name)
        return to_onnx(graph)

    monkeypatch.setattr(runtime, "to_onnx", counted)
    restorer = FrdmRestorer(load_weights(path), CPU, backend="onnx")
    assert sorted(made) == ["frdm_denoiser", "frdm_guidance_5"]
    window = window_of(32, 32)
    context = context_of(window, temporal_radius=1)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: restorer(window, context), range(4)))
    assert made.count("frdm_guidance_3") == 1 and len(made) == 3
    assert all(torch.equal(answer.picture, answers[0].picture) for answer in answers)


def test_the_files_run_by_themselves(net: FrdmNet, path: Path, tmp_path: Path) -> None:
    written = export("frdm", "onnx", tmp_path, path)
    names = ["frdm_guidance_5", "frdm_guidance_3", "frdm_guidance_1", "frdm_denoiser"]
    assert [file.name for file in written] == [f"{name}.onnx" for name in names]
    for file, frames in zip(written, (5, 3, 1), strict=False):
        given = guided(64, 32, frames, 1.0)
        session = onnxruntime.InferenceSession(file)
        inputs = graphs.guidance_graph(net, frames).inputs
        matte, kinds, *features = session.run(
            None, {name: value.numpy() for name, value in zip(inputs, given, strict=True)}
        )
        with torch.inference_mode():
            expected = net.guide(*given)
        assert float((torch.from_numpy(matte) - expected.matte_logits).abs().max()) < LOGITS_AGREE
        assert kinds.shape == (1, frames, 6, 64, 32) and [f.shape[-2] for f in features] == [32, 16, 8]


def test_what_frdm_cannot_be_exported_to_is_told_with_the_reason(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"follows motion between them.*choose --to onnx"):
        export("frdm", "torchscript", tmp_path, path)


def test_onnxruntime_in_bfloat16_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="works in float32, not in bfloat16: choose --backend torch"):
        FrdmRestorer(load_weights(path), CPU, "bfloat16", backend="onnx")


@pytest.fixture
def folder(path: Path, tmp_path: Path) -> Iterator[Path]:
    for file in (path, path.with_suffix(".json")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    yield tmp_path


@pytest.mark.parametrize(("has_amx", "chosen"), [(True, ("torch", "bfloat16")), (False, ("onnx", "float32"))])
def test_auto_takes_torch_where_the_processor_multiplies_bfloat16_and_onnxruntime_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch, has_amx: bool, chosen: tuple[str, str]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_amx})
    monkeypatch.setattr(frdm.exported, "ExportedNet", lambda net, device: net)  # which takes a second
    restorer = load_restorer("frdm", CPU, "auto", prior=str(folder))
    assert (restorer.backend, restorer.precision) == chosen
    asked = load_restorer("frdm", CPU, "onnx", prior=str(folder))
    assert (asked.backend, asked.precision) == ("onnx", "float32")
    asked = load_restorer("frdm", CPU, "torch", prior=str(folder))
    assert (asked.backend, asked.precision) == ("torch", precision_of(CPU))


def test_auto_takes_torch_where_onnxruntime_is_not_installed_and_on_other_devices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert backend_for("auto", CPU) == "onnx"
    assert backend_for("auto", CPU, "bfloat16") == "torch"
    assert backend_for("auto", torch.device("cuda")) == "torch"
    assert backend_for("onnx", torch.device("cuda")) == "onnx"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # there, and not to be imported
    runtime._has_onnx.cache_clear()
    try:
        assert backend_for("auto", CPU) == "torch"
    finally:
        runtime._has_onnx.cache_clear()


def test_an_unknown_backend_is_an_error_that_lists_them(path: Path) -> None:
    for ask in (lambda: backend_for("coreml", CPU), lambda: FrdmRestorer(load_weights(path), CPU, backend="coreml")):
        with pytest.raises(UsageError, match="the backend is 'coreml': choose one of torch, onnx, or auto"):
            ask()


def test_a_full_size_model_on_onnxruntime_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="runs on torch and not on 'onnx': choose --backend auto or torch"):
        load_restorer("frdm", CPU, "onnx", prior=str(tmp_path))


def test_the_shipped_weights_are_found_by_both_backends() -> None:
    stored: Weights = load_weights(Path(str(graphs.__file__)).parents[2] / "weights" / FACTS.weights)
    given = guided(32, 64, 5, 1.0)
    with torch.inference_mode():
        expected, found = stored.net.guide(*given), ExportedNet(stored.net, CPU).guide(*given)
    assert float((expected.matte_logits - found.matte_logits).abs().max()) < LOGITS_AGREE
