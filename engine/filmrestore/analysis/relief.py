"""What stands out from its surroundings in one frame, thin or small: hairs, lint, specks, the picture's own detail."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from .ridges import usual

Float32 = NDArray[np.float32]

FINE = 1.3
"""Pixels, standard deviation of the scale at which a frame is looked at: hairs of one to five pixels at 2K."""
MOST = 15.0
"""Times the usual beyond which nothing stands out more."""
BLACK = 0.08
"""Net luminance that nine tenths of a row of the gate are darker than."""
WIDEST_GATE = 0.15
"""Of the frame, that the gate may cover at one edge."""
_SOFT = 2  # pixels over which the gate's edge is out of focus
_AROUND = 33  # pixels over which what is usual is measured
_FLOOR = 1e-3  # net: grain that no scan is below


def relief(luma: Float32) -> tuple[Float32, Float32]:
    """How much each pixel is a dark, and a light, ridge or spot, in units of what is usual around: 0..`MOST`.

    The larger bend of the picture, less half of the other where that has the other sign: a saddle is no ridge.

    Args:
        luma: Net luminance, (h, w).

    Source: A. Frangi et al., "Multiscale vessel enhancement filtering", 1998, for bends as the sign of a ridge.
    """
    smooth = cv2.GaussianBlur(luma, (0, 0), FINE)
    xx, yy, xy = (
        cv2.Sobel(smooth, cv2.CV_32F, x, y, ksize=3, scale=FINE * FINE / 4) for x, y in ((2, 0), (0, 2), (1, 1))
    )
    middle, half = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    up, down = middle + half, middle - half
    dark = np.maximum(up + np.minimum(down, 0) / 2, 0)
    light = np.maximum(-down - np.maximum(up, 0) / 2, 0)
    unit = np.float32(1.5) * usual(np.maximum(dark, light), (_AROUND, _AROUND)) + np.float32(_FLOOR / 3)
    return np.minimum(dark / unit, np.float32(MOST)), np.minimum(light / unit, np.float32(MOST))


def gate_of(luma: Float32, black: float = BLACK) -> tuple[int, int, int, int]:
    """Rows and columns of the gate itself, which is black, that a scan shows: top, bottom, left, right.

    Args:
        luma: Net luminance, (h, w); or another plane, with what is `black` in it.
    """
    edges = []
    for turned in (luma, luma[::-1], luma.T, luma.T[::-1]):
        light = np.quantile(turned[: round(WIDEST_GATE * len(turned)) + 1], 0.9, axis=1) > black
        edges.append(int(light.argmax()) if light.any() else 0)
    return edges[0], edges[1], edges[2], edges[3]


def without_gate(luma: Float32) -> Float32:
    """The frame with the picture's outermost rows and columns continued over the gate: its edge is no relief."""
    top, bottom, left, right = (edge + _SOFT if edge else 0 for edge in gate_of(luma))
    if not top + bottom + left + right:
        return luma
    inner = luma[top : luma.shape[0] - bottom, left : luma.shape[1] - right]
    return np.asarray(cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REPLICATE), np.float32)


def cores(plane: Float32, least: float, cell: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The crests of a relief, cut into pieces of at most `cell` pixels a side: rows and columns of each.

    Args:
        plane: Relief of one sign.
        least: What a crest must stand out by.
        cell: Pixels.
    """
    crest = (plane > least) & (plane >= np.float32(0.7) * cv2.dilate(plane, np.ones((5, 5), np.uint8)))
    _, labels = cv2.connectedComponents(crest.astype(np.uint8), connectivity=8)
    rows, columns = np.nonzero(crest)
    down, across = (size // cell + 1 for size in plane.shape)
    key = (labels[rows, columns].astype(np.int64) * down + rows // cell) * across + columns // cell
    order = np.argsort(key, kind="stable")
    rows, columns, key = rows[order], columns[order], key[order]
    ends = [0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), len(key)]
    return [(rows[a:b], columns[a:b]) for a, b in pairwise(ends) if b > a]
