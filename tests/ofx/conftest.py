"""The compiled bundle, built once a run into a temporary folder."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from .fake_engine import FakeEngine
from .host import Host

ROOT = Path(__file__).parents[2]


def build(folder: Path, *options: str, targets: tuple[str, ...]) -> Path:
    """Configures and builds, once for all processes of a run; skips where there is no compiler."""
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"the OpenFX plug-in cannot be built: there is no {tool}")
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "done").exists():
            for command in (
                ["cmake", "-S", str(ROOT / "ofx_bridge"), "-B", str(folder), *options],
                ["cmake", "--build", str(folder), "--parallel", "1", "--target", *targets],
            ):
                told = subprocess.run(command, capture_output=True, text=True, check=False)
                assert told.returncode == 0, told.stdout + told.stderr
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of the run."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def binary(shared_folder: Path) -> Path:
    """The plug-in's file inside the bundle."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        pytest.skip("the test host takes variable arguments as Linux on x86-64 passes them")
    folder = build(shared_folder / "ofx", targets=("plugin",))
    return folder / "FilmRestore.ofx.bundle" / "Contents" / "Linux-x86-64" / "FilmRestore.ofx"


@pytest.fixture(scope="session")
def sanitized(shared_folder: Path) -> Path:
    """Folder of the programs that need no host, under the sanitizers."""
    options = ("-DFILMRESTORE_TESTS=ON", "-DFILMRESTORE_SANITIZE=ON", "-DCMAKE_BUILD_TYPE=Debug")
    return build(shared_folder / "ofx-sanitized", *options, targets=("test_pixels", "test_wire"))


@pytest.fixture()
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The runtime folder that the plug-in looks into; no engine can be started from it by mistake."""
    folder = Path(tempfile.mkdtemp(prefix="fr-"))  # short: a socket's path has at most 107 bytes
    monkeypatch.setenv("FILMRESTORE_RUNTIME", str(folder))
    monkeypatch.setenv("FILMRESTORE_PYTHON", "/bin/false")
    monkeypatch.setenv("FILMRESTORE_DEVICE", "cpu")
    monkeypatch.delenv("OCIO", raising=False)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture()
def engine(runtime: Path) -> Iterator[FakeEngine]:
    """A fake engine that answers in the runtime folder."""
    fake = FakeEngine(runtime)
    yield fake
    fake.close()


@pytest.fixture()
def host(binary: Path) -> Iterator[Host]:
    """A host; its plug-ins are unloaded at the end."""
    made = Host(binary)
    yield made
    made.close()
