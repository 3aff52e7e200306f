"""Writing a farm job to a folder: one bundle that Deadline Cloud, openjd and OpenCue each take as it is."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..media import atomic_bytes
from . import opencue, openjd
from .model import FarmJob
from .yaml import to_yaml

TEMPLATE, VALUES, ASSETS = "template.yaml", "parameter_values.yaml", "asset_references.yaml"
"""The names that Deadline Cloud looks for."""
FLAT_VALUES, SPECIFICATION = "parameters.yaml", "opencue.xml"


def write_bundle(job: FarmJob, folder: Path, owner: opencue.Owner) -> dict[str, str]:
    """Write the job.

    Args:
        job: The job.
        folder: Made when missing; files of an earlier bundle in it are replaced.
        owner: For OpenCue.

    Returns:
        The next command, by farm.

    Raises:
        OutputError: the folder cannot be written.
    """
    folder = folder.absolute()
    values = openjd.parameters(job)
    maps: dict[str, dict[str, Any]] = {
        TEMPLATE: openjd.template(job),
        VALUES: {"parameterValues": [{"name": name, "value": value} for name, value in values.items()]},
        ASSETS: openjd.assets(job),
        FLAT_VALUES: values,
    }
    files = {name: to_yaml(value) for name, value in maps.items()}
    files[SPECIFICATION] = opencue.specification(job, owner)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the bundle's folder {folder}: {error.strerror}") from error
    for name, text in files.items():
        atomic_bytes(folder / name, text.encode())
    return _next_commands(job, folder)


def _next_commands(job: FarmJob, folder: Path) -> dict[str, str]:
    launch = "import sys, opencue.api; opencue.api.launchSpecAndWait(open(sys.argv[1]).read())"
    commands = {
        "Deadline Cloud": ["deadline", "bundle", "submit", str(folder)],
        "openjd": ["openjd", "run", str(folder / TEMPLATE), "-p", f"file://{folder / FLAT_VALUES}"],
        "OpenCue": ["python", "-c", launch, str(folder / SPECIFICATION)],
    }
    commands["openjd"] += ["--step", job.steps[-1].name, "--run-dependencies"]
    return {farm: shlex.join(words) for farm, words in commands.items()}
