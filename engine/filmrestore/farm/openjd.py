"""A farm job as Open Job Description: the template, and the values that a submission gives it.

Source: Open Job Description, specification 2023-09. What Deadline Cloud adds are the files' names and the list of
files that travel with a job.
"""

from __future__ import annotations

from typing import Any

from .chunks import span_of
from .model import FarmJob, Needs, Place, Step, Token, Word

STOP_S = 120
"""Between asking a task to stop and ending it: a patch of the largest frames takes less."""
_PROGRAM, _NAME, _FRAMES = "Program", "JobName", "Frames"


def template(job: FarmJob) -> dict[str, Any]:
    """The job template; everything that a person might want to change, and every path, is a parameter of it."""
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": _param(_NAME),
        "parameterDefinitions": [
            _text(_NAME, "Name of the job."),
            _text(_PROGRAM, "What the machines call the command: a name on their PATH, or a path."),
            *(entry for place in job.places for entry in _definitions(place)),
        ],
        "steps": [_step(step) for step in job.steps],
    }


def parameters(job: FarmJob) -> dict[str, str]:
    """The value of each parameter of the template."""
    values = {_NAME: job.name, _PROGRAM: job.program}
    for place in job.places:
        if place.kind == "PATTERN":
            values |= {f"{place.name}Folder": place.folder, f"{place.name}Name": place.file}
        else:
            values[place.name] = place.path
    return values


def assets(job: FarmJob) -> dict[str, Any]:
    """What travels with the job where machines share no disk, beyond the paths among its parameters."""
    configs = [place for place in job.places if place.name == "Ocio"]
    return {
        "assetReferences": {
            # A config is little use without the tables beside it.
            "inputs": {"filenames": [], "directories": sorted({place.folder for place in configs})},
            "outputs": {"directories": sorted({_written(place) for place in job.places if place.flow == "OUT"})},
        }
    }


def _written(place: Place) -> str:
    return place.path if place.kind == "DIRECTORY" else place.folder


def _step(step: Step) -> dict[str, Any]:
    made: dict[str, Any] = {"name": step.name, "description": step.help}
    if step.after:
        made["dependencies"] = [{"dependsOn": step.after}]
    made["hostRequirements"] = {"amounts": _amounts(step.needs)}
    if step.chunks:
        spans = [span_of(chunk) for chunk in step.chunks]
        made["parameterSpace"] = {"taskParameterDefinitions": [{"name": _FRAMES, "type": "STRING", "range": spans}]}
    command, *arguments = (_word(word) for word in step.words)
    cancel = {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": STOP_S}
    made["script"] = {"actions": {"onRun": {"command": command, "args": arguments, "cancelation": cancel}}}
    return made


def _amounts(needs: Needs) -> list[dict[str, Any]]:
    amounts = {
        "amount.worker.vcpu": needs.threads,
        "amount.worker.memory": needs.memory_mib,
        "amount.worker.gpu": int(needs.gpu_mib > 0),
        "amount.worker.gpu.memory": needs.gpu_mib,
    }
    return [{"name": name, "min": least} for name, least in amounts.items() if least]


def _word(word: Word) -> str:
    if word is Token.PROGRAM:
        return _param(_PROGRAM)
    if word is Token.FRAMES:
        return f"--frames={{{{Task.Param.{_FRAMES}}}}}"
    if isinstance(word, Place):
        if word.kind == "PATTERN":
            return f"{_param(word.name + 'Folder')}/{_param(word.name + 'Name')}"
        return _param(word.name)
    return str(word)


def _definitions(place: Place) -> list[dict[str, Any]]:
    if place.kind != "PATTERN":
        return [_path(place.name, place.kind, place)]
    return [
        _path(f"{place.name}Folder", "DIRECTORY", place),
        _text(f"{place.name}Name", "The name of a frame in that folder, with a place for its number."),
    ]


def _path(name: str, kind: str, place: Place) -> dict[str, Any]:
    return {"name": name, "type": "PATH", "objectType": kind, "dataFlow": place.flow, "description": place.help}


def _text(name: str, help: str) -> dict[str, Any]:
    return {"name": name, "type": "STRING", "description": help}


def _param(name: str) -> str:
    return f"{{{{Param.{name}}}}}"
