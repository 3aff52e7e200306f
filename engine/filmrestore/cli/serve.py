"""`filmrestore serve`: the engine that hosts talk to; they start it by themselves."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable

import click

from ..errors import EngineError
from .options import GroupedCommand
from .places import cache_folder
from .stopping import stop_on_signals


@click.command(cls=GroupedCommand)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps: one server each.")
@click.option("--threads", type=click.IntRange(1), help="Patches side by side; changes no bit.  [one a core]")
@click.option(
    "--idle", "idle_s", type=click.FloatRange(0), default=900.0, show_default=True, metavar="SECONDS",
    help="End after this long without a request; 0 never ends.",
)  # fmt: skip
@click.option(
    "--memory", "memory_gib", type=click.FloatRange(0.01), default=4.0, show_default=True, metavar="GIB",
    help="For frames that hosts have sent; half as much again for results.",
)  # fmt: skip
@click.option("--cache", metavar="DIR", help="Where tiles are kept.  [the user's cache folder]")
@click.option("--no-cache", is_flag=True, help="Keep no tiles on disk.")
@click.option("--cache-size", "cache_size_mib", type=click.IntRange(1), default=8192, show_default=True, metavar="MIB")
@click.option("--tcp", is_flag=True, help="Loopback TCP with a token, where Unix sockets do not serve.")
@click.option("--status", is_flag=True, help="Ask the server that runs what it is doing.")
@click.option("--stop", "is_stop", is_flag=True, help="End the server that runs.")
def command(
    *,
    device: str,
    threads: int | None,
    idle_s: float,
    memory_gib: float,
    cache: str | None,
    no_cache: bool,
    cache_size_mib: int,
    tcp: bool,
    status: bool,
    is_stop: bool,
) -> None:
    """Serve frames to hosts on this machine: the user's own, and nobody else's."""
    if status or is_stop:
        _ask_server(device, is_stop=is_stop)
        return
    from pathlib import Path

    from ..cache import TileCache
    from ..server.serve import AlreadyServed, Server
    from ..server.session import Limits

    logging.getLogger("filmrestore.server").setLevel(logging.INFO)
    folder = None if no_cache else Path(cache) if cache else cache_folder()
    memory = int(memory_gib * 2**30)
    try:
        server = Server(
            device,
            threads=threads or os.cpu_count() or 1,
            idle_s=idle_s,
            cache=TileCache(folder, cache_size_mib) if folder else None,
            limits=Limits(frame_bytes=memory, kept_bytes=memory // 2),
            tcp=tcp,
        )
    except AlreadyServed as error:
        click.echo(f"filmrestore: {error}", err=True)  # another client was faster: all is well
        return
    with stop_on_signals() as stop:
        threading.Thread(target=_stop_when, args=(stop, server.stop), daemon=True).start()
        server.serve()


def _stop_when(stop: threading.Event, end: Callable[[], None]) -> None:
    stop.wait()
    end()


def _ask_server(device: str, *, is_stop: bool) -> None:
    from ..client import find_server

    client = find_server(device, name="filmrestore serve")
    if client is None:
        raise EngineError(f"no server runs for device {device}")
    with client:
        if is_stop:
            client.stop_server()
        else:
            click.echo(json.dumps(client.status()))
