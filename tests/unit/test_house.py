"""What the house promises about itself: quick imports, known names, and docs that are true."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from film import picture, write_image
from filmrestore.cli import VERBS, run
from filmrestore.fixes import Ledger
from filmrestore.restorers.base import REGISTRY

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BLOCK = re.compile(r"(?P<note><!-- not run: .+? -->\n)?^```(?P<kind>\w*)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE)
HEAVY = {
    "torch",
    "numpy",
    "cv2",
    "OpenImageIO",
    "PyOpenColorIO",
    "av",
    "scenedetect",
    "matplotlib",
    "diffusers",
    "rich",
}

PUBLIC = {
    "filmrestore.analysis": {"Analysis", "LastingMark", "LastingScratch", "analyse"},
    "filmrestore.media": {
        "ReadAhead",
        "Shot",
        "Writer",
        "atomic_bytes",
        "atomic_write",
        "format_span",
        "open_shot",
        "open_writer",
        "parse_span",
        "probe_format",
        "read_ahead",
        "sweep",
        "write_plane",
    },
    "filmrestore.report": {"Limits", "build_report"},
    "filmrestore.training": {
        "Losses",
        "Outcome",
        "Recipe",
        "Samples",
        "Stage",
        "Task",
        "TrainJob",
        "job_of",
        "train",
    },
}


def test_the_help_of_every_verb_loads_nothing_heavy() -> None:
    code = (
        "import sys; from filmrestore.cli import VERBS, run; run(['--help'])\n"
        "for verb in VERBS: run([verb, '--help'])\n"
        f"print('loaded:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "loaded: []"


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import filmrestore; print(sorted(set(sys.modules) - before))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['filmrestore']"


@pytest.mark.parametrize("module", ["settings", "errors"])
def test_what_hosts_load_needs_the_standard_library_only(module: str) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'engine')!r}); import filmrestore.{module}\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'__main__'}))"
    )
    # Without site-packages, as inside a host.
    told = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["filmrestore"]


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_public_names_are_those_that_were_agreed(module: str) -> None:
    assert set(importlib.import_module(module).__all__) == PUBLIC[module]


def test_the_page_of_settings_is_not_stale() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (ROOT / "docs" / "nodes.md").read_text() == generate.page(), "settings have changed: run `make docs`"


def test_the_import_layers_in_the_docs_are_those_that_are_enforced() -> None:
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    assert "\n".join(layers) in (ROOT / "docs" / "architecture.md").read_text()


def test_the_changelog_knows_the_version_and_every_verb() -> None:
    from filmrestore import __version__

    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"## {__version__}" in changelog
    assert all(verb in changelog for verb in VERBS)


def test_links_between_the_docs_lead_somewhere() -> None:
    for page in DOCS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the docs speak of: 10-bit DPX scans/reel.1001.dpx to .1008.dpx, restored to out/, and a list of one fix."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "scans").mkdir()
    for number in range(1001, 1009):
        codes = np.rint(picture(number, 64, 96) * 1023).astype(np.uint16)
        file = folder / "scans" / f"reel.{number}.dpx"
        write_image(file, codes << 6 | codes >> 4, bits=10, **{"dpx:Transfer": "Printing density"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(REGISTRY, "frdm", "fakes:load")
        assert (
            run(["restore", str(folder / "scans" / "reel.####.dpx"), "-o", str(folder / "out" / "reel.####.dpx")]) == 0
        )
    fixes = Ledger.open(folder / "out" / "reel.ledger").all_fixes()
    shutil.copytree(folder / "out" / "reel.ledger", folder / "shot.ledger")
    (folder / "rejected.txt").write_text(next(iter(fixes)).id + "\n")
    return folder


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_code_block_of_the_docs_runs_or_says_why_not(
    page: Path,
    workplace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    blocks = [block for block in BLOCK.finditer(page.read_text()) if not block["note"] and block["kind"] != "text"]
    if not blocks:
        return
    shutil.copytree(workplace, tmp_path, dirs_exist_ok=True)
    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load")
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        assert block["kind"] in ("sh", "python"), f"{page.name}: a block of {block['kind'] or 'nothing'} with no reason"
        if block["kind"] == "python":
            exec(compile(block["code"], page.name, "exec"), {})
            continue
        for line in block["code"].replace("\\\n", " ").splitlines():
            command, *arguments = shlex.split(re.sub(r"(^|\s)#\s.*", "", line)) or [""]
            assert command in ("filmrestore", ""), f"{page.name}: {line!r} is run by nobody"
            if command:
                assert run(arguments) == 0, f"{page.name}: {line}\n{capsys.readouterr().err}"
