"""The full-size frdm: the shipped network finds, a video model from a folder fills."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from threading import RLock

import torch
from jaxtyping import Float
from torch import Tensor

from ....frame import Box
from ...base import Context, Restored
from ..restorer import FACTS, FrdmRestorer, Painted, estimated
from ..view import View
from ..weights import Weights
from .folder import Parts
from .memory import MemoryPlan
from .painter import paint
from .residency import Residency

WHOLE = 512
"""Longest edge of the small whole frame, px."""
_KEPT = 4  # low-resolution results that are remembered: those of the windows in work


class FullRestorer:
    """Implements `filmrestore.restorers.base.Restorer`.

    Matte, recovery and composite are those of the shipped restorer, so what is untouched stays untouched. One patch
    at a time is filled, however many threads ask.

    Args:
        weights: Of the shipped network, which finds.
        parts: The folder's networks.
        device: Where all run.
        precision: Of the network that finds.
        plan: Size of a patch, and what goes back to the CPU between its turns.
    """

    def __init__(self, weights: Weights, parts: Parts, device: torch.device, precision: str, plan: MemoryPlan) -> None:
        self.facts = replace(
            FACTS,
            patch=plan.patch,
            overlap=plan.overlap,
            weights="",
            licence="that of the model in the folder",
            whole=WHOLE,
        )
        self.device = device
        self.precision = str(parts.dtype).removeprefix("torch.")
        self.backend = "torch"
        self.weights_hash = hashlib.sha256(f"full {parts.digest} {weights.digest}".encode()).hexdigest()
        self._parts = parts
        self._residency = Residency(parts, device, offload=plan.offload)
        self._finder = FrdmRestorer(weights, device, precision, painter=self._painted)
        self._lock = RLock()
        self._led: OrderedDict[str, Float[Tensor, "t 3 h w"]] = OrderedDict()

    @torch.inference_mode()
    def __call__(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Restored:
        """See `Restorer`: answers for the middle `keep` frames."""
        settings = context.settings
        leads = settings.quality == "final" and context.box != _all_of(context.full)
        if context.whole is not None and leads and "global" not in settings.without:
            with self._lock:
                context = replace(context, whole=self._low_resolution(context))
        return self._finder(window, context)

    def _low_resolution(self, context: Context) -> Float[Tensor, "t 3 h w"]:
        """The small whole frames, restored the same way: made once for all patches of a window."""
        assert context.whole is not None
        given = [context.frames, context.present, context.settings.network_values()]
        digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode())
        for tensor in (context.whole, context.whole_matte):
            digest.update(b"" if tensor is None else tensor.contiguous().numpy().tobytes())
        key = digest.hexdigest()
        if key not in self._led:
            size = (context.whole.shape[-2], context.whole.shape[-1])
            small = replace(
                context, box=_all_of(size), full=size, whole=None, whole_matte=None, matte=context.whole_matte
            )
            restored = self._finder(context.whole, small)
            first = (self.facts.window - self.facts.keep) // 2
            frames = context.whole.nan_to_num(0.0, 0.0, 0.0).clone()
            frames[first : first + self.facts.keep] = restored.picture
            self._led[key] = frames
            while len(self._led) > _KEPT:
                self._led.popitem(last=False)
        return self._led[key]

    def _painted(self, view: View, confidence: Float[Tensor, "t 1 h w"], wanted: range) -> Iterator[Painted]:
        """See `Painter`. All frames of the view are filled together; the wanted ones are told."""
        estimates = estimated(view, confidence, range(len(view.numbers)), coarse=False)
        pictures = torch.cat([one.picture for one in estimates])
        if any(bool(estimates[index].inside.any()) for index in wanted):
            with self._lock, view.context.stage("denoise"), torch.autocast(self.device.type, enabled=False):
                pictures = paint(self._parts, self._residency, view, estimates)
        for index in wanted:
            yield estimates[index], pictures[index : index + 1]


def _all_of(size: tuple[int, int]) -> Box:
    return Box(x0=0, y0=0, x1=size[1], y1=size[0])
