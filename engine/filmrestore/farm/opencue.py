"""A farm job as an OpenCue job specification.

Source: the specification that pyoutline 1.37 writes for layers that run a plain command.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .chunks import span_of
from .model import FarmJob, Needs, Place, Step, Token, Word

_HEAD = (
    '<?xml version="1.0"?>\n'
    '<!DOCTYPE spec PUBLIC "SPI Cue  Specification Language" "http://localhost:8080/spcue/dtd/cjsl-1.12.dtd">\n'
)
_FRAMES = "#FRAMESPEC#"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose job it is, in OpenCue's words."""

    show: str
    shot: str
    user: str
    uid: int
    facility: str = "local"


def specification(job: FarmJob, owner: Owner) -> str:
    """The job as XML, for `opencue.api.launchSpecAndWait`.

    OpenCue cuts chunks by count alone. The handles make their results the same; a window that two chunks share is
    computed by the one that comes first.
    """
    root = Element("spec")
    for name in ("facility", "show", "shot", "user", "uid"):
        SubElement(root, name).text = str(getattr(owner, name))
    entry = SubElement(root, "job", name=_plain(job.name))
    for name, value in (("paused", "False"), ("maxretries", "2"), ("autoeat", "False")):
        SubElement(entry, name).text = value
    SubElement(entry, "env")
    layers = SubElement(entry, "layers")
    depends = SubElement(root, "depends")
    for step in job.steps:
        _layer(layers, job, step)
        if step.after:
            depend = SubElement(depends, "depend", type="LAYER_ON_LAYER", anyframe="False")
            for role, layer in (("depjob", None), ("deplayer", step.name), ("onjob", None), ("onlayer", step.after)):
                SubElement(depend, role).text = _plain(job.name) if layer is None else layer.lower()
    indent(root)
    return _HEAD + tostring(root, encoding="unicode") + "\n"


def _layer(layers: Element, job: FarmJob, step: Step) -> None:
    layer = SubElement(layers, "layer", name=step.name.lower(), type="Render")
    SubElement(layer, "cmd").text = " ".join(_word(word, job.program) for word in step.words)
    frames = [number for chunk in step.chunks for number in chunk]
    SubElement(layer, "range").text = span_of(frames or [1])
    SubElement(layer, "chunk").text = str(job.most if frames else 1)
    _resources(layer, step.needs)
    SubElement(layer, "env")
    SubElement(SubElement(layer, "services"), "service").text = "default"


def _resources(layer: Element, needs: Needs) -> None:
    SubElement(layer, "cores").text = f"{needs.threads:.1f}"
    SubElement(layer, "threadable").text = "True" if needs.threads > 1 else "False"
    if needs.memory_mib:
        SubElement(layer, "memory").text = f"{needs.memory_mib}m"
    if needs.gpu_mib:
        SubElement(layer, "gpus").text = "1"
        SubElement(layer, "gpu_memory").text = f"{needs.gpu_mib}m"


def _word(word: Word, program: str) -> str:
    """A word for the shell that OpenCue's machines start commands with."""
    if word is Token.PROGRAM:
        return shlex.quote(program)
    if word is Token.FRAMES:
        return f"--frames={_FRAMES}"
    return shlex.quote(word.path if isinstance(word, Place) else str(word))


def _plain(name: str) -> str:
    """A name of the characters that OpenCue allows."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", name).strip("_")
