"""A clean clip that is made on the spot, for the tests of the benches."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np


def clean_clip(folder: Path, *, frames: int) -> Path:
    """Writes one short clip under the name of a real one, a disc that crosses a still texture; gives the folder."""
    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (368, 400, 3), np.uint8), (0, 0), 3)
    with av.open(str(folder / "dashcam.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = 400, 368, "yuv420p"
        for n in range(frames):
            picture = cv2.circle(texture.copy(), (80 + 30 * n, 184), 40, (220, 210, 190), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return folder
