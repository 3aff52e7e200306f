"""frdm at full size, on tiny models of the real classes: what it fills, its modules, its folder, its memory."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from full_size import save_guidance, save_model

from filmrestore.bench.rows import restore_as_user
from filmrestore.errors import ResourceError, UsageError, WeightsError
from filmrestore.frame import Box
from filmrestore.restorers.base import Context, Origin, Restored, load_restorer
from filmrestore.restorers.frdm.ablations import Ablation, modules
from filmrestore.restorers.frdm.base import FIRES, MARGIN
from filmrestore.restorers.frdm.full import memory as planning
from filmrestore.restorers.frdm.full.configs import built, published, read_configs
from filmrestore.restorers.frdm.full.counting import peak_mib
from filmrestore.restorers.frdm.full.folder import Parts, load_parts
from filmrestore.restorers.frdm.full.guidance import FullGuidance, Told
from filmrestore.restorers.frdm.full.memory import memory, on_meta, plan, stages
from filmrestore.restorers.frdm.full.restorer import WHOLE, FullRestorer
from filmrestore.restorers.frdm.full.walk import walk
from filmrestore.settings import FRDM_MODULES, RestoreSettings

torch.set_num_threads(1)
# diffusers' Euler scheduler hands tensors to numpy the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CPU = torch.device("cpu")
HEIGHT, WIDTH = 70, 52  # no multiple of anything
HOLE = (slice(20, 44), slice(10, 40))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    kinds = {"motion": {}, "video": {}, "joined": {"joined": False, "controlnet": True}}
    for name, also in kinds.items():
        save_model(root / name, "video" if name == "video" else "motion", **also)
        save_guidance(root / name)
    return {name: root / name for name in kinds}


@pytest.fixture(scope="module")
def restorers(folders: dict[str, Path]) -> dict[str, FullRestorer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "PATCHES", (512,))
        loaded = {name: load_restorer("frdm", prior=str(folder)) for name, folder in folders.items()}
    assert all(isinstance(one, FullRestorer) for one in loaded.values())
    return loaded  # type: ignore[return-value]


def window(seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    wide = torch.rand(1, 3, HEIGHT // 5, WIDTH // 4 + 3, generator=random)
    wide = torch.nn.functional.interpolate(wide, size=(HEIGHT, WIDTH + 8), mode="bilinear")[0]
    return torch.stack([wide[:, :, 2 * frame : 2 * frame + WIDTH] for frame in range(5)])


def context(**settings: object) -> Context:
    random = torch.Generator().manual_seed(1)
    matte = torch.zeros(5, 1, HEIGHT, WIDTH)
    matte[(slice(1, 4), 0, *HOLE)] = 1.0
    whole_matte = torch.zeros(5, 1, 40, 48)
    whole_matte[2, 0, 10:16, 10:20] = 1.0
    return Context(
        frames=tuple(range(101, 106)),
        present=(True,) * 5,
        box=Box(x0=16, y0=8, x1=16 + WIDTH, y1=8 + HEIGHT),
        full=(160, 192),
        overview=torch.rand(3, 64, 64, generator=random),
        settings=RestoreSettings.from_dict({"steps": 2, **settings}),
        matte=matte,
        whole=torch.rand(5, 3, 40, 48, generator=random),
        whole_matte=whole_matte,
    )


def inside(picture: torch.Tensor) -> torch.Tensor:
    return picture[(..., *HOLE)]


@pytest.mark.parametrize("name", ["motion", "video", "joined"])
def test_each_backbone_paints_the_hole_and_nothing_else(restorers: dict[str, FullRestorer], name: str) -> None:
    scan = window()
    restorer = restorers[name]
    painted = restorer(scan, context(prompt="a street"))
    recovered = restorer(scan, context(quality="preview"))
    assert painted.picture.shape == (3, 3, HEIGHT, WIDTH)
    assert painted.picture.isfinite().all()
    assert inside((painted.picture - recovered.picture).abs()).amax() > 0.04
    assert int(Origin.GENERATED) in painted.origin.flatten().tolist()
    near = torch.nn.functional.max_pool2d((painted.matte >= FIRES).float(), 2 * MARGIN + 1, stride=1, padding=MARGIN)
    quiet = near.expand(-1, 3, -1, -1) == 0
    assert torch.equal(painted.picture[quiet], recovered.picture[quiet])
    assert torch.equal(painted.matte, recovered.matte)  # what is found does not depend on who fills


def test_the_same_seed_gives_the_same_picture_and_another_another(restorers: dict[str, FullRestorer]) -> None:
    first, again, other = (restorers["motion"](window(), context(seed=seed)).picture for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_light_above_one_and_below_zero_is_not_clipped(restorers: dict[str, FullRestorer]) -> None:
    scan = window() + 6.0
    scan[:, :, :10] = -2.0
    painted = restorers["motion"](scan, context())
    assert inside(painted.picture).mean() > 5.0
    assert painted.picture.isfinite().all()


def test_single_frames_and_ends_of_a_shot_work(restorers: dict[str, FullRestorer]) -> None:
    alone = restorers["motion"](window(), context(temporal_radius=0))
    assert alone.picture.isfinite().all()
    ends = restorers["video"](window(), replace(context(), present=(False, False, True, True, True)))
    assert ends.picture.isfinite().all()


def test_what_is_no_number_stays_in_its_place(restorers: dict[str, FullRestorer]) -> None:
    scan, told = window(), context(without="global")
    scan[2, :, 30, 20] = float("nan")
    assert told.whole is not None
    told.whole[2, :, 5, 5] = float("nan")
    painted = restorers["motion"](scan, told)
    assert painted.picture.isfinite().all()
    assert painted.matte[1, 0, 30, 20] == 0


def test_a_run_paints_with_the_folder_and_leaves_the_rest(folders: dict[str, Path], tmp_path: Path) -> None:
    codes = (window().permute(0, 2, 3, 1).numpy() * 40000 + 8000).astype("uint16")
    scan = np.repeat(np.repeat(codes, 2, axis=1), 2, axis=2)
    scan[2, 50:58, 30:40] = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "PATCHES", (96,))  # smaller than the frame, and so small that networks are sent back
        settings = RestoreSettings(prior=str(folders["motion"]), steps=2, guard=0.0)
        answer = restore_as_user(scan, tmp_path, settings, "cpu")
    assert answer.matte is not None
    assert (answer.matte[2, 50:58, 30:40] > 0).mean() > 0.5
    assert (answer.result[2, 50:58, 30:40] != 0).mean() > 0.5
    assert np.array_equal(answer.result[answer.matte == 0], scan[answer.matte == 0])


def test_a_prompt_is_read(restorers: dict[str, FullRestorer]) -> None:
    told = restorers["motion"](window(), context(prompt="a cat"))
    assert not torch.equal(told.picture, restorers["motion"](window(), context()).picture)


MODULES = [one for one in modules("full") if not {"guard", "grain"} & set(one.settings)]


@pytest.fixture(scope="module")
def with_all(restorers: dict[str, FullRestorer]) -> Restored:
    return restorers["motion"](window(), context(prompt="a cat"))


@pytest.mark.parametrize("ablation", MODULES, ids=lambda one: str(one.name))
def test_a_module_that_is_off_is_missed(
    restorers: dict[str, FullRestorer], with_all: Restored, ablation: Ablation
) -> None:
    changed = restorers["motion"](window(), context(prompt="a cat", **ablation.settings))
    told = changed.matte if ablation.name == "evidence" else inside(changed.picture)
    before = with_all.matte if ablation.name == "evidence" else inside(with_all.picture)
    assert (told - before).abs().max() > 1e-5


def test_everything_can_be_off_at_once(restorers: dict[str, FullRestorer]) -> None:
    assert restorers["video"](window(), context(without=",".join(FRDM_MODULES))).picture.isfinite().all()


def test_an_untrained_guidance_network_leaves_the_backbone_as_it_is(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["motion"], tmp_path / "model", ignore=shutil.ignore_patterns("guidance"))
    save_guidance(tmp_path / "model", speaks=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "PATCHES", (512,))
        restorer = load_restorer("frdm", prior=str(tmp_path / "model"))
    told = restorer(window(), context()).picture
    assert torch.equal(told, restorer(window(), context(without="guidance")).picture)


def test_the_low_resolution_result_is_made_once_for_all_patches(restorers: dict[str, FullRestorer]) -> None:
    restorer = restorers["video"]
    restorer(window(), context(seed=77))
    kept = list(restorer._led)
    moved = replace(context(seed=77), box=Box(x0=60, y0=40, x1=60 + WIDTH, y1=40 + HEIGHT))
    restorer(window(3), moved)
    assert list(restorer._led) == kept


def test_only_the_guidance_network_would_learn(folders: dict[str, Path]) -> None:
    parts = load_parts(folders["motion"], torch.float32)
    assert not any(p.requires_grad for network in parts.networks.values() for p in network.parameters())
    net = parts.guidance.requires_grad_(True)
    z, plane = torch.randn(3, 4, 8, 8), torch.ones(3, 1, 8, 8)
    told = Told(
        z,
        z,
        plane,
        plane,
        z,
        torch.randn(1, 5, 16),
        torch.randn(1, 16, 12),
        torch.tensor([[0.1, 0.2, 0.7, 0.9]]),
        plane[None, :, 0, 0, 0] > 0,
    )
    residuals = net(z, 0.5, told)
    sum((part**2).mean() for part in (*residuals.down, residuals.middle)).backward()
    silent = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == [], "a part of the guidance network reaches nothing"


def test_residuals_have_the_backbones_shapes_on_a_published_model() -> None:
    configs = published("motion")
    with torch.device("meta"):
        net: FullGuidance = built("guidance", configs)  # type: ignore[assignment]
        z, plane = torch.zeros(5, 4, 32, 32), torch.zeros(5, 1, 32, 32)
        told = Told(
            z,
            z,
            plane,
            plane,
            z,
            torch.zeros(1, 77, 768),
            torch.zeros(1, 256, 1280),
            torch.zeros(1, 4),
            torch.ones(1, 5) > 0,
        )
        residuals = net(z, 1.0, told)
    assert [tuple(part.shape[1:]) for part in residuals.down] == [
        *[(320, 32, 32)] * 3,
        (320, 16, 16),
        *[(640, 16, 16)] * 2,
        (640, 8, 8),
        *[(1280, 8, 8)] * 2,
        (1280, 4, 4),
        *[(1280, 4, 4)] * 2,
    ]
    assert residuals.middle.shape == (5, 1280, 4, 4)


def test_the_global_residual_has_demofusions_weights() -> None:
    from diffusers import DDIMScheduler

    seen: list[torch.Tensor] = []

    def predict(noisy: torch.Tensor, time: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append(noisy.clone())
        return torch.zeros_like(noisy)

    pattern = DDIMScheduler(clip_sample=False)
    base, whole, drawn = torch.zeros(1, 4, 2, 2), torch.ones(1, 4, 2, 2), torch.zeros(1, 4, 2, 2)
    hole = torch.ones(1, 1, 2, 2, dtype=torch.bool)
    walk(predict, pattern, base, base, hole, drawn, steps=2, whole=whole)
    pattern.set_timesteps(2)
    first, second = (pattern.alphas_cumprod[int(time)].sqrt() for time in pattern.timesteps)
    torch.testing.assert_close(seen[0], first.expand(1, 4, 2, 2))  # share 1: nothing of the base
    scale = (second / first) * first  # a step that predicts no noise only rescales
    share = 0.5**3  # ((1 + cos(pi / 2)) / 2) cubed
    torch.testing.assert_close(seen[1], (scale * (1 - share) + second * share).expand(1, 4, 2, 2))


def test_outside_the_hole_the_walk_ends_on_the_scan() -> None:
    from diffusers import EulerDiscreteScheduler

    hole = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    hole[:, :, 1:3, 1:3] = True
    scan = torch.randn(2, 4, 4, 4)
    answer = walk(lambda z, t, s: z, EulerDiscreteScheduler(), scan + 1, scan, hole, torch.randn(2, 4, 4, 4), steps=3)
    assert torch.equal(answer.masked_fill(hole, 0), scan.masked_fill(hole, 0))


def gone(part: str) -> Callable[[Path], object]:
    return lambda folder: shutil.rmtree(folder / part)


def config(part: str, **values: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / part / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no U-Net": (gone("unet"), r"has no unet/.*docs/models/frdm-full\.md"),
    "no text encoder": (gone("text_encoder"), r"has no text_encoder/.*published model"),
    "no tokenizer": (gone("tokenizer"), r"has no tokenizer/"),
    "no scheduler": (gone("scheduler"), r"no scheduler/scheduler_config\.json"),
    "no guidance": (gone("guidance"), r"has no guidance/.*python -m filmrestore\.restorers\.frdm\.full\.start"),
    "another class": (config("unet", _class_name="UNet2DModel"), r"holds a UNet2DModel.*one of UNetMotionModel"),
    "another size": (config("guidance", text=24), r"text tokens of 24.*want 16"),
    "a plain U-Net alone": (config("unet", _class_name="UNet2DConditionModel"), r"MotionAdapter into"),
    "pickled weights": (
        lambda folder: (folder / "vae" / "diffusion_pytorch_model.safetensors").rename(folder / "vae" / "model.bin"),
        r"no \.safetensors.*pickles are not read",
    ),
    "cut weights": (
        lambda folder: (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"12345678"),
        r"cannot load the AutoencoderKL",
    ),
    "no JSON": (lambda folder: (folder / "vae" / "config.json").write_text("{"), r"is no JSON"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_folder_is_told_with_a_remedy(folders: dict[str, Path], tmp_path: Path, what: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["motion"], folder)
    breaks, message = BROKEN[what]
    breaks(folder)
    with pytest.raises(WeightsError, match=message):
        load_parts(folder, torch.float32)


def test_a_path_that_is_no_folder_is_told() -> None:
    with pytest.raises(WeightsError, match="is no folder"):
        load_restorer("frdm", prior="/nowhere/at/all")


def test_without_transformers_the_extra_is_named(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"filmrestore\[full\]"):
        load_parts(folders["motion"], torch.float32)


def test_other_weights_are_another_hash(restorers: dict[str, FullRestorer]) -> None:
    assert len({one.weights_hash for one in restorers.values()}) == len(restorers)
    assert all(one.facts.whole == WHOLE for one in restorers.values())


def alive_mib(work: Callable[[], object]) -> float:
    """Peak of what torch's own allocator handed out meanwhile, as its profiler saw it."""
    with (
        torch.no_grad(),
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen,
    ):
        work()
    assert seen.profiler is not None
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda one: one.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak / 2**20


