"""iide: the latent model, its sampler, what the restorer keeps, its training, and Stable Diffusion's classes."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from training_runs import assert_same_run, make_data, stop_at

from filmrestore.errors import Cancelled, UsageError, WeightsError
from filmrestore.frame import Box
from filmrestore.restorers.base import Context, Origin
from filmrestore.restorers.frdm.fill import fill
from filmrestore.restorers.iide.latents import Seen
from filmrestore.restorers.iide.network import IideNet, laid_over, new_net
from filmrestore.restorers.iide.restorer import LUMA, IideRestorer, Piece, latent_noise, recoloured
from filmrestore.restorers.iide.sampler import agreed, condition_loss, consistent
from filmrestore.restorers.iide.small import SmallLatents
from filmrestore.restorers.stored import load_network
from filmrestore.settings import RestoreSettings
from filmrestore.training.footage import open_footage
from filmrestore.training.job import TrainJob, job_of
from filmrestore.training.loop import train
from filmrestore.training.publish import publish
from filmrestore.training.tasks.iide import CODER, CONTROL, LATENTS, LEARNS, IideTask

torch.set_num_threads(1)
CPU = torch.device("cpu")


def net() -> IideNet:
    """Untrained, with small values where it starts as zero."""
    torch.manual_seed(4)
    made = new_net("iide-test")
    with torch.no_grad():
        for parameter in made.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    return made.eval()


def small() -> SmallLatents:
    return SmallLatents(net(), "untrained", CPU)


def context_for(window: Tensor, matte: Tensor | None, box: Box | None = None, **settings: Any) -> Context:
    count, _, height, width = window.shape
    return Context(
        frames=tuple(range(1000, 1000 + count)),
        present=(True,) * count,
        box=box or Box(x0=7, y0=9, x1=7 + width, y1=9 + height),
        full=(height + 20, width + 20),
        overview=torch.zeros(3, 64, 64),
        settings=RestoreSettings(method="iide", **{"steps": 3, "start": 1.0, **settings}),
        matte=matte,
    )


def scene(height: int = 70, width: int = 90, seed: int = 3) -> Tensor:
    coarse = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(seed)) * 0.6 + 0.2
    frame = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    return frame.expand(3, -1, -1, -1).clone()


def matte_at(window: Tensor, *boxes: tuple[int, int, int, int]) -> Tensor:
    matte = torch.zeros_like(window[:, :1])
    for y0, y1, x0, x1 in boxes:
        matte[:, :, y0:y1, x0:x1] = 1
    return matte


def seen_of(model: Any, height: int = 32, width: int = 48) -> Seen:
    picture = scene(height, width)[:1] * 2 - 1
    hole = torch.zeros(1, 1, height, width)
    hole[..., 10:17, 12:21] = 1
    return Seen(picture=picture, latent=model.encode(picture).detach(), hole=hole, factor=model.factor)


def test_the_shipped_size_is_small() -> None:
    with torch.device("meta"):
        made = new_net()
    count = sum(parameter.numel() for parameter in made.parameters())
    assert count < 6e6 and 2 * count < 15e6  # in float16


def test_an_untrained_control_branch_changes_nothing() -> None:
    torch.manual_seed(1)
    made = new_net("iide-test").eval()
    with torch.no_grad():
        made.unet.head.weight.normal_()
        x, time, scan = torch.randn(1, 4, 8, 12), torch.tensor([300.0]), torch.randn(1, 4, 8, 12)
        features = made.control(x, time, scan, torch.ones(1, 1, 32, 48))
        assert not any(part.any() for part in features)
        assert torch.equal(made.unet(x, time, features), made.unet(x, time)) and bool(made.unet(x, time).any())


def test_what_lies_far_away_changes_no_latent_and_no_pixel() -> None:
    made = net()
    picture = torch.rand(1, 3, 32, 256)
    other = torch.cat([picture[..., :128], torch.rand(1, 3, 32, 128)], dim=3)
    with torch.no_grad():
        z, z_other = made.coder.encode(picture), made.coder.encode(other)
        assert torch.equal(z[..., :16], z_other[..., :16]) and not torch.equal(z, z_other)
        assert torch.equal(made.coder.decode(z)[..., :40], made.coder.decode(z_other)[..., :40])


def test_degraded_again_is_the_scan_where_it_is_hidden_and_the_estimate_elsewhere() -> None:
    clean, scan = torch.zeros(1, 4, 2, 2), torch.ones(1, 4, 2, 2)
    hidden = torch.tensor([[0.0, 1.0], [0.25, 0.5]])[None, None]
    assert torch.equal(laid_over(clean, scan, hidden), hidden.expand(1, 4, 2, 2))


def test_internal_detail_brings_the_estimate_nearer_to_the_scans_condition() -> None:
    model = small()
    seen = seen_of(model)
    torch.manual_seed(0)
    x = torch.randn_like(seen.latent)
    with torch.no_grad():
        features = model.control(x, 500, seen, None)
        for _ in range(3):
            clean = seen.latent + 0.2 * torch.randn_like(seen.latent)
            moved = consistent(model, x, 500, clean, seen, features, None, 1.0)
            before = condition_loss(features, model.control(x, 500, seen.degraded(clean), None))
            after = condition_loss(features, model.control(x, 500, seen.degraded(moved), None))
            assert float(after) < 0.8 * float(before)
        at_rest = consistent(model, x, 500, seen.latent, seen, features, None, 1.0)
        assert torch.equal(at_rest, seen.latent)


def test_the_coders_own_loss_is_not_added_up_step_by_step() -> None:
    model = small()
    clean = torch.randn(1, 4, 8, 12)
    with torch.no_grad():
        assert float((agreed(model, clean, lambda picture: picture) - clean).abs().max()) < 1e-5


def test_every_pixel_that_is_known_stays_the_scans() -> None:
    window = scene()
    matte = matte_at(window, (20, 26, 30, 41), (0, 3, 80, 90))
    answer = IideRestorer(small(), None, CPU)(window, context_for(window, matte))
    hole = torch.nn.functional.max_pool2d(matte[:1], 5, stride=1, padding=2) > 0
    changed = (answer.picture != window[1:2]).any(dim=1, keepdim=True)
    assert bool(changed[hole].all()) and not bool(changed[~hole].any())
    assert torch.equal(answer.matte, matte[1:2])
    assert set(answer.origin[matte[1:2] > 0].tolist()) == {int(Origin.GENERATED)}
    assert not bool(answer.origin[matte[1:2] == 0].any())


def test_what_is_drawn_meets_its_surroundings_however_the_coder_is_off() -> None:
    window = torch.full((3, 3, 64, 64), 0.43)
    matte = matte_at(window, (30, 33, 30, 33))
    answer = IideRestorer(small(), None, CPU)(window, context_for(window, matte))
    drawn = answer.picture[matte[1:2].expand(-1, 3, -1, -1) > 0]
    assert abs(float(drawn.mean()) - 0.43) < 0.1  # the untrained coder alone is off by more than that
    with torch.no_grad():
        alone = small().decode(small().encode(torch.full((1, 3, 64, 64), 0.0)))
    assert float(alone.abs().max()) > 0.01


def test_a_bright_place_is_filled_as_bright() -> None:
    window = torch.full((3, 3, 64, 64), 8.0)
    matte = matte_at(window, (30, 40, 30, 40))
    answer = IideRestorer(small(), None, CPU)(window, context_for(window, matte))
    assert float(answer.picture.min()) > 7 and float(answer.picture.max()) < 9
    assert torch.equal(answer.picture[:, :, :20], window[1:2, :, :20])


def test_nan_beside_a_hole_does_not_spread_into_it() -> None:
    window = scene()
    window[:, :, 25, 44] = torch.nan
    matte = matte_at(window, (20, 26, 30, 41), (24, 27, 43, 46))
    answer = IideRestorer(small(), None, CPU)(window, context_for(window, matte))
    assert bool(torch.isfinite(answer.picture).all())
    assert float(answer.matte[0, 0, 25, 44]) == 0 and float(answer.matte[0, 0, 24, 43]) == 1


def test_another_seed_draws_other_pixels_and_the_same_seed_the_same() -> None:
    window = scene()
    matte = matte_at(window, (20, 40, 30, 60))
    made = IideRestorer(small(), None, CPU)
    first, again, other = (made(window, context_for(window, matte, seed=seed)).picture for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_overlapping_patches_draw_the_same_pixels() -> None:
    window = scene(96, 160)
    matte = matte_at(window, (40, 44, 76, 82))
    made = IideRestorer(small(), None, CPU)
    answers = []
    for x0, x1 in ((0, 128), (24, 160)):
        part, box = window[..., x0:x1], Box(x0=x0, y0=0, x1=x1, y1=96)
        answer = made(part, context_for(part, matte[..., x0:x1], box)).picture
        answers.append(answer[..., 70 - x0 : 90 - x0])
    assert float((answers[0] - answers[1]).abs().max()) < 1e-5


def test_a_piece_is_on_the_frames_grid_and_comes_back_as_it_was() -> None:
    plane = torch.arange(30.0 * 41).view(1, 1, 30, 41)
    for part in (Box(x0=0, y0=0, x1=5, y1=4), Box(x0=33, y0=20, x1=41, y1=30), Box(x0=10, y0=3, x1=20, y1=19)):
        piece = Piece.around(part, Box(x0=21, y0=-5, x1=62, y1=25), 16)
        cut = piece.cut(plane)
        assert piece.absolute.x0 % 16 == piece.absolute.y1 % 16 == 0
        assert cut.shape[-2:] == (piece.absolute.height, piece.absolute.width)
        assert torch.equal(piece.back(cut), plane[(..., *piece.inside.slices)])
        assert piece.inside.x0 <= part.x0 and piece.inside.y1 >= part.y1


def test_noise_belongs_to_the_cell_and_not_to_the_piece() -> None:
    model = small()
    wide = latent_noise(5, 3, Box(x0=-16, y0=0, x1=64, y1=32), model)
    part = latent_noise(5, 3, Box(x0=16, y0=16, x1=48, y1=32), model)
    assert torch.equal(wide[..., 4:, 8:16], part)


def test_colour_only_keeps_the_scans_light() -> None:
    window = scene()
    matte = matte_at(window, (20, 40, 30, 60))
    made = IideRestorer(small(), None, CPU)
    answer = made(window, context_for(window, matte, colour_only=True)).picture
    weights = torch.tensor(LUMA)[None, :, None, None]
    light = [(picture * weights).sum(dim=1) for picture in (answer, window[1:2])]
    assert float((light[0] - light[1]).abs().max()) < 1e-5
    assert float((answer - window[1:2]).abs().max()) > 0.01
    assert torch.allclose(recoloured(answer, window[1:2]), answer, atol=1e-6)


def test_a_preview_is_a_fill_and_asks_no_model() -> None:
    window = scene()
    matte = matte_at(window, (20, 26, 30, 41))
    answer = IideRestorer(replace_predict(small()), None, CPU)(window, context_for(window, matte, quality="preview"))
    hole = torch.nn.functional.max_pool2d(matte[:1], 5, stride=1, padding=2)
    wanted = torch.where(hole > 0, fill(window[1:2], hole), window[1:2])
    assert torch.equal(answer.picture, wanted)
    assert set(answer.origin.unique().tolist()) == {int(Origin.UNTOUCHED), int(Origin.INTERPOLATED)}


def replace_predict(model: SmallLatents) -> SmallLatents:
    def refuse(*_: object) -> Tensor:
        raise AssertionError("the model was asked")

    model.predict = refuse  # type: ignore[method-assign]
    return model


def test_the_constraint_can_be_switched_off_and_then_costs_nothing() -> None:
    window = scene()
    matte = matte_at(window, (20, 26, 30, 41))
    asked = []

    class Counting(SmallLatents):
        def control(self, *given: Any) -> Any:
            asked.append(1)
            return super().control(*given)

    made = IideRestorer(Counting(net(), "", CPU), None, CPU)
    pictures = []
    for detail, looks in ((0.0, 3), (1.0, 6)):
        asked.clear()
        pictures.append(made(window, context_for(window, matte, internal_detail=detail)).picture)
        assert len(asked) == looks
    assert not torch.equal(*pictures)


@pytest.mark.parametrize("words", [{"prompt": "a red coat"}, {"negative_prompt": "blur"}])
def test_words_without_a_model_that_reads_them_are_refused_with_the_remedy(words: dict[str, str]) -> None:
    window = scene()
    with pytest.raises(UsageError, match=r"reads no text: name a folder of Stable Diffusion 2\.1 .* --prior"):
        IideRestorer(small(), None, CPU)(window, context_for(window, matte_at(window), **words))


def test_no_matte_and_nothing_to_find_one_is_an_error_that_says_what_to_do() -> None:
    window = scene()
    with pytest.raises(UsageError, match="give --defect-map, or train"):
        IideRestorer(small(), None, CPU)(window, context_for(window, None))


def test_works_where_the_caller_is_in_inference_mode() -> None:
    window = scene()
    matte = matte_at(window, (20, 26, 30, 41))
    made = IideRestorer(small(), None, CPU)
    plain = made(window, context_for(window, matte)).picture
    with torch.inference_mode():
        inside = made(window.clone(), context_for(window, matte.clone())).picture
    assert torch.equal(plain, inside)


FOUND = "transformers reads Stable Diffusion's prompts and is not installed: pip install 'filmrestore[full]'"


@pytest.fixture(scope="module")
def stable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion's own classes with tiny random weights and a vocabulary of letters, as diffusers writes them."""
    transformers = pytest.importorskip("transformers", reason=FOUND)
    from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel

    folder = tmp_path_factory.mktemp("stable")
    torch.manual_seed(11)
    groups = {"norm_num_groups": 4}
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 8), layers_per_block=1, latent_channels=4, scaling_factor=0.18215, **groups,
    )  # fmt: skip
    shared: dict[str, Any] = {
        "block_out_channels": (8, 16), "layers_per_block": 1, "cross_attention_dim": 16, "attention_head_dim": (2, 2),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "use_linear_projection": True, **groups,
    }  # fmt: skip
    unet = UNet2DConditionModel(up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **shared)
    control = ControlNetModel(conditioning_channels=5, conditioning_embedding_out_channels=(8,), **shared)
    with torch.no_grad():
        for parameter in control.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.2)
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction"
    )
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    words = [*letters, "re", "red</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "words").mkdir()
    (folder / "words" / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "words" / "merges.txt").write_text("#version: 0.2\nr e\nre d</w>\n")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(str(folder / "words"), model_max_length=16)
    reading = transformers.CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        eos_token_id=len(words) - 1,
        bos_token_id=len(words) - 2,
    )
    text = transformers.CLIPTextModel(reading)
    parts = {"vae": vae, "unet": unet, "controlnet": control, "scheduler": scheduler, "text_encoder": text}
    for name, part in {**parts, "tokenizer": tokenizer}.items():
        part.save_pretrained(str(folder / name))
    return folder


