"""What is put where for each host, and how it is taken away again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InstallError, UsageError
from . import startup
from .bundle import NAME, binary_path, bundle_files
from .places import nuke_places, ofx_places, resolve_places
from .sources import CHECKOUT, adapter_folder, client_files, read_folder
from .tree import Record, read_record, remove_tree, write_tree

_ENGINE = "engine.json"


@dataclass(frozen=True)
class Host:
    """A host's adapter.

    Attributes:
        title: As its users call it.
        folder: Path of our own folder below the host's, with engine.json and the record.
        places: Folders that the host looks into, the best first.
        files: Makes the adapter's files, by their paths below the host's folder.
        after: What its user does next.
    """

    title: str
    folder: str
    places: Callable[[], tuple[Path, ...]]
    files: Callable[[], Mapping[str, bytes]]
    after: str

    @property
    def record(self) -> str:
        """Path of the record below the host's folder."""
        return f"{self.folder}/installed.json"

    @property
    def engine(self) -> str:
        """Path of engine.json below the host's folder."""
        return f"{self.folder}/{_ENGINE}"


@dataclass(frozen=True)
class Installed:
    """What an install did.

    Attributes:
        root: The host's folder.
        python, device: What hosts start the engine with.
        aside: Files that somebody had changed, under their new names.
    """

    root: Path
    python: str
    device: str
    aside: tuple[Path, ...]


def _nuke_files() -> dict[str, bytes]:
    own = read_folder(adapter_folder("nuke_plugin"), "filmrestore_nuke/")
    return {**own, **client_files("filmrestore_nuke/vendor/filmrestore/")}


def _resolve_files() -> dict[str, bytes]:
    source = adapter_folder("resolve_script")
    package = read_folder(source / "filmrestore_resolve", "filmrestore_resolve/")
    files = {**package, **client_files("filmrestore_resolve/vendor/filmrestore/")}
    for page in ("Utility", "Edit", "Comp"):  # last: the menu shows them once the rest is there
        files |= read_folder(source / page, f"{page}/")
    return files


def _ofx_files() -> dict[str, bytes]:
    return bundle_files()[0]


HOSTS = {
    "nuke": Host("Nuke", "filmrestore_nuke", nuke_places, _nuke_files, "start Nuke; the nodes are under FilmRestore"),
    "resolve": Host(
        "DaVinci Resolve",
        "filmrestore_resolve",
        resolve_places,
        _resolve_files,
        "start Resolve Studio; Workspace > Scripts > FilmRestore",
    ),
    "ofx": Host(
        "OpenFX hosts",
        f"{NAME}/Contents/Resources",
        ofx_places,
        _ofx_files,
        "start the host; the plug-ins are in the group FilmRestore",
    ),
}


def install(name: str, dest: Path | None = None, device: str | None = None) -> Installed:
    """Puts a host's adapter in its place; again, it brings it up to date.

    Args:
        name: Of `HOSTS`.
        dest: The host's folder; the best of its places when None.
        device: The engine's; when None that of an earlier install, else cpu.

    Raises:
        OutputError: the folder cannot be written, or another's file is in the way.
        InstallError: there is no plug-in for this system.
    """
    host = HOSTS[name]
    root = (dest or host.places()[0]).expanduser().absolute()
    device = device or recorded_engine(host, root).get("device") or "cpu"
    engine = {**recorded_engine(host, root), "python": sys.executable, "device": device}
    text = json.dumps(engine, indent=1) + "\n"
    files = {host.engine: text.encode(), **host.files()}
    programs = frozenset(path for path in files if path.endswith(".ofx"))
    facts = {}
    if name == "nuke":
        startup.own_lines(root)  # refuses a file that it cannot read before anything is written
        if read_record(root, host.record) is None:
            facts = {"init_is_ours": not (root / "init.py").exists()}
    aside = write_tree(root, host.record, files, programs=programs, merged=frozenset({host.engine}), facts=facts)
    if name == "nuke":
        startup.add_lines(root)
    return Installed(root, sys.executable, device, tuple(aside))


def uninstall(name: str, dest: Path | None = None) -> tuple[Path, list[Path]]:
    """Takes a host's adapter away.

    Returns:
        The host's folder, and the files that somebody had changed and that stay.

    Raises:
        InstallError: there is none.
        OutputError: a file cannot be deleted.
    """
    host = HOSTS[name]
    root, record = find(name, dest)
    if name == "nuke":
        startup.remove_lines(root, is_ours=bool(record.facts.get("init_is_ours")))
    return root, remove_tree(root, host.record, record)


def find(name: str, dest: Path | None = None) -> tuple[Path, Record]:
    """The host's folder that holds an install, and its record.

    Raises:
        InstallError: none does.
    """
    host = HOSTS[name]
    places = (dest.expanduser().absolute(),) if dest else host.places()
    for root in places:
        record = read_record(root, host.record)
        if record is not None:
            return root, record
    looked = ", ".join(map(str, places))
    raise InstallError(f"nothing for {host.title} is installed in {looked}: run `filmrestore install {name}`")


def recorded_engine(host: Host, root: Path) -> dict[str, str]:
    """What engine.json says; empty where there is none.

    Raises:
        InstallError: it cannot be read.
    """
    path = root / host.engine
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {key: str(value) for key, value in told.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InstallError(f"{path} cannot be read: {error.strerror}; be a user who may, or give --dest") from error
    except (ValueError, AttributeError) as error:
        raise InstallError(f"{path} cannot be read ({error}): delete it and install again") from error


def library(root: Path) -> Path:
    """The file that OpenFX hosts load."""
    return root / NAME / binary_path()


def render_script() -> Path:
    """The Nuke plug-in's render.py: where it is installed, else a checkout's.

    Raises:
        UsageError: there is neither.
    """
    installed = [root / HOSTS["nuke"].folder / "render.py" for root in nuke_places()]
    for script in (*installed, CHECKOUT / "nuke_plugin" / "render.py"):
        if script.is_file():
            return script
    raise UsageError(
        "a Nuke job needs the plug-in's render.py: run `filmrestore install nuke`, or name the one that the farm's "
        "machines see with --render-script"
    )
