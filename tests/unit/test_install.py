"""Installing into hosts: what is written, what is never touched, what a check finds, and the same from a wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from filmrestore import __version__
from filmrestore.cli import run
from filmrestore.client import FILES
from filmrestore.errors import InstallError, OutputError
from filmrestore.install import bundle, check, hosts, startup, tree
from filmrestore.install.bundle import NAME, binary_path, bundle_files, glibc_needed
from filmrestore.install.hosts import HOSTS, install, render_script, uninstall
from filmrestore.install.places import resolve_places
from filmrestore.install.sources import read_folder
from filmrestore.protocol import settings_digest

ROOT = Path(__file__).parents[2]
Captured = pytest.CaptureFixture[str]


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture()
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks look at files only; the wheel's test starts engines."""
    monkeypatch.setattr(check, "_handshake", lambda *_: [])
    monkeypatch.setattr(check, "_running", lambda *_: [])


@pytest.mark.parametrize("name", ["nuke", "resolve"])
def test_an_adapter_comes_with_the_client_and_the_way_to_the_engine(name: str, tmp_path: Path) -> None:
    install(name, tmp_path, "cuda:1")
    own = tmp_path / HOSTS[name].folder
    assert json.loads((own / "engine.json").read_text()) == {"python": sys.executable, "device": "cuda:1"}
    for file in ("__init__.py", *FILES):
        assert (own / "vendor" / "filmrestore" / file).read_bytes() == (
            ROOT / "engine" / "filmrestore" / file
        ).read_bytes()
    assert not list(tmp_path.glob(".filmrestore-*"))


@pytest.mark.parametrize("name", ["nuke", "resolve"])
def test_the_client_that_is_installed_needs_the_standard_library_only(name: str, tmp_path: Path) -> None:
    install(name, tmp_path)
    vendor = tmp_path / HOSTS[name].folder / "vendor"
    code = f"import sys; sys.path.insert(0, {str(vendor)!r}); import filmrestore.client as c; print(c.__file__)"
    told = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str(vendor / "filmrestore" / "client.py")


