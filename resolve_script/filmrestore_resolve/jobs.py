"""Where a result is written, and the job that the engine is given for it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filmrestore.errors import OutputError, UsageError

from .choices import FilesChoices, Wanted

FOLDER = "FilmRestore"
RECIPE = "recipe.json"
_OWN = {".exr": "exr", ".dpx": "dpx", ".tif": "tif", ".tiff": "tif", ".png": "png", ".jpg": "png", ".jpeg": "png"}


@dataclass(frozen=True)
class Job:
    """One run of the engine.

    Attributes:
        node: restore, degrade or grain.
        fields: Of the node's job, as the wire takes them.
        settings: Of the node.
        first, last: Numbers of the frames that are written.
        folder: Where they are written.
    """

    node: str
    fields: dict[str, Any]
    settings: dict[str, Any]
    first: int
    last: int
    folder: Path

    @property
    def output(self) -> str:
        """Pattern or movie that is written."""
        return str(self.fields["output"])

    @property
    def is_movie(self) -> bool:
        """Whether one file is written."""
        return "#" not in Path(self.output).name


def make_job(name: str, source: str, span: tuple[int, int], wanted: Wanted, form: str) -> Job:
    """The job for a clip. The same wishes take the same folder, so that a broken-off run goes on; others a new one.

    Args:
        name: Of the clip.
        source: #### pattern or movie.
        span: First and last frame.
        wanted: What the user asked for.
        form: As `TimelineChoices.form`.

    Raises:
        OutputError: the folder cannot be written.
        UsageError: a relative folder, or a source that is itself a result of that node.
    """
    run = wanted.run
    _check_is_no_result(source, wanted.node)
    plain = _plain(name)
    root = _root(run, source)
    fields: dict[str, Any] = {"source": source, "span": f"{span[0]}-{span[1]}", "lossy": run.lossy or form == "prores"}
    fields.update(_given(colourspace=run.colourspace, config=run.config))
    if wanted.node == "grain":
        fields.update(_given(reference=run.reference))
    settings = wanted.settings.to_dict()
    recipe = {"node": wanted.node, "settings": settings, "form": form, **fields}
    folder = _own_folder(root, f"{plain}_{wanted.node}", recipe)
    fields["output"] = str(folder / f"{plain}_{wanted.node}.{_ending(source, form)}")
    if wanted.node == "restore":
        fields["analysis"] = str(_analysis(root, source, run))
    return Job(wanted.node, fields, settings, span[0], span[1], folder)


def _check_is_no_result(source: str, node: str) -> None:
    """Running the script again on a clip whose take is the result would work on the result."""
    try:
        recipe = json.loads((Path(source).parent / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not a folder of ours
        return
    if isinstance(recipe, dict) and recipe.get("node") == node:
        raise UsageError(
            f"{Path(source).name} is a result of {node} already: choose the clip's take of the scan (Take Selector), "
            "then run the script again"
        )


def _ending(source: str, form: str) -> str:
    if form == "prores":
        return "mov"
    own = _OWN.get(Path(source).suffix.lower(), "dpx")
    return f"{'#' * (Path(source).name.count('#') or 4)}.{own if form == 'automatic' else form}"


def _root(run: FilesChoices, source: str) -> Path:
    if not run.folder:
        return Path(source).parent / FOLDER
    folder = Path(run.folder).expanduser()
    if not folder.is_absolute():
        raise UsageError(f"the folder {run.folder!r} is not absolute: give it from the root of its disk")
    return folder


def _own_folder(root: Path, name: str, recipe: Mapping[str, Any]) -> Path:
    """The folder of that recipe: the one that there is, else the next version."""
    text = json.dumps(recipe, indent=2, sort_keys=True)
    try:
        version = 1
        while (folder := root / f"{name}_v{version:03d}").exists():
            if (folder / RECIPE).exists() and (folder / RECIPE).read_text(encoding="utf-8") == text:
                return folder
            version += 1
        folder.mkdir(parents=True)
        (folder / RECIPE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{root} cannot be written: {error}; choose another Folder in the dialog") from error
    return folder


def _analysis(root: Path, source: str, run: FilesChoices) -> Path:
    """One analysis for all clips of a reel: it looks at every frame of it."""
    name = _plain(Path(source).name.split("#")[0])
    key = "\n".join([source, run.colourspace, run.config or os.environ.get("OCIO", "")])
    return root / f"{name}.{hashlib.sha256(key.encode()).hexdigest()[:8]}.analysis.json"


def _given(**texts: str) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}


def _plain(name: str) -> str:
    """The clip's name as part of a file name; no digits at its end, which would be read as frame numbers."""
    stem = re.sub(r"\.\w{1,4}$", "", re.sub(r"\[\d+-\d+\]", "", name))
    return re.sub(r"[^\w-]+", "_", stem).strip("_") or "clip"
