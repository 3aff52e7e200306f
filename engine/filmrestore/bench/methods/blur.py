"""Methods that mend blur against their input, and against svi that is told the blur."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...colour import decode_net, encode_net
from ...motion import compensate, flow
from ...restorers.base import REGISTRY, facts_of
from ...restorers.prior import load_prior
from ...restorers.prior.consistency import Operator, project
from ...restorers.prior.encoding import Range
from ...restorers.prior.model import Prior
from ...restorers.svi.balanced import Effort, balanced
from ...restorers.svi.evidence import Evidence, finest
from ...restorers.svi.operators import disc, kernel
from ...settings import RestoreSettings
from .. import BenchOptions
from ..clips import PLANS, Clip, footage
from ..figures import Figures
from ..light import Codes16, Floats, from_codes, to_codes, to_display, to_linear
from ..rows import code_digest
from .blocks import Block
from .comparison import Sample, compared_block
from .grid import Progress
from .parts import Part
from .rows import MethodRow, lacks
from .running import restored
from .scenes import as_display, as_volume, likeness

EDGE, FRAMES = 192, 6
CLIPS = ("juggle", "dashcam")
RADIUS, SHAKEN, SLANT, SHUTTER = 2.5, 9.0, 30.0, 0.8
"""px of the lens' disc; px and degrees of the camera's jerk; share of a frame's time that the shutter is open."""
MEASURING = (
    *(f"bench/methods/{module}" for module in ("blur", "scenes", "running")),
    *("bench/light", "colour", "metrics", "motion", "restorers/svi", "restorers/prior"),
)
"""Code that the figures depend on."""
ROUGH_S = {"input": 1.0, "conjugate gradients, blur known": 5.0, "svi, blur known": 60.0}
"""Seconds of one core for six frames, to tell beforehand."""
ROUNDS = 100
"""Of plain conjugate gradients."""
FINEST = 1.5
"""px that things move between two exposures that are added up."""


def line(length: float, degrees: float) -> Float[Tensor, "k k"]:
    """A camera that moves straight on while the shutter is open: a line of even weight, of sum 1."""
    reach = math.ceil(length / 2) + 1
    places = np.linspace(-length / 2, length / 2, 8 * reach + 1)
    x, y = reach + places * math.cos(math.radians(degrees)), reach + places * math.sin(math.radians(degrees))
    psf = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for across, down in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (1 - np.abs(x - left - across)) * (1 - np.abs(y - top - down))
        np.add.at(psf, (top + down, left + across), share)
    return torch.from_numpy(psf / psf.sum())