@pytest.mark.parametrize("name", ["nuke", "resolve"])
def test_a_second_install_touches_nothing(name: str, tmp_path: Path) -> None:
    install(name, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert install(name, tmp_path).aside == ()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_scripts_of_resolve_appear_in_its_three_pages(tmp_path: Path) -> None:
    install("resolve", tmp_path)
    assert all((tmp_path / page / "FilmRestore.py").is_file() for page in ("Utility", "Edit", "Comp"))


def test_the_device_is_kept_by_an_update_that_names_none(tmp_path: Path) -> None:
    install("nuke", tmp_path)
    engine = tmp_path / "filmrestore_nuke" / "engine.json"
    engine.write_text('{"python": "/gone", "device": "cuda", "note": "mine"}')
    assert install("nuke", tmp_path).aside == ()
    assert json.loads(engine.read_text()) == {"python": sys.executable, "device": "cuda", "note": "mine"}


@pytest.mark.parametrize("name", ["nuke", "resolve"])
def test_uninstalling_leaves_what_was_there_before(name: str, tmp_path: Path) -> None:
    for path in ("Utility/Mine.py", "filmrestore_nuke/notes.txt", "filmrestore_resolve/notes.txt", "menu.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("mine")
    before = contents(tmp_path)
    install(name, tmp_path)
    own = tmp_path / HOSTS[name].folder / "vendor" / "filmrestore"
    (own / "__pycache__").mkdir()
    (own / "__pycache__" / "client.cpython-39.pyc").write_bytes(b"the host's")
    assert uninstall(name, tmp_path) == (tmp_path, [])
    assert contents(tmp_path) == before
    assert not own.exists()


@pytest.mark.parametrize("own", [b"", b"a = 1", b"a = 1\n", b"a = 1\r\nb = 2\r\n", b"a = '\xe9'\n\n\n"])
def test_the_users_lines_in_init_py_come_back_to_the_byte(own: bytes, tmp_path: Path) -> None:
    (tmp_path / "init.py").write_bytes(own)
    install("nuke", tmp_path)
    assert (tmp_path / "init.py").read_bytes().startswith(own)
    assert startup.has_lines(tmp_path)
    uninstall("nuke", tmp_path)
    assert contents(tmp_path) == {"init.py": own}


def test_lines_that_the_user_wrote_after_ours_are_not_joined_to_those_before(tmp_path: Path) -> None:
    init = tmp_path / "init.py"
    init.write_bytes(b"a = 1")
    install("nuke", tmp_path)
    init.write_bytes(init.read_bytes() + b"b = 2\n")
    uninstall("nuke", tmp_path)
    assert init.read_bytes() == b"a = 1\nb = 2\n"


def test_lines_of_an_older_version_are_put_right_in_their_file_alone(tmp_path: Path) -> None:
    init = tmp_path / "init.py"
    init.write_bytes(b"a = 1\n\n# >>> filmrestore: once\nnuke.pluginAddPath('/old')\n# <<< filmrestore\n")
    install("nuke", tmp_path)
    assert b"/old" not in init.read_bytes() and init.read_bytes().count(b"# >>> filmrestore") == 1
    uninstall("nuke", tmp_path)
    assert init.read_bytes() == b"a = 1\n"


def test_half_of_our_lines_is_not_guessed_at(tmp_path: Path) -> None:
    text = b"# >>> filmrestore: once\nnuke.pluginAddPath('/old')\n"
    (tmp_path / "init.py").write_bytes(text)
    with pytest.raises(OutputError, match="without the other"):
        install("nuke", tmp_path)
    assert contents(tmp_path) == {"init.py": text}


def test_init_py_that_is_a_link_stays_one(tmp_path: Path) -> None:
    shared, user = tmp_path / "shared.py", tmp_path / "nuke"
    shared.write_bytes(b"a = 1\n")
    user.mkdir()
    (user / "init.py").symlink_to(shared)
    install("nuke", user)
    assert (user / "init.py").is_symlink() and b"pluginAddPath" in shared.read_bytes()
    assert (user / startup.BACKUP).read_bytes() == b"a = 1\n"


def test_a_file_that_somebody_changed_is_set_aside_and_stays(tmp_path: Path) -> None:
    install("nuke", tmp_path)
    menu = tmp_path / "filmrestore_nuke" / "menu.py"
    own = menu.read_bytes()
    menu.write_bytes(b"changed")
    aside = install("nuke", tmp_path).aside
    assert aside == (menu.with_name("menu.py.changed"),)
    assert (aside[0].read_bytes(), menu.read_bytes()) == (b"changed", own)
    menu.write_bytes(b"changed again")
    assert uninstall("nuke", tmp_path)[1] == [menu]
    assert contents(tmp_path) == {
        "filmrestore_nuke/menu.py": b"changed again",
        "filmrestore_nuke/menu.py.changed": b"changed",
    }


def test_a_file_of_somebody_else_in_the_way_stops_the_install_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "Edit").mkdir()
    (tmp_path / "Edit" / "FilmRestore.py").write_text("mine")
    with pytest.raises(OutputError, match=r"Edit/FilmRestore\.py in .* were not written by filmrestore"):
        install("resolve", tmp_path)
    assert contents(tmp_path) == {"Edit/FilmRestore.py": b"mine"}


def test_a_folder_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "nuke").mkdir()
    (tmp_path / "nuke" / "filmrestore_nuke").symlink_to(tmp_path / "checkout")
    with pytest.raises(OutputError, match="is a link"):
        install("nuke", tmp_path / "nuke")
    assert contents(tmp_path) == {}


def test_a_disk_that_fills_leaves_the_earlier_install_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.write_tree(tmp_path, "own/record", {"own/a": b"1", "own/b": b"1"}, facts={})
    before = contents(tmp_path)
    written = tree._write

    def full(path: Path, content: bytes, mode: int) -> None:
        if path.name == "b":
            raise OSError(28, "No space left on device", str(path))
        written(path, content, mode)

    monkeypatch.setattr(tree, "_write", full)
    told = f"^{tmp_path} cannot be written: No space left on device; make room on the disk, or name another folder"
    with pytest.raises(OutputError, match=told):
        tree.write_tree(tmp_path, "own/record", {"own/a": b"2", "own/b": b"2"}, facts={})
    assert contents(tmp_path) == before


