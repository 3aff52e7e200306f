"""The way of a clip through Nuke, for tests: a script is built, and the terminal script runs it, each in its own Nuke.

`restored_by_nuke` is for any test that compares hosts: what it needs is a running engine in $FILMRESTORE_RUNTIME.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RENDER = ROOT / "nuke_plugin" / "render.py"
FRAMES = range(1000, 1012)
"""Of the tests' clip; a speck in 1003 and in 1008."""
OCIO = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"

BUILD = """
import json, sys
import nuke
from filmrestore_nuke import group

facts = json.loads(sys.argv[1])
root = nuke.root()
root["colorManagement"].setValue("OCIO")
root["OCIOConfigPath"].setValue(facts["ocio"])
root["workingSpaceLUT"].setValue("scene_linear")
read = nuke.nodes.Read(file=facts["clip"], first=facts["first"], last=facts["last"])
read["origfirst"].setValue(facts["first"])
read["origlast"].setValue(facts["last"])
read["colorspace"].setValue("scene_linear")
read.setSelected(True)
node = group.create(facts["title"])
for name, value in facts["knobs"].items():
    node[name].setValue(value)
write = nuke.nodes.Write(file=facts["written"])
write["file_type"].setValue("exr")
write["datatype"].setValue("32 bit float")
write["channels"].setValue("rgba")
write["raw"].setValue(True)
write.setInput(0, node)
nuke.scriptSaveAs(facts["script"], 1)
"""


def nuke_t(*words: str | Path, check: bool = True, environment: Mapping[str, str] | None = None) -> Any:
    """`nuke -t WORDS` on the stand-in, with the plug-in on NUKE_PATH; gives the finished process."""
    told = subprocess.run(
        command(*words), check=False, capture_output=True, text=True, env={**variables(), **(environment or {})}
    )
    assert not check or told.returncode == 0, told.stdout + told.stderr
    return told


def command(*words: str | Path) -> list[str]:
    """The command line of `nuke -t`."""
    return [sys.executable, "-m", "nuke_stand_in", "-t", *map(str, words)]


def variables() -> dict[str, str]:
    """The environment of a Nuke that has the plug-in."""
    return {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        "NUKE_PATH": str(ROOT / "nuke_plugin"),
        "FILMRESTORE_PYTHON": sys.executable,
    }


def build_script(
    folder: Path,
    clip: str,
    frames: Iterable[int],
    *,
    title: str = "FilmRestore",
    knobs: Mapping[str, Any] | None = None,
) -> Path:
    """Saves a script: a Read of the clip, the node as FilmRestore1 (or its title), and Write1.

    Args:
        folder: For the script and what it writes.
        clip: Pattern with %04d or ####, scene-linear EXRs.
        frames: Of the clip.
        title: The node.
        knobs: Values of its knobs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "build.py").write_text(BUILD)
    script = folder / "comp.nk"
    numbers = sorted(frames)
    facts = {
        "clip": clip.replace("####", "%04d"),
        "first": numbers[0],
        "last": numbers[-1],
        "title": title,
        "knobs": dict(knobs or {}),
        "ocio": OCIO,
        "script": str(script),
        "written": str(folder / "written.%04d.exr"),
    }
    nuke_t(folder / "build.py", json.dumps(facts))
    return script


def restored_by_nuke(
    clip: str,
    folder: Path,
    frames: Iterable[int],
    *,
    settings: Mapping[str, Any] | None = None,
    rendered: bool = False,
    analysis: str | None = None,
) -> dict[int, Path]:
    """Restores a clip of float32 scene-linear EXRs by the Nuke terminal script.

    Args:
        clip: Pattern.
        folder: For the script and all that comes of it.
        frames: To restore; all that the clip has.
        settings: Of the node.
        rendered: Have Nuke write the plate for the engine, as where there are other nodes between.
        analysis: The reel's analysis file; made when None.

    Returns:
        Frame -> the EXR that Nuke's Write node wrote of the node's result.
    """
    numbers = sorted(frames)
    knobs = {**(settings or {}), "plate": "rendered" if rendered else "automatic", "analysis": analysis or ""}
    script = build_script(folder, clip, numbers, knobs=knobs)
    span = f"--frames={numbers[0]}-{numbers[-1]}"
    nuke_t(RENDER, script, "--node", "FilmRestore1", span, "--write", "Write1")
    return {number: folder / f"written.{number:04d}.exr" for number in numbers}
