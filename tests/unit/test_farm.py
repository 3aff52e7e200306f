"""Farm jobs: how a shot is cut, and what the bundle says."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from film import write_image, write_shot
from filmrestore.cli import run
from filmrestore.errors import UsageError
from filmrestore.farm.chunks import LONGEST_SPAN, MOST_CHUNKS, absolute, check_handles, cut_chunks, shot_chunks, span_of
from filmrestore.farm.yaml import to_yaml
from filmrestore.fixes import Ledger
from filmrestore.media import open_shot, parse_span
from filmrestore.nodes.estimate import plan
from filmrestore.nodes.job import RestoreJob
from filmrestore.nodes.windows import units_for
from filmrestore.restorers.base import REGISTRY
from filmrestore.restorers.frdm.restorer import FACTS
from filmrestore.settings import RestoreSettings

Captured = pytest.CaptureFixture[str]
GOLDEN = Path(__file__).parents[1] / "golden" / "farm"
BUNDLE = {"template.yaml", "parameter_values.yaml", "asset_references.yaml", "parameters.yaml", "opencue.xml"}

numbers = st.sets(st.integers(-40, 400), min_size=1, max_size=200)
cut_lists = st.sets(st.integers(-40, 400), max_size=12).map(sorted)


@settings(max_examples=60)
@given(frames=numbers, cuts=cut_lists, size=st.integers(1, 60))
def test_chunks_hold_every_frame_once_and_share_no_window(frames: set[int], cuts: list[int], size: int) -> None:
    chunks = cut_chunks(frames, cuts, keep=3, size=size)
    assert [number for chunk in chunks for number in chunk] == sorted(frames)
    assert all(0 < len(chunk) <= max(size, 3) for chunk in chunks)
    windows = [{(n // 3, sum(cut <= n for cut in cuts)) for n in chunk} for chunk in chunks]
    assert sum(map(len, windows)) == len(set().union(*windows))
    assert all(parse_span(span_of(chunk)) == chunk for chunk in chunks)


@settings(max_examples=60)
@given(frames=numbers, cuts=cut_lists, size=st.integers(1, 60), handles=st.integers(3, 8))
def test_every_chunk_sees_the_windows_of_one_whole_run(
    frames: set[int], cuts: list[int], size: int, handles: int
) -> None:
    def windows(part: set[int] | tuple[int, ...]) -> list[Any]:
        readable = [n for n in range(-60, 420) if n % 7 and min(part) - handles <= n <= max(part) + handles]
        return units_for(FACTS, [n for n in part if n % 7], readable, cuts)

    frames = {n for n in frames if n % 7} or {1}
    chunks = cut_chunks(frames, cuts, keep=FACTS.keep, size=size)
    assert [unit for chunk in chunks for unit in windows(chunk)] == windows(frames)


def test_a_chunk_ends_at_a_cut_once_it_is_half_full() -> None:
    def ends(frames: range, cuts: list[int]) -> list[tuple[int, int]]:
        return [(chunk[0], chunk[-1]) for chunk in cut_chunks(frames, cuts, keep=3, size=36)]

    assert ends(range(60), [20]) == [(0, 19), (20, 53), (54, 59)]
    assert ends(range(100), [11, 50, 52]) == [(0, 35), (36, 71), (72, 99)]


def test_a_long_reel_gets_longer_chunks_and_no_more_than_a_farm_can_list() -> None:
    chunks = cut_chunks(range(20000), (), keep=3, size=3)
    assert MOST_CHUNKS / 2 < len(chunks) <= MOST_CHUNKS
    with pytest.raises(UsageError, match="too scattered"):
        cut_chunks([n * n for n in range(400)], (), keep=3, size=400)
    assert all(len(span_of(chunk)) <= LONGEST_SPAN for chunk in cut_chunks(range(1, 9999, 2), (), keep=3, size=999))
    with pytest.raises(UsageError, match="0 frames"):
        cut_chunks([1], (), keep=3, size=0)


def test_handles_too_short_for_chunks_are_refused() -> None:
    check_handles(RestoreJob(source="a", output="b"), FACTS)
    with pytest.raises(UsageError, match="handles is 2: chunks need 3"):
        check_handles(RestoreJob(source="a", output="b", settings=RestoreSettings(handles=2)), FACTS)


def test_frames_that_are_missing_belong_to_a_chunk_which_then_says_so(tmp_path: Path) -> None:
    scan = write_shot(tmp_path, 12, height=16, width=16)
    (tmp_path / "shot.1005.png").unlink()
    with open_shot(scan, missing="allow") as shot:
        assert shot_chunks(shot, (), keep=3, size=3)[1:3] == ((1002, 1003, 1004, 1005), (1006, 1007))


def test_paths_become_absolute_and_words_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = absolute(RestoreJob(source="in/a.####.dpx", output="/out", defect_map="alpha", config="ocio://default"))
    assert job.source == str(tmp_path / "in" / "a.####.dpx")
    assert (job.output, job.defect_map, job.config, job.cache) == ("/out", "alpha", "ocio://default", None)


yaml_values = st.recursive(
    st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("name", "Value", "args")), inner)
)


@given(yaml_values)
@settings(max_examples=60)
def test_yaml_reads_what_was_written(value: object) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with filmrestore[farm]")
    assert yaml.safe_load(to_yaml({"value": value})) == {"value": value}


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scan, masks and a Nuke script, as the working directory."""
    folder = tmp_path / "the show"
    write_shot(folder / "scan's", 12, height=16, width=20)
    (folder / "show.ocio").touch()
    for name in ("comp.nk", "render.py"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load")
    monkeypatch.setenv("USER", "artist")
    monkeypatch.setattr("getpass.getuser", lambda: "artist")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    for name in ("SHOW", "SHOT", "OCIO"):
        monkeypatch.delenv(name, raising=False)
    return folder


JOBS = {
    "restore": "SCAN/shot.####.png --out clean/shot.####.png --colourspace srgb --chunk 6 --memory 2048",
    "all": "SCAN/shot.####.png -F 1001-1010x3 --out clean --ledger fixes/a --matte-out mattes/m.%04d.png "
    "--cuts cuts.txt --protect masks/p.####.png --defect-map alpha --roi 1,2,19,16 --report page.html --cache tiles "
    "--ocio ocio://default --colourspace sRGB --device cuda --threads 2 --gpu-memory 6000 --memory 4096 "
    "--on-error skip --overwrite never --strength .5 --defect-map-invert --seed 7 "
    "--program /opt/film/bin/filmrestore --show film --shot s010",
    "nuke": "comp.nk --nuke --node FilmRestore1 --write Write1 --render-script render.py -F 1001-1100 --threads 4",
}


@pytest.mark.parametrize("name", JOBS)
def test_the_bundle_is_the_golden_one(name: str, show: Path, capsys: Captured) -> None:
    (show / "cuts.txt").write_text("1006\n")
    line = JOBS[name].replace("SCAN", "scan's").split()
    assert run(["submit", *line, "--bundle", "bundle"]) == 0, capsys.readouterr().err
    made = {file.name: file.read_text().replace(str(show.parent), "") for file in (show / "bundle").iterdir()}
    assert set(made) == BUNDLE
    golden = GOLDEN / name
    if os.environ.get("FILMRESTORE_WRITE_GOLDEN"):
        golden.mkdir(parents=True, exist_ok=True)
        for file, text in made.items():
            (golden / file).write_text(text)
    assert made == {file.name: file.read_text() for file in golden.iterdir()}
    told = capsys.readouterr().out
    assert "deadline bundle submit" in told and "openjd run" in told and "opencue.xml" in told


@pytest.mark.parametrize("name", JOBS)
def test_open_job_description_takes_the_golden_templates(name: str) -> None:
    model = pytest.importorskip("openjd.model", reason="pip install 'filmrestore[farm]' checks farm templates")
    import yaml

    values = yaml.safe_load((GOLDEN / name / "parameters.yaml").read_text())
    template = model.decode_job_template(template=yaml.safe_load((GOLDEN / name / "template.yaml").read_text()))
    typed = model.preprocess_job_parameters(
        job_template=template,
        job_parameter_values=values,
        job_template_dir=GOLDEN,
        current_working_dir=GOLDEN,
    )
    job = model.create_job(job_template=template, job_parameter_values=typed)
    assert job.name == values["JobName"]
    listed = yaml.safe_load((GOLDEN / name / "parameter_values.yaml").read_text())["parameterValues"]
    assert {entry["name"]: entry["value"] for entry in listed} == values


def test_a_shell_reads_the_words_of_an_opencue_command_as_they_were_meant(show: Path) -> None:
    source = "scan's/shot.####.png"
    assert run(["submit", source, "-o", 'a "b" $c/x.####.png', "--bundle", "b", "--memory", "9"]) == 0
    spec = ElementTree.parse(show / "b" / "opencue.xml")
    (command,) = (layer.findtext("cmd") or "" for layer in spec.iter("layer") if layer.get("name") == "restore")
    words = shlex.split(command)
    assert words[:5] == ["filmrestore", "restore", str(show / source), "--out", str(show / 'a "b" $c' / "x.####.png")]
    assert "--frames=#FRAMESPEC#" in words


def test_the_memory_asked_of_machines_is_the_estimated_one(show: Path, capsys: Captured) -> None:
    pytest.importorskip("yaml", reason="PyYAML comes with filmrestore[farm]")
    import yaml

    assert run(["submit", "scan's", "-o", "clean", "--bundle", "b", "--threads", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tasks"] == {"Probe": 1, "Restore": 1, "Verify": 1, "Report": 1}
    template = yaml.safe_load((show / "b" / "template.yaml").read_text())
    amounts = {entry["name"]: entry["min"] for entry in template["steps"][1]["hostRequirements"]["amounts"]}
    expected = plan(RestoreJob(source="scan's", output="clean", threads=3)).memory_mib
    assert amounts == {"amount.worker.vcpu": 3, "amount.worker.memory": -(-expected // 1)}


def test_a_config_in_the_environment_is_written_down(show: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import PyOpenColorIO as ocio

    config = ocio.Config.CreateFromBuiltinConfig("cg-config-v2.2.0_aces-v1.3_ocio-v2.4")
    (show / "show.ocio").write_text(config.serialize())
    monkeypatch.setenv("OCIO", "show.ocio")
    assert run(["submit", "scan's", "-o", "clean", "--bundle", "b", "--memory", "9", "--colourspace", "ACEScg"]) == 0
    assert f'Ocio: "{show / "show.ocio"}"' in (show / "b" / "parameters.yaml").read_text()
    assert f'- "{show}"' in (show / "b" / "asset_references.yaml").read_text()


def test_a_movie_is_written_by_one_task(show: Path, capsys: Captured) -> None:
    write_shot(show / "eight", 6, height=16, width=20, dtype="uint8")
    assert run(["submit", "eight", "-o", "clean.mkv", "--bundle", "b", "--memory", "9", "--chunk", "3"]) == 0
    assert "Restore 1," in capsys.readouterr().out
    assert "taskParameterDefinitions" not in (show / "b" / "template.yaml").read_text()


def test_an_analysis_that_is_there_is_not_made_again(show: Path, capsys: Captured) -> None:
    assert run(["probe", "scan's", "-o", "reel.json"]) == 0
    line = ["submit", "scan's", "-o", "clean", "--analysis", "reel.json", "--bundle", "b", "--memory", "9", "--json"]
    capsys.readouterr()
    assert run(line) == 0
    assert "Probe" not in json.loads(capsys.readouterr().out)["tasks"]


def test_lossy_output_has_nothing_to_verify(show: Path, capsys: Captured) -> None:
    assert run(["submit", "scan's", "-o", "c.####.jpg", "--lossy", "--bundle", "b", "--memory", "9", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["tasks"]) == ["Probe", "Restore", "Report"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("scan --bundle b", "give --out"),
        ("scan -o c --bundle b --node A", "--node goes with --nuke only"),
        ("comp.nk --nuke --bundle b", "--node NAME and --frames SPAN"),
        ("comp.nk --nuke --node A -F 1-9 --strength .5 --bundle b", "--strength does not go with --nuke"),
        ("none.nk --nuke --node A -F 1-9 --bundle b", "none.nk: there is no such file"),
        ("scan -o c --handles 1 --bundle b --memory 9", "handles is 1"),
        ("scan -o c --cache t --no-cache --bundle b", "exclude each other"),
        ("scan -o c --bundle comp.nk --memory 9", "cannot make the bundle's folder"),
    ],
)
def test_what_cannot_be_meant_is_refused(line: str, told: str, show: Path, capsys: Captured) -> None:
    write_shot(show / "scan", 6, height=16, width=20)
    assert run(["submit", *line.split()]) in (1, 2, 4)
    assert told in capsys.readouterr().err
    assert not (show / "b").exists()


def test_verify_gathers_the_ledger_of_chunks(show: Path) -> None:
    for span in ("1000-1005", "1006-1011"):
        assert run(["restore", "scan's", "-o", "c.####.png", "-F", span, "--progress", "none", "--no-cache"]) == 0
    ledger = next(show.glob("*.ledger"))
    assert (ledger / "locks").is_dir() and not (ledger / "ledger.jsonl").exists()
    assert run(["verify", "scan's", "c.####.png", "--merge", "--progress", "none"]) == 0
    assert (ledger / "ledger.jsonl").exists() and not (ledger / "locks").exists()
    assert Ledger.open(ledger).frames == tuple(range(1000, 1012))


def test_one_image_is_one_task(show: Path, capsys: Captured) -> None:
    write_image(show / "still.png", np.zeros((9, 9, 3), "uint8"))
    assert run(["submit", "still.png", "-o", "c/still.png", "--bundle", "b", "--memory", "9", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"]["Restore"] == 1