_AS_NOBODY = """
import os, sys
from pathlib import Path
from filmrestore.errors import OutputError
from filmrestore.install import startup, tree

own = Path(sys.argv[1])
if os.geteuid() == 0:
    os.seteuid(65534)
for call in (
    lambda: tree.write_tree(own / "theirs", "a/record", {"a/b": b""}, facts={}),
    lambda: startup.own_lines(own / "hidden"),
):
    try:
        call()
        print("no error")
    except OutputError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="users of POSIX")
def test_a_folder_of_another_user_is_named_and_not_our_temporary_files(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o555)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "init.py").write_text("mine = 1")
    (tmp_path / "hidden" / "init.py").chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):  # pytest's own are 0700
        folder.chmod(0o755)
    told = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(tmp_path)], capture_output=True, text=True, check=False
    )
    first, second = told.stdout.splitlines() or [told.stderr, ""]
    assert first.startswith(f"{tmp_path / 'theirs'} cannot be written: Permission denied; run the command as a user")
    assert second.startswith(f"{tmp_path / 'hidden' / 'init.py'} cannot be read: Permission denied")


def test_an_install_that_was_killed_half_way_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.write_tree(tmp_path, "own/record", {"own/a": b"1", "own/b": b"1", "own/gone": b"1"}, facts={})
    with monkeypatch.context() as patch:
        patch.setattr(tree, "_remove_files", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tree.write_tree(tmp_path, "own/record", {"own/a": b"2", "own/b": b"2"}, facts={})
    assert tree.write_tree(tmp_path, "own/record", {"own/a": b"3", "own/b": b"1"}, facts={}) == []
    record = tree.read_record(tmp_path, "own/record")
    assert record is not None and tree.compare(tmp_path, record) == tree.Compared((), ())
    del (found := contents(tmp_path))["own/record"]
    assert found == {"own/a": b"3", "own/b": b"1"}


@pytest.mark.parametrize("name", ["../outside", "/outside", "own/../../outside"])
def test_a_record_that_names_files_elsewhere_deletes_nothing(name: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "filmrestore_nuke").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(b"")
    told = {"version": "1", "facts": {}, "files": {name: [tree._sum(b"")]}}
    (root / "filmrestore_nuke" / "installed.json").write_text(json.dumps(told))
    with pytest.raises(InstallError, match="not below"):
        uninstall("nuke", root)
    assert (tmp_path / "outside").exists()


def test_a_place_that_cannot_be_written_says_what_to_do(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_text("")
    assert run(["install", "nuke", "--dest", str(tmp_path / "file" / "x")]) == 1
    told = capsys.readouterr().err
    assert "Error: " in told and "--dest" in told


def test_a_check_names_everything_that_is_wrong(tmp_path: Path, no_engine: None, capsys: Captured) -> None:
    dest = ["--dest", str(tmp_path)]
    assert run(["install", "nuke", *dest, "--check"]) == 1
    assert "run `filmrestore install nuke`" in capsys.readouterr().err
    assert run(["install", "nuke", *dest]) == 0
    assert run(["install", "nuke", *dest, "--check"]) == 0
    own = tmp_path / "filmrestore_nuke"
    (own / "menu.py").unlink()
    (tmp_path / "init.py").write_text("")
    (own / "engine.json").write_text('{"python": "/gone/python"}')
    record = json.loads((own / "installed.json").read_text())
    (own / "installed.json").write_text(json.dumps({**record, "version": "0.0.1"}))
    capsys.readouterr()
    assert run(["install", "nuke", *dest, "--check"]) == 1
    told = capsys.readouterr().err
    for part in ("filmrestore_nuke/menu.py are missing", "0.0.1", "init.py does not add", "/gone/python is not there"):
        assert part in told
    assert f"filmrestore install nuke --dest {tmp_path}` again" in told


def test_an_interpreter_without_the_engine_is_found_out(tmp_path: Path, no_engine: None, capsys: Captured) -> None:
    install("nuke", tmp_path)
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    (tmp_path / "filmrestore_nuke" / "engine.json").write_text(json.dumps({"python": str(bare)}))
    assert run(["install", "nuke", "--dest", str(tmp_path), "--check"]) == 1
    assert "No module named 'filmrestore'" in capsys.readouterr().err


def built_bundle(folder: Path, content: bytes) -> Path:
    """A folder with a bundle of one file."""
    (folder / NAME / binary_path()).parent.mkdir(parents=True)
    (folder / NAME / binary_path()).write_bytes(content)
    return folder


def test_a_bundle_of_other_settings_or_a_newer_c_library_is_passed_over(tmp_path: Path) -> None:
    digest = settings_digest().encode()
    stale = built_bundle(tmp_path / "stale", b"0123456789abcdef")
    newer = built_bundle(tmp_path / "newer", digest + b"GLIBC_99.1")
    fitting = built_bundle(tmp_path / "fitting", digest + b"GLIBC_2.2.5")
    files, found = bundle_files((stale, newer, fitting))
    assert found == fitting / NAME
    assert files == {f"{NAME}/{binary_path()}": digest + b"GLIBC_2.2.5"}


def test_without_bundle_and_compiler_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle.shutil, "which", lambda name: None)
    with pytest.raises(InstallError, match="Install cmake and a C\\+\\+17 compiler"):
        bundle_files((tmp_path,))


def test_versions_of_the_c_library_are_numbers_not_words() -> None:
    assert glibc_needed(b"GLIBC_2.9\0GLIBC_2.17\0GLIBC_2.2.5\0") == (2, 17)
    assert glibc_needed(b"") is None


def test_openfx_hosts_get_the_bundle_with_the_way_to_the_engine_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_engine: None, capsys: Captured
) -> None:
    built = built_bundle(tmp_path / "built", settings_digest().encode())
    monkeypatch.setattr(hosts, "bundle_files", lambda: bundle_files((built,)))
    dest = ["--dest", str(tmp_path / "plugins")]
    assert run(["install", "ofx", *dest, "--device", "cuda"]) == 0
    assert "OFX_PLUGIN_PATH" in capsys.readouterr().out
    engine = tmp_path / "plugins" / NAME / "Contents" / "Resources" / "engine.json"
    assert json.loads(engine.read_text())["device"] == "cuda"
    assert (tmp_path / "plugins" / NAME / binary_path()).stat().st_mode & 0o111 == 0o111
    assert run(["install", "ofx", *dest, "--check"]) == 1
    assert "cannot be loaded" in capsys.readouterr().err
    assert run(["install", "ofx", *dest, "--uninstall"]) == 0
    assert contents(tmp_path / "plugins") == {}


@pytest.mark.skipif(sys.platform != "linux", reason="the folders are Linux's")
def test_resolve_of_one_user_is_served_where_that_of_all_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_places()[-1] == tmp_path / ".local/share/DaVinciResolve/Fusion/Scripts"
    if not Path("/opt/resolve").exists() and not Path("/home/resolve").exists():
        assert len(resolve_places()) == 1


def test_a_farms_nuke_jobs_run_the_installed_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert render_script() == ROOT / "nuke_plugin" / "render.py"
    install("nuke")
    assert render_script() == tmp_path / ".nuke" / "filmrestore_nuke" / "render.py"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built offline from a copy, so that the checkout stays as it is; with a bundle that is none."""
    source = tmp_path_factory.mktemp("source")
    kept = ("engine", "nuke_plugin", "resolve_script", "ofx_bridge")
    for name in kept:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    built_bundle(source / "build" / "ofx", b"a bundle")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(source / "dist"), "."]
    told = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return next((source / "dist").glob("*.whl"))


