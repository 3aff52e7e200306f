"""frdm's networks run by onnxruntime: what `FrdmNet` answers, from graphs that are made when they are first wanted."""

from __future__ import annotations

from collections.abc import Collection
from threading import Lock

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...errors import UsageError
from ..runtime import Run, check_backend, runnable
from .graphs import denoiser_graph, guidance_graph
from .guidance import Guidance
from .network import BRANCH_MODULES, FrdmNet


class ExportedNet:
    """Takes and gives what `FrdmNet` does, in float32; its graphs take one window and one frame at a time.

    Windows are five frames long unless the temporal radius is short or modules are left out; the graphs of those are
    made when they are first wanted, by one thread while others wait.

    Args:
        net: On the CPU.
        device: Where the graphs run.

    Raises:
        UsageError: onnx or onnxruntime is not installed.
        ResourceError: onnxruntime cannot use the device.
    """

    def __init__(self, net: FrdmNet, device: torch.device) -> None:
        self._net, self._device = net, device
        self._lock = Lock()
        self._guides: dict[tuple[int, frozenset[str]], Run] = {}
        self._guide(net.config.frames, frozenset())
        self._denoise = runnable(denoiser_graph(net), device, "onnx")

    def guide(
        self,
        window: Float[Tensor, "1 t 3 h w"],
        evidence: Float[Tensor, "1 t 14 h w"],
        present: Bool[Tensor, "1 t"],
        overview: Float[Tensor, "1 3 64 64"],
        box: Float[Tensor, "1 4"],
        *,
        without: Collection[str] = (),
    ) -> Guidance:
        """See `FrdmNet.guide`."""
        run = self._guide(window.shape[1], frozenset(without))
        matte, kinds, *features = run(window, evidence, present, overview, box)
        return Guidance(matte_logits=matte, class_logits=kinds, features=features)

    def denoise(
        self,
        x: Float[Tensor, "n 3 h w"],
        sigma: Float[Tensor, n],
        scan: Float[Tensor, "n 3 h w"],
        base: Float[Tensor, "n 3 h w"],
        matte: Float[Tensor, "n 1 h w"],
        trust: Float[Tensor, "n 1 h w"],
        features: list[Tensor],
    ) -> Float[Tensor, "n 3 h w"]:
        """See `FrdmNet.denoise`."""
        each = zip(*(plane.unbind() for plane in (x, sigma, scan, base, matte, trust, *features)), strict=True)
        return torch.cat([self._denoise(*(plane[None] for plane in one))[0] for one in each])

    def _guide(self, frames: int, without: frozenset[str]) -> Run:
        key = frames, without.intersection(BRANCH_MODULES)
        with self._lock:
            if key not in self._guides:
                self._guides[key] = runnable(guidance_graph(self._net, *key), self._device, "onnx")
            return self._guides[key]


def running(net: FrdmNet, device: torch.device, precision: str, backend: str) -> FrdmNet | ExportedNet:
    """The network, ready on a device.

    Raises:
        UsageError: no such backend, it is not installed, or does not know the precision.
        ResourceError: onnxruntime cannot use the device.
    """
    check_backend(backend)
    if backend == "torch":
        ready: FrdmNet = net.to(device).to(memory_format=torch.channels_last).eval()
        return ready
    if precision != "float32":
        raise UsageError(f"the backend onnx works in float32, not in {precision}: choose --backend torch")
    return ExportedNet(net, device)
