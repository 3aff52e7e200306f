"""The stock and the optics: dye fading, grain, focus and motion blur, the scanner's blur."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..settings import DegradeSettings
from .canvas import Light
from .chance import generator, smooth

DARKEST = 1e-3  # light through the densest film: density 3
MID_GREY = 0.18


def optics(light: Light, settings: DegradeSettings, number: int, scale: float) -> Light:
    """Lens out of focus and camera movement, both as blur.

    Args:
        light: Scene-linear, shape (h, w, 3).
        settings: focus is a Gaussian's sigma, motion a length, both px at 2K; each breathes in time.
        number: Frame.
        scale: Pixels for one of 2K.
    """
    if settings.focus:
        breath = math.exp(0.3 * float(smooth(number / 12.0, settings.seed, "focus")))
        light = soften(light, settings.focus * scale * breath)
    if settings.motion:
        length = settings.motion * scale * abs(float(smooth(number / 3.0, settings.seed, "motion")))
        angle = math.pi * float(smooth(number / 9.0, settings.seed, "motion", "angle"))
        light = _smear(light, length, angle)
    return light


def soften(light: Light, sigma: float, *, in_place: bool = False) -> Light:
    """A Gaussian blur, of a picture or a mask, shape (h, w, 3) or (h, w); `in_place` saves memory on large frames."""
    if sigma < 0.05:
        return light
    side = 2 * max(1, math.ceil(3.0 * sigma)) + 1
    into = light if in_place else None
    return np.asarray(cv2.GaussianBlur(light, (side, side), sigma, into, borderType=cv2.BORDER_REFLECT_101))


def _smear(light: Light, length: float, angle: float) -> Light:
    if length < 0.5:
        return light
    reach = math.ceil(length / 2.0) + 1
    axis = np.arange(-reach, reach + 1, dtype=np.float32)
    along = axis[None, :] * math.cos(angle) + axis[:, None] * math.sin(angle)
    across = axis[:, None] * math.cos(angle) - axis[None, :] * math.sin(angle)
    kernel = np.clip(length / 2.0 + 0.5 - np.abs(along), 0.0, 1.0) * np.clip(1.0 - np.abs(across), 0.0, 1.0)
    return np.asarray(cv2.filter2D(light, -1, (kernel / kernel.sum()).astype(np.float32)))


def grain(light: Light, settings: DegradeSettings, number: int, scale: float) -> Light:
    """Grain as noise in density, new in each frame.

    Its deviation goes with the square root of the density above the base, so it is strongest in the shadows' density
    and vanishes in clear film; it is correlated over about a pixel at 2K, and each dye layer has its own.

    Args:
        light: Scene-linear, shape (h, w, 3).
        settings: grain is the deviation in density at mid grey; grain_size the correlation in px at 2K.
        number: Frame.
        scale: Pixels for one of 2K.
    """
    if not settings.grain:
        return light
    draw = generator(settings.seed, "grain", number)
    is_mono = settings.stock == "monochrome"
    noise = draw.standard_normal((*light.shape[:2], 1 if is_mono else 3), dtype=np.float32)
    sigma = 0.5 * settings.grain_size * scale
    if sigma >= 0.2:
        side = 2 * max(1, math.ceil(3.0 * sigma)) + 1
        taps = cv2.getGaussianKernel(side, sigma, cv2.CV_32F)
        noise = cv2.sepFilter2D(noise, -1, taps, taps).reshape(*light.shape[:2], -1)
        noise *= np.float32(1.0 / float((taps**2).sum()))
    if not is_mono:
        noise *= np.array([1.0, 0.9, 1.35], np.float32)  # the blue layer is the coarsest, the green the finest
    weight = cv2.log(np.clip(light, DARKEST, 0.95)).reshape(light.shape)
    weight *= np.float32(1.0 / math.log(MID_GREY))  # density against that of mid grey
    cv2.sqrt(weight, weight)
    weight *= noise
    weight *= np.float32(-settings.grain * math.log(10.0))
    cv2.exp(weight, weight)
    weight *= light
    return np.asarray(weight, np.float32)


def fade(light: Light, settings: DegradeSettings) -> Light:
    """Fading of the three dyes: density lost where there is density, and a stain in the base.

    Args:
        light: Scene-linear, shape (h, w, 3). Negative values keep their order; values above 1 stay above 1.
        settings: fade_cyan, fade_magenta, fade_yellow are the shares of the dye that is lost; stained_base is a
            yellow density of the base.
    """
    lost = (settings.fade_cyan, settings.fade_magenta, settings.fade_yellow)
    if settings.stock == "monochrome":
        lost = (sum(lost) / 3.0,) * 3
    if any(lost):
        clear = np.maximum(light, 0.0)
        clear += np.float32(DARKEST)
        clear /= np.float32(1.0 + DARKEST)
        light = light - clear
        light += np.power(clear, np.array([1.0 - share for share in lost], np.float32), out=clear)
    if settings.stained_base:
        density = settings.stained_base * np.array([0.15, 0.45, 1.0], np.float32)
        if settings.stock == "monochrome":
            density[:] = density.mean()
        light = light * np.float32(10.0) ** -density
    return light


def one_layer(light: Light) -> Light:
    """The picture on monochrome film: three equal channels; a grey picture keeps its bits."""
    red, green, blue = light[:, :, 0], light[:, :, 1], light[:, :, 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return light
    grey = green + np.float32(0.3) * (red - green) + np.float32(0.11) * (blue - green)
    return np.repeat(grey[:, :, None], 3, axis=2)
