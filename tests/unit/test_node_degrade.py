"""Laws of the degrade node, on small shots on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from film import picture, read_codes, write_image, write_shot
from filmrestore.errors import Cancelled, MissingFrames, UsageError
from filmrestore.nodes.degrade import DegradeJob, degrade
from filmrestore.settings import DegradeSettings, preset

MARKS = DegradeSettings(
    dust=60,
    dust_size=12,
    dirt=25,
    dirt_size=12,
    hair=20,
    hair_size=6,
    scratches=3,
    scanner_blur=8,
    polarity="mixed",
    seed=3,
)
NAMES = [f"shot.{number}.png" for number in range(1000, 1004)]


def job(source: str, folder: Path, **changes: object) -> DegradeJob:
    values: dict[str, object] = {"settings": MARKS, "colourspace": "srgb"} | changes
    return DegradeJob(source=source, output=str(folder / "scan" / "shot.####.png"), **values)


def full(source: str, folder: Path, **changes: object) -> DegradeJob:
    return job(
        source, folder, truth_out=str(folder / "truth" / "shot.####.png"), masks_out=str(folder / "masks"), **changes
    )


def codes(folder: Path) -> list[np.ndarray]:
    return [read_codes(folder / name) for name in NAMES]


def test_amounts_of_zero_write_the_same_codes(tmp_path: Path):
    source = write_shot(tmp_path / "clean", 4)
    degrade(full(source, tmp_path, settings=preset("none")))
    for clean, scan, truth in zip(
        *map(codes, (tmp_path / "clean", tmp_path / "scan", tmp_path / "truth")), strict=True
    ):
        assert np.array_equal(clean, scan) and np.array_equal(clean, truth)
    assert not read_codes(tmp_path / "masks" / "united" / "shot.1000.png").any()


def test_codes_outside_the_masks_are_the_truth_s_and_the_source_s(tmp_path: Path):
    source = write_shot(tmp_path / "clean", 4)
    report = degrade(full(source, tmp_path))
    for name in NAMES:
        mask = read_codes(tmp_path / "masks" / "united" / name)[:, :, 0]
        scan, truth = (read_codes(tmp_path / part / name) for part in ("scan", "truth"))
        assert np.array_equal(scan[mask == 0], truth[mask == 0])
        assert 0.01 < (mask > 0).mean() < 0.9
        assert (scan != truth).any(axis=2)[mask > 0.1 * 65535].mean() > 0.95
    assert (report.frames, report.made, report.skipped) == (4, 4, 0)
    assert 0.001 < report.covered < 0.3


def test_without_blur_untouched_pixels_keep_the_source_s_codes(tmp_path: Path):
    source = write_shot(tmp_path / "clean", 4)
    degrade(full(source, tmp_path, settings=DegradeSettings(dust=60, dust_size=12)))
    for name in NAMES:
        mask = read_codes(tmp_path / "masks" / "united" / name)[:, :, 0]
        clean, scan, truth = (read_codes(tmp_path / part / name) for part in ("clean", "scan", "truth"))
        assert np.array_equal(clean, truth)
        assert np.array_equal(scan[mask == 0], clean[mask == 0]) and not np.array_equal(scan, clean)


def test_each_kind_that_is_turned_on_has_its_masks_on_every_frame(tmp_path: Path):
    degrade(full(write_shot(tmp_path / "clean", 4), tmp_path))
    folders = {path.name: sorted(file.name for file in path.iterdir()) for path in (tmp_path / "masks").iterdir()}
    assert folders == dict.fromkeys(("united", "dust", "dirt", "hair", "scratch"), NAMES)
    planes = [read_codes(tmp_path / "masks" / kind / NAMES[1]).astype(np.float64) / 65535 for kind in folders]
    united = read_codes(tmp_path / "masks" / "united" / NAMES[1]).astype(np.float64) / 65535
    parts = [plane for kind, plane in zip(folders, planes, strict=True) if kind != "united"]
    clear = np.prod([1.0 - part for part in parts], axis=0)
    assert np.abs(1.0 - clear - united).max() < 4 / 65535


def test_a_chunk_gives_the_frames_of_the_whole_run(tmp_path: Path):
    source = write_shot(tmp_path / "clean", 6)
    whole = degrade(job(source, tmp_path / "whole"))
    degrade(job(source, tmp_path / "chunk", span="1003-1004"))
    assert whole.made == 6
    for name in ("shot.1003.png", "shot.1004.png"):
        assert (tmp_path / "whole" / "scan" / name).read_bytes() == (tmp_path / "chunk" / "scan" / name).read_bytes()
    assert len(list((tmp_path / "chunk" / "scan").glob("*.png"))) == 2


def test_running_again_resumes_and_changed_settings_or_sources_are_made_again(tmp_path: Path):
    source = write_shot(tmp_path / "clean", 4)
    assert degrade(full(source, tmp_path)).made == 4
    assert degrade(full(source, tmp_path)).skipped == 4
    (tmp_path / "scan" / NAMES[2]).unlink()
    again = degrade(full(source, tmp_path))
    assert (again.made, again.skipped) == (1, 3)
    assert degrade(full(source, tmp_path, settings=DegradeSettings(dust=99, seed=8))).made == 4
    write_image(tmp_path / "clean" / NAMES[0], np.full((90, 133, 3), 30000, np.uint16))
    later = (tmp_path / "scan" / NAMES[3]).stat().st_mtime + 60
    os.utime(tmp_path / "clean" / NAMES[0], (later, later))
    assert degrade(full(source, tmp_path, settings=DegradeSettings(dust=99, seed=8))).made == 1
    assert degrade(full(source, tmp_path, overwrite="never")).made == 0
    assert degrade(full(source, tmp_path, overwrite="always")).made == 4


def test_the_recipe_names_settings_and_colour(tmp_path: Path):
    report = degrade(job(write_shot(tmp_path / "clean", 1), tmp_path))
    recipe = json.loads(Path(report.recipe).read_text())
    assert DegradeSettings.from_dict(recipe["settings"]) == MARKS
    assert recipe["colour"]["colourspace"].lower().startswith("srgb")


def test_a_single_channel_stays_one_and_alpha_passes_through(tmp_path: Path):
    grey = np.round(picture(1000, 60, 80)[:, :, :1] * 65535).astype(np.uint16)
    (tmp_path / "grey").mkdir()
    write_image(tmp_path / "grey" / "a.1000.tif", grey)
    degrade(DegradeJob(source=str(tmp_path / "grey"), output=str(tmp_path / "out" / "a.####.tif"), settings=MARKS))
    made = read_codes(tmp_path / "out" / "a.1000.tif")
    assert made.shape == grey.shape and not np.array_equal(made, grey)
    rgba = np.concatenate([picture(1000, 60, 80), np.full((60, 80, 1), 0.25)], axis=2).astype(np.float32)
    (tmp_path / "rgba").mkdir()
    write_image(tmp_path / "rgba" / "b.1000.exr", rgba)
    degrade(DegradeJob(source=str(tmp_path / "rgba"), output=str(tmp_path / "out" / "b.####.exr"), settings=MARKS))
    made = read_codes(tmp_path / "out" / "b.1000.exr")
    assert np.array_equal(made[:, :, 3], rgba[:, :, 3]) and not np.array_equal(made[:, :, :3], rgba[:, :, :3])


def test_light_above_one_keeps_its_codes_in_a_float_file(tmp_path: Path):
    (tmp_path / "hdr").mkdir()
    bright = picture(1000, 60, 80) * 20 - 5
    write_image(tmp_path / "hdr" / "b.1000.exr", bright)
    folder = str(tmp_path / "masks")
    settings = DegradeSettings(dust=60, dust_size=12)
    output = str(tmp_path / "out" / "b.####.exr")
    degrade(DegradeJob(source=str(tmp_path / "hdr"), output=output, settings=settings, masks_out=folder))
    made = read_codes(tmp_path / "out" / "b.1000.exr")
    mask = read_codes(tmp_path / "masks" / "united" / "b.1000.png")[:, :, 0]
    assert np.array_equal(made[mask == 0], bright[mask == 0]) and made.max() > 5.0 and made.min() < 0.0


def test_repeated_and_missing_frames_show_their_neighbours(tmp_path: Path):
    source = write_shot(tmp_path / "clean", 4)
    report = degrade(job(source, tmp_path, settings=DegradeSettings(missing=1000)))
    assert report.moved
    clean, made = codes(tmp_path / "clean"), codes(tmp_path / "scan")
    for number in range(1000, 1004):
        assert np.array_equal(made[number - 1000], clean[report.moved.get(number, number) - 1000])


def test_marks_come_from_the_folder_of_masks_too(tmp_path: Path):
    source = write_shot(tmp_path / "clean", 1)
    (tmp_path / "shapes" / "dots").mkdir(parents=True)
    for number in range(3):
        write_image(tmp_path / "shapes" / "dots" / f"{number}.png", np.full((20, 40, 1), 255, np.uint8))
    degrade(job(source, tmp_path / "own"))
    degrade(job(source, tmp_path / "given", shapes=str(tmp_path / "shapes")))
    own, given = (read_codes(tmp_path / part / "scan" / NAMES[0]) for part in ("own", "given"))
    assert not np.array_equal(own, given)


def test_stopping_keeps_what_is_finished(tmp_path: Path):
    source = write_shot(tmp_path / "clean", 4)
    seen: list[tuple[str, int, int]] = []
    with pytest.raises(Cancelled, match="go on"):
        degrade(job(source, tmp_path), lambda *step: seen.append(step), lambda: len(seen) == 2)
    assert seen == [("degrade", 1, 4), ("degrade", 2, 4)]
    assert sorted(path.name for path in (tmp_path / "scan").glob("*.png")) == NAMES[:2]
    assert degrade(job(source, tmp_path)).skipped == 2


def test_what_cannot_be_meant_is_refused(tmp_path: Path):
    source = write_shot(tmp_path / "clean", 2)
    with pytest.raises(UsageError, match="never, changed, always"):
        degrade(job(source, tmp_path, overwrite="sometimes"))
    with pytest.raises(UsageError, match="two names"):
        degrade(job(source, tmp_path, truth_out=str(tmp_path / "scan" / "shot.####.png")))
    with pytest.raises(UsageError):
        degrade(DegradeJob(source=source, output=source, settings=MARKS))
    with pytest.raises(MissingFrames):
        degrade(job(source, tmp_path, span="1000-1005"))