@pytest.fixture
def full_size(stable: Path) -> IideRestorer:
    from filmrestore.restorers.iide.stable import stable_from_folder

    return IideRestorer(stable_from_folder(stable, CPU), None, CPU)


def test_stable_diffusion_of_a_folder_works_end_to_end(full_size: IideRestorer) -> None:
    window = scene()
    matte = matte_at(window, (20, 26, 30, 41))
    assert full_size.facts.patch == 512 and "prompt" in full_size.facts.needs
    pictures = {
        words: full_size(window, context_for(window, matte, prompt=words, guidance_scale=4.0)).picture
        for words in ("", "red coat", "blue")
    }
    hole = torch.nn.functional.max_pool2d(matte[:1], 5, stride=1, padding=2).expand(-1, 3, -1, -1) > 0
    for picture in pictures.values():
        assert torch.equal(picture[~hole], window[1:2][~hole]) and bool(torch.isfinite(picture).all())
    assert not torch.equal(pictures["red coat"], pictures["blue"])
    assert not torch.equal(pictures["red coat"], pictures[""])


def test_guidance_and_the_constraint_change_what_stable_diffusion_draws(full_size: IideRestorer) -> None:
    window = scene()
    matte = matte_at(window, (20, 26, 30, 41))
    told = {"prompt": "red", "negative_prompt": "blur"}
    plain, led, free = (
        full_size(window, context_for(window, matte, **told, **more)).picture
        for more in ({"guidance_scale": 1.0}, {"guidance_scale": 8.0}, {"guidance_scale": 1.0, "internal_detail": 0.0})
    )
    assert not torch.equal(plain, led) and not torch.equal(plain, free)


