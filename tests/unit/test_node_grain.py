"""Laws of the grain node, on real files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from filmrestore.colour import open_colour
from filmrestore.errors import Cancelled, UsageError
from filmrestore.frame import Format
from filmrestore.grain import measure, stock, synthesise
from filmrestore.media import open_shot
from filmrestore.nodes.grain import GrainJob, apply_grain, grain
from filmrestore.settings import GrainSettings

SIZE = (96, 120)


@pytest.fixture(autouse=True)
def no_outer_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCIO", raising=False)


def picture(seed: int, number: int, strength: float = 1.0) -> np.ndarray:
    """A smooth picture with grain, net."""
    x = np.linspace(0.3, 0.6, SIZE[1], dtype=np.float32)[None, :, None]
    flat = np.broadcast_to(x, (*SIZE, 3)).copy()
    return flat + strength * synthesise(stock(), flat, seed, number)


def write(folder: Path, codes: np.ndarray, number: int, kind: str) -> None:
    folder.mkdir(exist_ok=True)
    path = str(folder / f"shot.{number:04d}.{kind}")
    spec = oiio.ImageSpec(codes.shape[1], codes.shape[0], codes.shape[2], codes.dtype.name.replace("float16", "half"))
    if kind == "dpx":
        spec.attribute("oiio:BitsPerSample", 10)
        codes = codes << 6
    out = oiio.ImageOutput.create(path)
    assert out.open(path, spec) and out.write_image(codes) and out.close()


def plate(folder: Path, kind: str, frames: int = 4, seed: int = 1, strength: float = 1.0) -> str:
    """A sequence of 8-bit PNG, 10-bit DPX or half EXR (with alpha) files; its pattern."""
    light = [np.sinh(picture(seed, number, strength) * 5) / 30 for number in range(1, frames + 1)]
    for number, frame in enumerate(light, start=1):
        if kind == "exr":
            alpha = np.random.default_rng(number).random((*SIZE, 1))
            write(folder, np.concatenate([frame, alpha], axis=2).astype(np.float16), number, kind)
        else:
            white, dtype = (255, np.uint8) if kind == "png" else (1023, np.uint16)
            write(folder, np.clip(np.rint(frame * white), 0, white).astype(dtype), number, kind)
    return str(folder / f"shot.####.{kind}")


def codes_of(pattern: str) -> list[np.ndarray]:
    with open_shot(pattern) as shot:
        return [shot.read(number).codes for number in shot.frames]


@pytest.mark.parametrize("kind", ["png", "dpx", "exr"])
def test_keep_is_the_identity_bit_for_bit(tmp_path: Path, kind: str) -> None:
    source = plate(tmp_path / "in", kind)
    if kind == "exr":
        frame = codes_of(source)[0]
        frame[3, 4, 1] = np.nan
        write(tmp_path / "in", frame, 1, kind)
    target = str(tmp_path / "out" / f"shot.####.{kind}")
    report = grain(GrainJob(source=source, output=target))
    assert report.made == 4 and report.own is None
    for before, after in zip(codes_of(source), codes_of(target), strict=True):
        np.testing.assert_array_equal(after.view(np.uint8), before.view(np.uint8))


def test_added_grain_leaves_alpha_and_differs_in_each_frame(tmp_path: Path) -> None:
    source = plate(tmp_path / "in", "exr")
    target = str(tmp_path / "out" / "shot.####.exr")
    grain(GrainJob(source=source, output=target, settings=GrainSettings(mode="add")))
    changes = []
    for before, after in zip(codes_of(source), codes_of(target), strict=True):
        np.testing.assert_array_equal(after[..., 3], before[..., 3])
        changes.append((after[..., :3].astype(np.float32) - before[..., :3]).ravel())
        assert changes[-1].std() > 0.001
    assert abs(np.corrcoef(changes[0], changes[1])[0, 1]) < 0.05


def test_no_grain_added_changes_no_code(tmp_path: Path) -> None:
    source = plate(tmp_path / "in", "dpx")
    target = str(tmp_path / "out" / "shot.####.dpx")
    grain(GrainJob(source=source, output=target, settings=GrainSettings(mode="add", amount=0.0)))
    for before, after in zip(codes_of(source), codes_of(target), strict=True):
        np.testing.assert_array_equal(after, before)


def test_match_gives_the_plate_the_references_grain(tmp_path: Path) -> None:
    source = plate(tmp_path / "in", "exr", strength=0.3)
    reference = plate(tmp_path / "reference", "exr", seed=9, strength=1.5)
    target = str(tmp_path / "out" / "shot.####.exr")
    report = grain(
        GrainJob(source=source, output=target, reference=reference, settings=GrainSettings(mode="match")),
    )
    assert report.own is not None and report.reference is not None
    with open_shot(target) as shot:
        colour = open_colour(shot.format, colourspace="scene_linear")
        made = measure([colour.to_net(shot.read(number).picture()) for number in shot.frames])
    wanted = [
        np.interp(0.5, report.reference.levels, column) for column in zip(*report.reference.deviation, strict=True)
    ]
    found = [np.interp(0.5, made.levels, column) for column in zip(*made.deviation, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=0.25)


def test_a_part_of_the_span_gives_the_same_frames_as_the_whole(tmp_path: Path) -> None:
    source = plate(tmp_path / "in", "dpx")
    settings = GrainSettings(mode="reduce", amount=0.5)
    whole, part = (str(tmp_path / name / "shot.####.dpx") for name in ("whole", "part"))
    grain(GrainJob(source=source, output=whole, settings=settings))
    grain(GrainJob(source=source, output=part, settings=settings, span="3-4"))
    for one, other in zip(codes_of(whole)[2:], codes_of(part), strict=True):
        np.testing.assert_array_equal(one, other)


def test_running_again_resumes_and_other_settings_start_anew(tmp_path: Path) -> None:
    job = GrainJob(
        source=plate(tmp_path / "in", "png"),
        output=str(tmp_path / "out" / "shot.####.png"),
        settings=GrainSettings(mode="add"),
    )
    assert grain(job).made == 4
    (tmp_path / "out" / "shot.0002.png").unlink()
    again = grain(job)
    assert (again.made, again.skipped) == (1, 3)
    other = GrainJob(source=job.source, output=job.output, settings=GrainSettings(mode="add", seed=1))
    assert grain(other).made == 4
    never = GrainJob(source=job.source, output=job.output, settings=GrainSettings(mode="keep"), overwrite="never")
    assert grain(never).skipped == 4


def test_a_newer_source_frame_is_made_again(tmp_path: Path) -> None:
    job = GrainJob(source=plate(tmp_path / "in", "png"), output=str(tmp_path / "out" / "shot.####.png"))
    grain(job)
    later = (tmp_path / "out" / "shot.0003.png").stat().st_mtime_ns + 10**9
    os.utime(tmp_path / "in" / "shot.0003.png", ns=(later, later))
    assert grain(job).made == 1


def test_the_recipe_names_what_made_the_frames(tmp_path: Path) -> None:
    source = plate(tmp_path / "in", "dpx")
    report = grain(
        GrainJob(source=source, output=str(tmp_path / "out" / "shot.####.dpx"), settings=GrainSettings(mode="add"))
    )
    recipe = json.loads(Path(report.recipe).read_text())
    assert recipe["settings"]["mode"] == "add"
    assert recipe["colour"]["colourspace"] == "Cineon" and recipe["colour"]["chosen_by"]
    assert report.own is not None and recipe["own_grain"] == report.own.to_dict()


def test_cancelling_keeps_what_is_finished(tmp_path: Path) -> None:
    source = plate(tmp_path / "in", "png")
    seen: list[int] = []
    job = GrainJob(source=source, output=str(tmp_path / "out" / "shot.####.png"))
    with pytest.raises(Cancelled):
        grain(job, progress=lambda stage, done, total: seen.append(done), cancelled=lambda: len(seen) > 2)
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    assert grain(job).skipped == 2


def test_match_without_a_reference_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reference"):
        grain(GrainJob(source="nowhere.####.png", output="x.####.png", settings=GrainSettings(mode="match")))
    assert not list(tmp_path.iterdir())


def test_one_channel_stays_one_channel() -> None:
    one_channel = Format(width=40, height=40, channels=("Y",), dtype="uint16", bits=10, container="dpx", lossless=True)
    codes = np.full((40, 40, 1), 500, np.uint16)
    colour = open_colour(one_channel, colourspace="cineon")
    net = colour.to_net(codes) + synthesise(stock(), colour.to_net(codes), 1, 1)[..., :1]
    made = apply_grain(codes, colour, GrainSettings(mode="add"), frame=1, own=measure([net]))
    assert made.shape == codes.shape and made.dtype == codes.dtype and made.std() > 1
