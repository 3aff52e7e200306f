"""`filmrestore install`: the adapters for Nuke, Resolve and OpenFX hosts, put in their places, checked, removed."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import InstallError, UsageError
from .options import GroupedCommand


@click.command(cls=GroupedCommand)
@click.argument("host", type=click.Choice(["nuke", "resolve", "ofx"]))
@click.option("--dest", type=click.Path(path_type=Path), metavar="DIR", help="Where to.  [where the host looks]")
@click.option("--device", help="That hosts start the engine on: cpu, cuda:1, mps.  [as before, else cpu]")
@click.option("--check", "is_check", is_flag=True, help="Look whether all is there, and start the engine.")
@click.option("--uninstall", "is_uninstall", is_flag=True, help="Take it away; files that you changed stay.")
def command(*, host: str, dest: Path | None, device: str | None, is_check: bool, is_uninstall: bool) -> None:
    """Put filmrestore into HOST: nuke, resolve, or ofx for every OpenFX host.

    Writes down the Python that this command runs with, by which the host starts the engine: no environment variable
    is needed. Run it again after every update of filmrestore.
    """
    if is_check and is_uninstall:
        raise UsageError("--check and --uninstall exclude each other: give one")
    if device and (is_check or is_uninstall):
        raise UsageError("--device goes with installing only")
    if is_check:
        _check(host, dest)
    elif is_uninstall:
        _uninstall(host, dest)
    else:
        _install(host, dest, device)


def _install(name: str, dest: Path | None, device: str | None) -> None:
    from ..install.hosts import HOSTS, install

    done = install(name, dest, device)
    _tell("installed", f"{HOSTS[name].title}, in {done.root}")
    _tell("engine", f"{done.python}, device {done.device}")
    for path in done.aside:
        _tell("kept", f"{path}, which somebody had changed")
    where = f" --dest {done.root}" if dest else ""
    _tell("next", f"{HOSTS[name].after}; filmrestore install {name}{where} --check")
    if name == "ofx" and dest and done.root not in HOSTS[name].places():
        _tell("note", f"hosts look into {done.root} only when it stands in their OFX_PLUGIN_PATH")


def _uninstall(name: str, dest: Path | None) -> None:
    from ..install.hosts import HOSTS, uninstall

    root, kept = uninstall(name, dest)
    _tell("removed", f"{HOSTS[name].title}, from {root}")
    for path in kept:
        _tell("kept", f"{path}, which somebody had changed")


def _check(name: str, dest: Path | None) -> None:
    from ..install.check import check

    wrong = check(name, dest, _tell)
    if wrong:
        raise InstallError("; ".join(wrong) if len(wrong) == 1 else "\n- ".join(["not all is well:", *wrong]))
    _tell("all well", "the host can use it")


def _tell(heading: str, text: str) -> None:
    click.echo(f"{heading:<16}{text}")
