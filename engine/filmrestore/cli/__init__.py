"""The `filmrestore` command: lazy verbs, and the one place where errors become exit codes."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

import click

from .. import __version__
from ..errors import FilmRestoreError

VERBS = (
    "probe",
    "restore",
    "degrade",
    "grain",
    "apply",
    "verify",
    "report",
    "weave",
    "submit",
    "bench",
    "train",
    "export",
    "models",
    "serve",
    "install",
    "demo",
)
INTERRUPTED = 130


class Verbs(click.Group):
    """Loads the module of a verb when the verb is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"filmrestore.cli.{cmd_name}").command
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="filmrestore")
def command() -> None:
    """Restores scanned film: every change a recorded fix, every untouched pixel bit-exact."""


def main() -> NoReturn:
    """Entry point of the console script."""
    code = run(sys.argv[1:])
    if code == INTERRUPTED:  # native threads may still be in a call; to take their libraries down now can abort
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one way out for each kind of end
    """Run one command line and say how it ended.

    Returns:
        The exit code: 0 done, 1 failed, 2 usage, 3 some frames failed, 4 input missing or corrupt,
        5 device or memory, 130 interrupted.
    """
    signal.signal(signal.SIGTERM, _terminate)
    warnings.showwarning = _show_warning
    logging.basicConfig(level=logging.WARNING, handlers=[_Messages(logging.WARNING)], force=True)
    try:
        command.main(args=list(arguments), prog_name="filmrestore", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted: what is finished stays; run the same command again to go on")
        return INTERRUPTED
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # The reader of our results has gone (`| head`); Python must not try to flush to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except FilmRestoreError as error:
        return _failed(error)
    except MemoryError:
        _say("Error: memory ran out: take a smaller --roi, fewer --threads, or a machine with more memory")
        return 5
    except Exception as error:
        return _unexpected(error)
    return 0


def debug() -> bool:
    """Whether FILMRESTORE_DEBUG asks for tracebacks on the terminal."""
    return os.environ.get("FILMRESTORE_DEBUG", "") not in ("", "0")


class _Messages(logging.Handler):
    """Log records as messages on whatever stderr is now: a live bar replaces it."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(record.getMessage())


def _failed(error: FilmRestoreError) -> int:
    if debug():
        traceback.print_exception(error)
    # Farm log readers take a line with "Error:" as a failed task; a stopped one is none.
    _say(str(error) if error.exit_code == INTERRUPTED else f"Error: {error}")
    return error.exit_code


def _unexpected(error: Exception) -> int:
    if debug():
        traceback.print_exception(error)
        return 1
    log = Path(tempfile.gettempdir()) / f"filmrestore-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.log"
    log.write_text("".join(traceback.format_exception(error)))
    _say(f"Error: an error that should not happen, {type(error).__name__}: {error}")
    _say(f"The traceback is in {log}; FILMRESTORE_DEBUG=1 prints it here.")
    return 1


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _say(f"warning: {message}")


def _say(message: str) -> None:
    click.echo(f"filmrestore: {message}", err=True)
