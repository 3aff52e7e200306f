"""The entry files, laid out as `filmrestore install resolve` lays them, run by the Pythons that hosts have."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from filmrestore.client import FILES

from .conftest import ROOT

SCRIPTS = ROOT / "resolve_script"
PYTHONS = [f"python3.{minor}" for minor in (9, 10, 11, 12, 13)]
HOST_SIDE = sorted((SCRIPTS / "filmrestore_resolve").glob("*.py"))


def runs(python: str) -> str | None:
    """The interpreter itself, where it is there and runs; not what stands for it on the search path."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = sorted(pyenv.glob(f"{python.removeprefix('python')}.*/bin/python"))
    for found in filter(None, [*map(str, folders), shutil.which(python)]):
        ask = [found, "-c", "import sys; print(sys.executable)"]
        ran = subprocess.run(ask, capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            return ran.stdout.strip()
    return None


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A Scripts folder: the entries, the package, the client in `vendor`, and the engine's record."""
    folder = tmp_path / "Scripts"
    for name in ("Comp", "Edit", "Utility", "filmrestore_resolve"):
        shutil.copytree(SCRIPTS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    vendor = folder / "filmrestore_resolve" / "vendor" / "filmrestore"
    for name in ("__init__.py", *FILES):
        (vendor / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "engine" / "filmrestore" / name, vendor / name)
    record = {"python": "/nowhere/python", "device": "cuda:7"}
    (folder / "filmrestore_resolve" / "engine.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize("menu", ["Comp", "Edit", "Utility"])
@pytest.mark.parametrize("python", PYTHONS)
def test_an_entry_runs_from_its_menu_and_without_a_host_says_why(installed: Path, python: str, menu: str) -> None:
    found = runs(python)
    if found is None:
        pytest.skip(f"no {python} here")
    clean = {"HOME": str(installed), "RESOLVE_SCRIPT_API": str(installed), "PATH": ""}
    entry = [found, str(installed / menu / "FilmRestore.py")]
    ran = subprocess.run(entry, env=clean, capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and ran.stderr == "" and "does not answer" in ran.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the folder is Linux's")
def test_an_entry_that_is_not_told_its_path_looks_in_the_standard_folders(installed: Path) -> None:
    home = installed.parent / "home"
    standard = home / ".local/share/DaVinciResolve/Fusion/Scripts"
    standard.parent.mkdir(parents=True)
    shutil.move(installed, standard)
    code = f"exec(compile(open({str(standard / 'Edit' / 'FilmRestore.py')!r}).read(), 'x', 'exec'), {{}})"
    clean = {"HOME": str(home), "RESOLVE_SCRIPT_API": str(home), "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    assert "does not answer" in ran.stdout


def test_a_missing_support_folder_says_to_install_again(installed: Path) -> None:
    shutil.rmtree(installed / "filmrestore_resolve")
    entry = [sys.executable, str(installed / "Edit" / "FilmRestore.py")]
    ran = subprocess.run(entry, env={"HOME": str(installed)}, capture_output=True, text=True, check=True)
    assert "filmrestore install resolve" in ran.stdout


def test_the_engine_is_the_recorded_one(installed: Path) -> None:
    code = "import filmrestore_resolve; from filmrestore.finding import recorded_engine; print(recorded_engine())"
    ran = subprocess.run([sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True)
    assert "/nowhere/python" in ran.stdout and "cuda:7" in ran.stdout


def test_the_entries_differ_in_their_page_alone() -> None:
    texts = {menu: (SCRIPTS / menu / "FilmRestore.py").read_text() for menu in ("Comp", "Edit", "Utility")}
    assert texts["Edit"] == texts["Utility"] == texts["Comp"].replace('PAGE = "comp"', 'PAGE = "timeline"')


@pytest.mark.parametrize("file", HOST_SIDE, ids=lambda file: file.name)
def test_the_scripts_import_the_standard_library_and_the_client_only(file: Path) -> None:
    allowed = {f"filmrestore.{name}" for name in ("client", "finding", "protocol", "settings", "errors")}
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    assert foreign <= allowed
