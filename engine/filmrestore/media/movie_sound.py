"""The sound of a movie, carried over untouched."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av


class Sound:
    """The scan's sound, copied packet by packet beside the picture."""

    def __init__(self, source: Path, target: Any) -> None:
        self._source: Any = av.open(str(source))
        self._target = target
        picture = self._source.streams.video[0]
        self._start = Fraction((picture.start_time or 0) * picture.time_base)
        self._streams = {stream.index: target.add_stream_from_template(stream) for stream in self._source.streams.audio}
        self._packets = self._all()
        self._held: Any = None

    def mux_until(self, time_s: Fraction | None) -> None:
        """Write packets that begin at or before `time_s`; all that are left for None."""
        while self._streams:
            packet = self._held if self._held is not None else next(self._packets, None)
            self._held = None
            if packet is None:
                return
            if time_s is not None and packet.pts * packet.time_base > time_s:
                self._held = packet
                return
            packet.stream = self._streams[packet.stream.index]
            self._target.mux(packet)

    def close(self) -> None:
        self._source.close()

    def _all(self) -> Iterator[Any]:
        if not self._streams:
            return
        for packet in self._source.demux(*self._source.streams.audio):
            if packet.pts is None:
                continue
            shift = round(self._start / packet.time_base)
            packet.pts -= shift
            packet.dts = packet.dts - shift if packet.dts is not None else None
            yield packet
