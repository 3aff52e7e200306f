"""Sheets of real film, which has no truth: the scan, the result and the matte beside each other."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError
from ..settings import RestoreSettings
from .light import Codes16
from .rows import restore_as_user
from .sheets import write_sheet

_FRAMES = 9


def film_sheets(film_dir: Path, out_dir: Path, device: str) -> None:
    """One sheet for each folder of frames in `film_dir`: three frames of nine restored, with their mattes.

    Raises:
        InputError: no folder with image frames.
    """
    shots = [folder for folder in sorted(film_dir.iterdir()) if folder.is_dir() and any(folder.glob("*.png"))]
    if not shots:
        raise InputError(f"{film_dir} holds no folder of PNG frames: give the folder above the shots with --film")
    for shot in shots:
        scan = _read(shot)
        work = Path(tempfile.mkdtemp(prefix="film-"))
        try:
            answer = restore_as_user(scan, work, RestoreSettings(), device)
        finally:
            shutil.rmtree(work)
        assert answer.matte is not None
        picks = [len(scan) // 4, len(scan) // 2, 3 * len(scan) // 4]
        matte = np.repeat((answer.matte * 255).astype(np.uint8)[..., None], 3, axis=3)
        columns = {"scan": scan >> 8, "frdm-final": answer.result >> 8, "matte": matte}
        sheet = {name: np.concatenate(frames[picks].astype(np.uint8)) for name, frames in columns.items()}
        write_sheet(out_dir / "sheets" / f"film-{shot.name}.png", sheet)


def _read(shot: Path) -> Codes16:
    """The first frames, as 16-bit colour codes."""
    frames = []
    for path in sorted(shot.glob("*.png"))[:_FRAMES]:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise InputError(f"{path} cannot be read as an image")
        frames.append(image[..., ::-1].astype(np.uint16) * np.uint16(257))
    return np.stack(frames)