def on_cpu(folder: Path) -> Parts:
    return load_parts(folder, torch.float32)


@pytest.mark.parametrize("name", ["motion", "video"])
def test_counted_memory_is_that_which_the_allocator_hands_out(folders: dict[str, Path], name: str) -> None:
    counted = stages(on_meta(read_configs(folders[name]), torch.float32), 128, 5)
    real = stages(on_cpu(folders[name]), 128, 5, device="cpu")
    for stage in ("encode", "step", "decode"):
        measured = alive_mib(real[stage])
        assert peak_mib(counted[stage]) == pytest.approx(measured, rel=0.15), stage


def test_attention_without_fused_kernels_takes_more(folders: dict[str, Path]) -> None:
    work = stages(on_meta(read_configs(folders["motion"]), torch.float32), 256, 5)["step"]
    assert peak_mib(work, fused=False) > 2 * peak_mib(work)


def test_a_small_card_gets_offloading_then_smaller_patches_then_an_error(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "PATCHES", (128, 64))
    monkeypatch.setattr(planning, "LEAST", 128)
    configs = read_configs(folders["motion"])
    whole, offloaded = (memory(configs, 128, offload=offload, dtype=torch.float32) for offload in (False, True))
    assert plan(configs, dtype=torch.float32).offload is False
    between = plan(configs, dtype=torch.float32, budget_mib=(whole.peak_mib + offloaded.peak_mib) / 2)
    assert (between.patch, between.offload) == (128, True)
    assert plan(configs, dtype=torch.float32, budget_mib=offloaded.peak_mib - 0.01).patch == 64
    with pytest.raises(ResourceError, match="use a larger card"):
        plan(configs, budget_mib=1500.0)