def smeared(linear: list[Floats]) -> list[Floats]:
    """Each frame along its own motion, as a shutter that stays open makes it."""
    grey = [cv2.cvtColor((to_display(frame) * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for frame in linear]
    blurred = []
    for t, frame in enumerate(linear):
        other = t + 1 if t + 1 < len(linear) else t - 1
        field = flow(grey[t], grey[other])
        fastest = float(np.percentile(np.hypot(field[..., 0], field[..., 1]), 99))
        count = int(np.clip(math.ceil(SHUTTER * fastest / FINEST), 1, 24))
        places = [np.float32(SHUTTER * ((n + 0.5) / count - 0.5)) for n in range(count)]
        exposures = np.stack([compensate(frame, place * field)[0] for place in places])
        blurred.append(np.asarray(exposures.mean(axis=0), np.float32))
    return blurred


KERNELS: dict[str, Callable[[], Tensor]] = {
    "out of focus": lambda: disc(RADIUS),
    "shaken camera": lambda: line(SHAKEN, SLANT),
}
"""Cases whose blur is the same all over and can be told to svi."""
MOVING = "motion of things and camera"
CASES = (*KERNELS, MOVING)


def blurred_clip(case: str, options: BenchOptions, clip: str, frames: int) -> Part:
    """A clip that is blurred in light, and its truth; 16-bit codes, no grain.

    Raises:
        InputError: the clip is missing or too short.
    """
    assert options.bench_dir is not None
    plan = next(plan for plan in PLANS if plan.clip == clip and plan.damage != "none")
    linear = [to_linear(_middle(picture)) for picture in footage(plan, options.bench_dir, frames)]
    if case == MOVING:
        soft = smeared(linear)
    else:
        height, width = linear[0].shape[:2]
        light = torch.from_numpy(np.stack(linear)).permute(0, 3, 1, 2)
        soft = list(kernel(KERNELS[case](), height, width).forward(light).permute(0, 2, 3, 1).numpy())
    scan, truth = (np.stack([to_codes(to_display(frame)) for frame in side]) for side in (soft, linear))
    return Part(whole=Clip(plan=plan, scan=scan, truth=truth), first=0, count=frames)


def _middle(picture: Floats) -> Floats:
    y, x = (max(0, edge - EDGE) // 2 for edge in picture.shape[:2])
    return np.ascontiguousarray(picture[y : y + EDGE, x : x + EDGE])


def told_the_blur(part: Part, psf: Tensor, prior: Prior | None) -> tuple[list[Floats], float]:
    """svi on that prior, or plain conjugate gradients without one: pictures and seconds."""
    scan = as_volume([to_linear(frame) for frame in _pictures(part.whole.scan)])
    height, width = scan.shape[-2:]
    operator, light = kernel(psf, height, width), decode_net(scan)
    began = time.process_time()
    with torch.inference_mode():
        if prior is None:
            volume = encode_net(project(light, light, operator, ROUNDS))
        else:
            volume = _on_prior(prior, scan, light, operator)
    return as_display(volume), time.process_time() - began


def _on_prior(prior: Prior, scan: Tensor, light: Tensor, operator: Operator) -> Tensor:
    return balanced(
        Evidence(operator=operator, values=light, light=True),
        scan,
        Effort.of(RestoreSettings()),
        noise=finest(scan, torch.ones_like(scan[:, :1])),
        prior=prior,
        span=Range(Range.around(scan, torch.zeros_like(scan[:, :1])).shift.to(prior.device)),
    ).picture


def _pictures(codes: Codes16) -> list[Floats]:
    return [from_codes(frame) for frame in codes]


def compared(options: BenchOptions, progress: Progress | None = None) -> Block:
    """Every method of the registry that mends blur, blind, beside what is told the blur."""
    names = [name for name in sorted(REGISTRY) if facts_of(name).cause == "blur"]
    missing = [words for words in map(lacks, [*names, "svi"]) if words]
    methods = [MethodRow(name=name, method=name) for name in names if not lacks(name)]
    prior = None if lacks("svi") else load_prior(torch.device(options.device))
    rows = {row.name: row for row in methods}
    told = ["conjugate gradients, blur known", *(["svi, blur known"] if prior else [])]
    code = code_digest(*MEASURING)
    frames = options.frames or FRAMES
    versions = {name: row.version for name, row in rows.items()} | {"svi, blur known": prior.digest if prior else ""}
    parts: dict[tuple[str, str], Part] = {}

    def make(row: str, case: str, clip: str) -> Figures:
        if (case, clip) not in parts:
            parts[case, clip] = blurred_clip(case, options, clip, frames)
        part = parts[case, clip]
        truth = _pictures(part.whole.truth)
        if row == "input":
            return likeness(_pictures(part.whole.scan), truth, 0.0)
        if row in rows:
            result, seconds = _by_method(part, rows[row], options)
        else:
            result, seconds = told_the_blur(part, KERNELS[case](), prior if row.startswith("svi") else None)
        return likeness(result, truth, seconds)

    samples = [
        Sample(case=case, row=row, clip=clip, version=f"{code} {versions.get(row, '')}", seconds=ROUGH_S.get(row, 30.0))
        for case in CASES
        for clip in CLIPS
        for row in ("input", *rows, *(told if case in KERNELS else []))
    ]
    return compared_block(
        "divd",
        "### Blur: divd against its input and against svi",
        f"The middle {EDGE} px of {frames} frames of {' and '.join(CLIPS)}, blurred in light: a disc of {RADIUS} px, "
        f"a line of {SHAKEN:.0f} px, or each thing along its own motion, the shutter open for {SHUTTER} of a frame. "
        "divd is told nothing; svi and conjugate gradients are told the blur exactly, which nobody is who restores. "
        "The paper's summary claims the best perceptual figures on GoPro, and PSNR and SSIM that are competitive, "
        "without numbers.",
        missing,
        samples,
        {},
        make,
        options,
        progress,
    )


def _by_method(part: Part, row: MethodRow, options: BenchOptions) -> tuple[list[Floats], float]:
    work = Path(tempfile.mkdtemp(prefix="work-", dir=options.out_dir))
    try:
        answer, _ = restored(part, row, work, options.device)
    finally:
        shutil.rmtree(work)
    return _pictures(answer.result), answer.seconds
