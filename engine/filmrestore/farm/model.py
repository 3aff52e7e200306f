"""A farm job before any farm's format: its steps, their commands word by word, and what they need of a machine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

Kind = Literal["FILE", "DIRECTORY", "PATTERN"]
Flow = Literal["IN", "OUT", "NONE"]


@dataclass(frozen=True)
class Place:
    """A path of the job, which a farm may have to map to another machine's.

    Attributes:
        name: Of the farm's parameter.
        path: Absolute: a file, a folder, or a folder and a frame pattern.
        kind: Which of these.
        flow: Whether the job reads or writes it; NONE neither travels nor is missed.
        help: What it is.
    """

    name: str
    path: str
    kind: Kind
    flow: Flow
    help: str

    @property
    def folder(self) -> str:
        """The folder of a pattern, which is what a farm maps."""
        return str(Path(self.path).parent)

    @property
    def file(self) -> str:
        """The last part of the path."""
        return Path(self.path).name


class Token(Enum):
    """Words that stand for something else in each farm."""

    PROGRAM = "program"
    FRAMES = "frames"  # --frames= and the span of the task


Word = str | Place | Token


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a step needs of a machine.

    Attributes:
        threads: Processors.
        memory_mib: 0 where nobody knows.
        gpu_mib: Memory of a GPU; 0 needs none.
    """

    threads: int = 1
    memory_mib: int = 0
    gpu_mib: int = 0


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a job; it begins when the step `after` has ended well.

    Attributes:
        name: In the farm's monitor.
        help: What it does.
        words: The command.
        needs: Of a machine.
        after: Name of the step that it waits for.
        chunks: Frames of each task; none is one task without frames.
    """

    name: str
    help: str
    words: tuple[Word, ...]
    needs: Needs
    after: str | None = None
    chunks: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class FarmJob:
    """A job for a farm.

    Attributes:
        name: For people.
        program: What the machines call the command.
        steps: In their order.
        most: Most frames of a chunk.
    """

    name: str
    program: str
    steps: tuple[Step, ...]
    most: int

    @property
    def places(self) -> tuple[Place, ...]:
        """Every path, once; what one step writes and another reads counts as written."""
        found: dict[str, Place] = {}
        for step in self.steps:
            for word in step.words:
                if isinstance(word, Place):
                    found.setdefault(word.name, word)
        return tuple(found.values())
