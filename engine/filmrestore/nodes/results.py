"""What a run leaves behind: picture, matte and record of every frame, and which of them are there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from .. import __version__
from ..colour import Colour
from ..fixes import FrameRecord, Header, LedgerWriter, RecordedFix, scan_facts
from ..frame import Frame
from ..media import Shot, Writer, atomic_bytes, write_plane
from ..media.patterns import Pattern
from ..restorers.base import Restorer
from ..wide.record import Wide
from .job import RestoreJob
from .meter import Meter


@dataclass(frozen=True, kw_only=True)
class Made:
    """One finished frame, not yet written.

    Attributes:
        frame: With the result's codes.
        matte: (h, w), 0..1.
        record: Without what only the writing knows: run, name of the result, counts.
        fixes: Of marks.
        wide: Of the whole frame.
        spared: Marks that the guard took back.
    """

    frame: Frame
    matte: NDArray[np.float32]
    record: FrameRecord
    fixes: list[RecordedFix]
    wide: tuple[Wide, ...]
    spared: int


class Results:
    """The files of one run.

    Args:
        job: Says what counts as done.
        shot: The scan.
        writer: Of the pictures.
        mattes: Names of the mattes; None where none are wanted.
        ledger: Of the records.
        meter: Told how long writing takes.
    """

    def __init__(
        self, job: RestoreJob, shot: Shot, writer: Writer, mattes: Pattern | None, ledger: LedgerWriter, meter: Meter
    ) -> None:
        self._shot, self._writer, self._mattes, self._ledger, self._meter = shot, writer, mattes, ledger, meter
        self._is_enough = job.overwrite == "never"
        self.takes_all = job.overwrite == "always"
        """Whether nothing that is there counts as done."""

    def has(self, number: int, inputs: str) -> bool:
        """Whether an earlier run made the frame of these inputs."""
        if self.takes_all or not self._writer.exists(number):
            return False
        if self._is_enough:
            return True
        record = self._ledger.record(number)
        if record is None or record.inputs != inputs:
            return False
        return self._mattes is None or self._mattes.path_of(number).exists()

    def write(self, made: Made, share_s: float) -> None:
        """Matte and ledger first, the picture last: a frame counts as done once all are there.

        An earlier picture goes before its new record comes: a run that dies between would leave a frame that looks
        done and is not.

        Args:
            made: The frame.
            share_s: Its share of the time that its window took.
        """
        number = made.frame.number
        with self._meter.stage("write"):
            if self._mattes is not None:
                write_plane(self._mattes.path_of(number), made.matte, like=made.frame)
            record = structs.replace(
                made.record,
                result=self._writer.path_of(number).name,
                seconds=round(made.record.seconds + share_s, 4),
            )
            self._writer.discard(number)
            self._ledger.write(record, made.fixes, made.wide)
            self._writer.write(made.frame)

    def copy(self, number: int) -> None:
        """The scan's file as the result, where that is of the same kind and the file can be read at all."""
        if self._shot.is_movie:
            return
        source, target = self._shot.path_of(number), self._writer.path_of(number)
        if target.suffix != source.suffix:
            return
        try:
            data = source.read_bytes()
        except OSError:  # the report says already that this frame cannot be read
            return
        atomic_bytes(target, data)


def header_of(
    job: RestoreJob, shot: Shot, colour: Colour, restorer: Restorer, network_class: Mapping[str, str]
) -> Header:
    """What all frames of the job's ledger share."""
    return Header(
        software=f"filmrestore {__version__}",
        method=job.settings.method,
        weights=restorer.weights_hash,
        settings=job.settings.to_dict(),
        settings_digest=job.settings.digest(),
        colour=dict(colour.describe()),
        scan=scan_facts(shot.format),
        network_class=dict(network_class),
        span=job.span or "",
        why=job.why,
    )
