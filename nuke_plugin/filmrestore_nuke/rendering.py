"""Writing what feeds a node into float32 EXRs that the engine reads; in Nuke's main thread, by nodes that go again."""

from __future__ import annotations

import filecmp
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import nuke
from filmrestore.errors import Cancelled, FilmRestoreError, OutputError

from .frames import path_of, runs_of
from .tell import no_undo

_MOST_AT_ONCE = 4  # no signal reaches Python while Nuke renders, and a farm kills after two minutes


def render_input(
    group: Any,
    name: str,
    pattern: str,
    frames: Iterable[int],
    *,
    offset: int,
    view: str,
    is_mask: bool,
    is_stopped: Callable[[], bool],
) -> list[int]:
    """Writes the picture at an input, in the working space, the whole format and no more.

    Files that come out as they were keep their time, so that the engine knows what it has done.

    Args:
        group: The node.
        name: Of its input.
        pattern: To write; numbered as the scan.
        frames: In Nuke's time.
        offset: Scan's number minus Nuke's frame.
        view: Of a script of several; "" for the first.
        is_mask: Write the alpha alone, as grey.
        is_stopped: Asked between runs of frames.

    Returns:
        Numbers, as the scan's, of files that were there and are others now.

    Raises:
        Cancelled: by the user.
        FilmRestoreError: Nuke could not render it.
    """
    folder = os.path.dirname(pattern)
    incoming = f"{folder}/incoming-{uuid.uuid4().hex[:12]}"
    try:
        os.makedirs(incoming)
    except OSError as error:
        raise OutputError(
            f"the folder {folder} cannot be written: {error}; choose another one on the tab Files"
        ) from error
    changed = []
    try:
        with _writing(group, name, f"{incoming}/in.%04d.exr", is_mask) as write:
            for first, last in _at_once(frames):
                if is_stopped():
                    raise Cancelled("stopped while the input was rendered")
                _execute(write, first, last, view or str(nuke.views()[0]), name)
                for frame in range(first, last + 1):
                    if _take_in(path_of(f"{incoming}/in.%04d.exr", frame), path_of(pattern, frame + offset)):
                        changed.append(frame + offset)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return changed


def _at_once(frames: Iterable[int]) -> list[tuple[int, int]]:
    """(first, last) of what Nuke renders before a stop is asked for; its own window has a Cancel of its own."""
    if nuke.GUI:
        return runs_of(frames)
    return [
        (n, min(n + _MOST_AT_ONCE - 1, last))
        for first, last in runs_of(frames)
        for n in range(first, last + 1, _MOST_AT_ONCE)
    ]


def _execute(write: Any, first: int, last: int, view: str, name: str) -> None:
    try:
        nuke.execute(write, first, last, 1, [view])
    except RuntimeError as error:
        if "cancel" in str(error).lower():
            raise Cancelled(f"stopped while the {name} was rendered") from error
        raise FilmRestoreError(f"Nuke cannot render the {name}, frames {first} to {last}: {error}") from error


def _take_in(made: str, wanted: str) -> bool:
    """Gives a new file its name; True where another picture stood there."""
    try:
        if not os.path.exists(wanted):
            os.replace(made, wanted)
            return False
        if filecmp.cmp(made, wanted, shallow=False):
            return False
        os.replace(made, wanted)
    except OSError as error:
        raise OutputError(f"{wanted} cannot be written: {error}") from error
    return True


@contextmanager
def _writing(group: Any, name: str, file: str, is_mask: bool) -> Iterator[Any]:
    """A Write inside the group, at full resolution, that is gone afterwards with all that it needed."""
    made: list[Any] = []
    root = nuke.root()
    was_proxy = bool(root["proxy"].value())
    with no_undo():
        try:
            root["proxy"].setValue(False)
            with group:
                yield _chain(group.node(name), group.input(0).format(), file, is_mask, made)
        finally:
            for node in reversed(made):
                nuke.delete(node)
            root["proxy"].setValue(was_proxy)


def _chain(source: Any, form: Any, file: str, is_mask: bool, made: list[Any]) -> Any:
    """input -> (alpha to grey) -> cut or filled up to the format -> Write."""
    if is_mask:
        shuffle = nuke.nodes.Shuffle()
        made.append(shuffle)
        for channel in ("red", "green", "blue", "alpha"):
            shuffle[channel].setValue("alpha")
        shuffle.setInput(0, source)
        source = shuffle
    black = nuke.nodes.Constant()
    made.append(black)
    black["channels"].setValue("rgba")
    black["format"].setValue(form)
    laid = nuke.nodes.Merge2()  # "copy" takes the input's own bits; bbox B is the whole format, frame after frame
    made.append(laid)
    laid["operation"].setValue("copy")
    laid["bbox"].setValue("B")
    laid.setInput(0, black)
    laid.setInput(1, source)
    write = nuke.nodes.Write()
    made.append(write)
    write.setInput(0, laid)
    write["file"].setValue(file)
    write["file_type"].setValue("exr")
    write["channels"].setValue("rgba")
    write["datatype"].setValue("32 bit float")
    write["raw"].setValue(True)  # as they are in the working space, which is what the engine is told
    return write
