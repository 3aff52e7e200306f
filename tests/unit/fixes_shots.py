"""A small restored shot on disk: scan, result and ledger, for the tests of apply, verify and report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from filmrestore.fixes import (
    FrameRecord,
    Header,
    LedgerWriter,
    codes_checksum,
    file_checksum,
    find_fixes,
    scan_facts,
)
from filmrestore.frame import Codes, Format, Frame
from filmrestore.media import open_shot, open_writer
from filmrestore.media.dpx import new_dpx

HEIGHT, WIDTH = 48, 64


@dataclass(frozen=True)
class Restored:
    scan: str
    result: str
    ledger: Path
    frames: tuple[int, ...]

    def result_path(self, frame: int) -> Path:
        return Path(self.result.replace("####", f"{frame:04d}"))

    def scan_path(self, frame: int) -> Path:
        return Path(self.scan.replace("####", f"{frame:04d}"))


def write_dpx_scan(folder: Path, frames: tuple[int, ...], height: int = HEIGHT, width: int = WIDTH) -> str:
    """10-bit DPX frames: a ramp with grain."""
    form = Format(
        width=width, height=height, channels=("R", "G", "B"), dtype="uint16", bits=10, container="dpx", lossless=True
    )
    folder.mkdir()
    for number in frames:
        rng = np.random.default_rng(number)
        ramp = np.linspace(200, 700, width)[None, :, None] + rng.normal(0, 12, (height, width, 3))
        frame = Frame(
            number=number,
            codes=ramp.astype(np.uint16),
            format=form,
            data_window=(0, 0, width, height),
            display_window=(0, 0, width, height),
        )
        (folder / f"scan.{number:04d}.dpx").write_bytes(new_dpx(frame, None))
    return str(folder / "scan.####.dpx")


def damage_and_repair(codes: Codes, number: int, picture: list[int]) -> tuple[Codes, np.ndarray, np.ndarray]:
    """New codes with four repairs, their origin and confidence: dust, a hair, a scratch and a blotch."""
    new = codes.copy()
    origin = np.zeros(codes.shape[:2], np.uint8)
    confidence = np.zeros(codes.shape[:2], np.float32)
    shift = number % 5
    repairs = (
        (slice(6, 8), slice(8 + shift, 10 + shift), 1, 0.95),
        (slice(20, 21), slice(10, 30), 2, 0.8),
        (slice(2, 46), slice(50, 51), 3, 0.55),
        (slice(30, 40), slice(12, 24), 3, 0.3),
    )
    for rows, columns, source, trust in repairs:
        region = new[rows, columns]
        region[:, :, picture] = region[:, :, picture] + np.asarray(40, codes.dtype)
        origin[rows, columns], confidence[rows, columns] = source, trust
    return new, origin, confidence


def restore(scan: str, folder: Path, suffix: str, settings: dict | None = None) -> Restored:
    """Restores a scan by hand, as the node does, into `folder`."""
    folder.mkdir(exist_ok=True)
    result = str(folder / f"out.####{suffix}")
    settings = {"strength": 1.0} if settings is None else settings
    with open_shot(scan) as shot, open_writer(result, like=shot, overwrite=True, lossy=suffix == ".jpg") as writer:
        header = Header(
            software="filmrestore test",
            method="frdm",
            weights="0123456789ab",
            settings=settings,
            settings_digest="feedfacefeedface",
            colour={"colourspace": "raw"},
            scan=scan_facts(shot.format),
        )
        ledger = LedgerWriter(folder / "shot.ledger", header)
        for number in shot.frames:
            frame = shot.read(number)
            picture = list(shot.format.picture)
            new, origin, confidence = damage_and_repair(frame.codes, number, picture)
            fixes = find_fixes(
                frame.picture(),
                np.ascontiguousarray(new[:, :, picture]),
                (confidence > 0).astype(np.float32),
                origin,
                confidence,
                frame=number,
                model="frdm@0123456789ab",
                settings="feedfacefeedface",
                format=shot.format,
            )
            record = FrameRecord(
                frame=number,
                run="",
                source=shot.path_of(number).name,
                result=writer.path_of(number).name,
                scan_codes=codes_checksum(frame.codes),
                result_codes=codes_checksum(new),
                scan_file="" if shot.is_movie else file_checksum(shot.path_of(number)),
                seconds=0.25,
                network_class="device=cpu",
            )
            ledger.write(record, fixes)
            writer.write(frame.replaced(new))
        return Restored(scan, result, folder / "shot.ledger", shot.frames)
