"""What runs a network: torch itself, or onnxruntime with the same network exported to ONNX."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import ResourceError, UsageError

BACKENDS = ("torch", "onnx")
OPSET = 18

Run = Callable[..., tuple[Tensor, ...]]
"""The inputs of a graph in their order -> its outputs."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A network, or a part of one, with all that an export must know.

    Attributes:
        name: Of its file.
        module: In evaluation mode; takes and gives tensors.
        example: One set of inputs.
        inputs, outputs: Their names.
        free: Axes whose size may change, by input and output: {axis: word}.
    """

    name: str
    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    free: Mapping[str, Mapping[int, str]]


def runnable(graph: Graph, device: torch.device, backend: str) -> Run:
    """The graph, ready on a device.

    Raises:
        UsageError: no such backend, or it is not installed.
        ResourceError: onnxruntime cannot use the device.
    """
    if backend == "torch":
        module: Run = graph.module.to(device).eval()
        return module
    if backend == "onnx":
        return _Session(to_onnx(graph), graph.inputs, device)
    raise UsageError(f"the backend is {backend!r}: choose one of {', '.join(BACKENDS)}")


def to_onnx(graph: Graph) -> bytes:
    """The graph with its weights as an ONNX file's bytes.

    Raises:
        UsageError: the package onnx is not installed.
    """
    try:
        import onnx  # noqa: F401 - torch asks for it in the middle of its work
    except ImportError as error:
        raise UsageError("ONNX wants the package onnx: pip install 'filmrestore[onnx]'") from error
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # By tracing: takes a second where torch.export's way takes sixteen, and no further package. Deprecated it is;
        # and the trace says of every size that it reads that it is now fixed, also of those that are not.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)
        torch.onnx.export(
            graph.module.cpu().eval(),
            graph.example,
            stream,  # type: ignore[arg-type]  # a stream will do for this way of exporting
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes={name: dict(axes) for name, axes in graph.free.items()},
            opset_version=OPSET,
            dynamo=False,
        )
    return stream.getvalue()


class _Session:
    """An onnxruntime session that takes and gives tensors; as safe in threads as onnxruntime's own.

    One thread, as the patches' pool has it: a count of threads must change no bit.
    """

    def __init__(self, data: bytes, inputs: tuple[str, ...], device: torch.device) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise UsageError(
                "the backend onnx wants onnxruntime: pip install 'filmrestore[onnx]', or choose --backend torch"
            ) from error
        provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}.get(device.type, device.type)
        if provider not in onnxruntime.get_available_providers():
            raise ResourceError(
                f"onnxruntime cannot use {device}: it has {', '.join(onnxruntime.get_available_providers())}; "
                "install filmrestore[gpu] instead of filmrestore[onnx], or choose --backend torch"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        chosen = (provider, {"device_id": device.index or 0}) if device.type == "cuda" else provider
        self._session = onnxruntime.InferenceSession(data, options, providers=[chosen])
        self._inputs, self._device = inputs, device

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        arrays = {name: value.cpu().numpy() for name, value in zip(self._inputs, given, strict=True)}
        return tuple(torch.from_numpy(value).to(self._device) for value in self._session.run(None, arrays))