def test_a_prompt_that_is_too_long_is_refused(full_size: IideRestorer) -> None:
    window = scene()
    with pytest.raises(UsageError, match="tokens long and 16 are read: shorten it"):
        full_size(window, context_for(window, matte_at(window), prompt="coat " * 20))


def test_a_control_branch_that_reads_pictures_leads_too_and_none_is_no_error(stable: Path, tmp_path: Path) -> None:
    from diffusers import ControlNetModel

    from filmrestore.restorers.iide.stable import stable_from_folder

    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("vae", "unet", "scheduler", "text_encoder", "tokenizer"):
        (bare / name).symlink_to(stable / name)
    window = scene()
    context = context_for(window, matte_at(window, (20, 26, 30, 41)))
    alone = stable_from_folder(bare, CPU)
    without = IideRestorer(alone, None, CPU)(window, context).picture
    settings = dict(ControlNetModel.load_config(str(stable / "controlnet")))
    settings |= {"conditioning_channels": 3, "conditioning_embedding_out_channels": (4, 4)}
    torch.manual_seed(2)
    control = ControlNetModel.from_config(settings)
    with torch.no_grad():
        for parameter in control.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.2)
    control.save_pretrained(str(bare / "controlnet"))
    led = stable_from_folder(bare, CPU)
    assert not alone.consistent and not led.consistent and alone.digest != led.digest
    assert not torch.equal(IideRestorer(led, None, CPU)(window, context).picture, without)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "unet").rename(folder / "net"), "has no unet/"),
        (lambda folder: _set(folder / "unet", _class_name="UNet2DModel"), "holds a UNet2DModel"),
        (lambda folder: _set(folder / "unet", in_channels=9), "cannot load"),
        (lambda folder: _set(folder / "controlnet", conditioning_channels=2), "cannot load"),
        (lambda folder: _pickled(folder / "vae"), "as safetensors"),
        (lambda folder: _set(folder / "scheduler", prediction_type="flow"), "prediction_type is 'flow'"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(stable: Path, tmp_path: Path, spoil: Any, message: str) -> None:
    from filmrestore.restorers.iide.stable import stable_from_folder

    folder = tmp_path / "copy"
    shutil.copytree(stable, folder)
    spoil(folder)
    with pytest.raises(WeightsError, match=message):
        stable_from_folder(folder, CPU)


def _set(part: Path, **values: object) -> None:
    path = next(part.glob("*config.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def _pickled(part: Path) -> None:
    (part / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({}, part / "diffusion_pytorch_model.bin")


def test_a_prompt_reads_the_same_whatever_is_in_the_negative_one(full_size: IideRestorer) -> None:
    model = full_size._model
    one, other = model.words("red", ""), model.words("red", "blur")
    assert one is not None and other is not None
    assert torch.equal(one.asked, other.asked) and not torch.equal(one.avoided, other.avoided)


def test_without_transformers_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filmrestore.restorers.iide.stable import stable_from_folder

    monkeypatch.setitem(sys.modules, "transformers", None)
    for name in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match=r"pip install 'filmrestore\[full\]'"):
        stable_from_folder(tmp_path, CPU)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), coarse=24)


def job(data: Path, out: Path, **changes: Any) -> TrainJob:
    stages = tuple(replace(stage, size=32, batch=2) for stage in (CODER, LATENTS, CONTROL))
    given = {"samples": 24, "stages": stages, "network": {"size": "iide-test"}, "warm_up": 2, "workers": 0, "seed": 5}
    return job_of("iide", data=data, out=out, cache=data / "cache", **{"validation": 0, **given, **changes})


def test_a_draw_of_each_stage_is_the_same_whenever_it_is_drawn(data: Path, tmp_path: Path) -> None:
    footage = open_footage(data, data / "cache")
    asked = job(data, tmp_path)
    for stage in asked.stages:
        one, again, other = (IideTask().draw(footage, 3, number, stage, {}) for number in (4, 4, 5))
        assert all(torch.equal(one[name], again[name]) for name in one)
        assert not torch.equal(one["picture"], other["picture"])
        assert all(float(part.min()) >= -1 and float(part.max()) <= 1 for part in one.values())


def test_scan_and_picture_are_equal_outside_the_hole(data: Path) -> None:
    footage = open_footage(data, data / "cache")
    marked = 0
    for number in range(8):
        drawn = IideTask().draw(footage, 3, number, replace(CONTROL, size=48), {})
        off = (drawn["scan"] - drawn["picture"]).abs().amax(dim=1, keepdim=True)
        assert float((off * (1 - drawn["hole"])).max()) < 0.1
        marked += int(drawn["hole"].any())
    assert marked > 2


def test_each_stage_teaches_its_part_and_leaves_the_others(data: Path, tmp_path: Path) -> None:
    asked = job(data, tmp_path)
    footage = open_footage(data, asked.footage)
    for stage in asked.stages:
        made, task = net().train(), IideTask()
        for name, parameter in made.named_parameters():
            parameter.requires_grad_(not name.startswith(task.frozen(stage)))
        samples = {name: part.expand(2, -1, -1, -1) for name, part in task.draw(footage, 1, 2, stage, {}).items()}
        task.loss(made, samples, torch.Generator().manual_seed(1), stage).total.backward()
        taught = {name.split(".")[0] for name, part in made.named_parameters() if part.grad is not None}
        assert taught == {LEARNS[stage.name].rstrip(".")}


def test_the_control_branch_starts_as_a_copy_of_what_will_be_shipped(data: Path) -> None:
    made, average = net(), {name: value + 1 for name, value in net().state_dict().items()}
    IideTask().before_stage(CONTROL, made, average)
    for name, value in made.unet.way.state_dict().items():
        assert torch.equal(value, average[f"unet.way.{name}"])
        assert torch.equal(made.control.way.state_dict()[name], value)
        assert torch.equal(average[f"control.way.{name}"], value)


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits(data: Path, tmp_path: Path) -> None:
    whole, parts = job(data, tmp_path / "whole"), job(data, tmp_path / "parts", checkpoint_s=0.0)
    assert train(whole).finished
    with pytest.raises(Cancelled):
        train(parts, stop_at(14))  # among the latents
    assert train(parts).finished
    assert_same_run(whole.out, parts.out, updates=12)


def test_what_is_published_is_loaded_and_measured(data: Path, tmp_path: Path) -> None:
    train(job(data, tmp_path / "run"))
    card = publish(tmp_path / "run", tmp_path / "iide.safetensors", windows=4)
    assert set(card["figures"]) == {"scan", "surroundings", "drawn", "drawn without internal detail", "coder"}
    stored = load_network(IideNet, tmp_path / "iide.safetensors", "")
    window = scene()
    made = IideRestorer(SmallLatents(stored.net, stored.digest, CPU), None, CPU)
    answer = made(window, context_for(window, matte_at(window, (20, 26, 30, 41))))
    assert bool(torch.isfinite(answer.picture).all())
