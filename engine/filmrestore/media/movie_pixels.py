"""Decoded movie frames to codes: exactly where the movie stores RGB or grey, by a named conversion where Y'CbCr."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np

from ..frame import Codes

_EXACT = {  # stored samples that are the codes: FFmpeg's name -> (name to take them by, channels, bits)
    "gray": ("gray", "Y", 8),
    "gray10le": ("gray10le", "Y", 10),
    "gray12le": ("gray12le", "Y", 12),
    "gray14le": ("gray14le", "Y", 14),
    "gray16le": ("gray16le", "Y", 16),
    "rgb24": ("rgb24", "RGB", 8),
    "bgr24": ("rgb24", "RGB", 8),
    "bgr0": ("rgb24", "RGB", 8),
    "gbrp": ("gbrp", "RGB", 8),
    "gbrp10le": ("gbrp10le", "RGB", 10),
    "gbrp12le": ("gbrp12le", "RGB", 12),
    "gbrp14le": ("gbrp14le", "RGB", 14),
    "gbrp16le": ("gbrp16le", "RGB", 16),
    "rgb48le": ("rgb48le", "RGB", 16),
    "rgba": ("rgba", "RGBA", 8),
    "bgra": ("rgba", "RGBA", 8),
    "gbrap": ("gbrap", "RGBA", 8),
    "gbrap10le": ("gbrap10le", "RGBA", 10),
    "gbrap12le": ("gbrap12le", "RGBA", 12),
    "gbrap14le": ("gbrap14le", "RGBA", 14),
    "gbrap16le": ("gbrap16le", "RGBA", 16),
    "rgba64le": ("rgba64le", "RGBA", 16),
}
_HD_LINES = 720
# scaling of the two chroma samples, the same on every processor
SCALING = 4 | 0x40000 | 0x2000 | 0x4000 | 0x80000  # bicubic, accurate rounding, full chroma in and out, bit-exact


@dataclass(frozen=True)
class Taken:
    """How a frame's samples are taken: FFmpeg's pixel format, the channels and bits of the codes, and if exactly."""

    pixels: str
    channels: str
    bits: int
    exact: bool


def taking(pixels: str) -> Taken:
    """How frames of this pixel format become codes.

    RGB and grey samples are taken as they are. Y'CbCr is converted to R'G'B', of 8 bits from 8 and 16 bits from more:
    that changes the last bits, so it never counts as exact.
    """
    if pixels in _EXACT:
        return Taken(*_EXACT[pixels], exact=True)
    form = av.VideoFormat(pixels, 16, 16)
    depth = max(component.bits for component in form.components)
    alpha = any(component.is_alpha for component in form.components)
    if len(form.components) <= 2 and not form.is_rgb:
        return Taken("gray" if depth <= 8 else "gray16le", "Y", 8 if depth <= 8 else 16, exact=False)
    if depth <= 8:
        return Taken("rgba" if alpha else "rgb24", "RGBA" if alpha else "RGB", 8, exact=False)
    return Taken("rgba64le" if alpha else "rgb48le", "RGBA" if alpha else "RGB", 16, exact=False)


def take(frame: av.VideoFrame, taken: Taken) -> Codes:
    """Codes of a decoded frame, shape (h, w, c)."""
    if frame.format.name != taken.pixels:
        matrix = matrix_of(frame)
        full = int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")
        frame = frame.reformat(
            format=taken.pixels,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=2 if full else 1,
            dst_color_range=2,
            interpolation=SCALING,
        )
    codes = frame.to_ndarray()
    return np.ascontiguousarray(codes if codes.ndim == 3 else codes[:, :, None])


def matrix_of(frame: av.VideoFrame) -> int:
    """Number of the Y'CbCr matrix (ITU-T H.273, table 4): the frame's own, else Rec.709 for HD, Rec.601 below."""
    own = int(frame.colorspace)
    if own in {1, 4, 5, 6, 7, 9}:
        return 5 if own == 6 else own  # two numbers for Rec.601
    return 1 if frame.height >= _HD_LINES else 5