def test_the_wheel_carries_the_adapters_and_every_file_of_the_engine(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    carried = {
        f"filmrestore/adapters/{name}"
        for adapter in ("nuke_plugin", "resolve_script", "ofx_bridge")
        for name in read_folder(ROOT / adapter, f"{adapter}/")
    }
    engine = set(read_folder(ROOT / "engine" / "filmrestore", "filmrestore/"))
    assert carried | engine <= names
    assert f"filmrestore/adapters/{NAME}/{binary_path()}" in names


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the folders of a virtual environment are those of POSIX here")
def test_a_wheel_in_a_fresh_environment_installs_adapters_that_reach_the_engine(wheel: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(fresh)], check=True)
    python = fresh / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    libraries = Path(pytest.__file__).parents[1]
    (next((fresh / "lib").glob("python*")) / "site-packages" / "libraries.pth").write_text(f"{libraries}\n")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "FILMRESTORE", "XDG_"))}
    environment = {**kept, "HOME": str(tmp_path / "home"), "TMPDIR": "/tmp"}
    for arguments in (["nuke"], ["nuke", "--check"], ["resolve"], ["nuke", "--uninstall"]):
        told = subprocess.run(
            [fresh / "bin" / "filmrestore", "install", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        if "--check" in arguments:
            assert f"python          {fresh}" in told.stdout
            assert f"engine          filmrestore {__version__} on cpu" in told.stdout
    assert contents(tmp_path / "home" / ".nuke") == {}
    scripts = tmp_path / "home" / ".local/share/DaVinciResolve/Fusion/Scripts"
    if sys.platform == "linux":
        assert (scripts / "Utility" / "FilmRestore.py").is_file()


@pytest.mark.parametrize(
    ("system", "machine", "folder"),
    [
        ("linux", "x86_64", "Linux-x86-64"),
        ("linux", "aarch64", "Linux-aarch64"),
        ("darwin", "arm64", "MacOS"),
        ("win32", "AMD64", "Win64"),
    ],
)
def test_hosts_find_the_binary_in_the_folder_of_their_system(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, folder: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert binary_path() == f"Contents/{folder}/FilmRestore.ofx"
