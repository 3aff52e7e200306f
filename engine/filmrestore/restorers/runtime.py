"""What runs a network: torch itself, or onnxruntime with the same network exported to ONNX."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock

import torch
from torch import Tensor, nn

from ..errors import ResourceError, UsageError

BACKENDS = ("torch", "onnx")
AUTO = "auto"
"""The backend that was measured to be faster on such a device."""
OPSET = 18
_EXPORTING = Lock()  # torch exports one network at a time: how it goes about it is the process's own state

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


def backend_for(asked: str, device: torch.device, precision: str = "float32") -> str:
    """The backend that is meant.

    By itself it is onnxruntime where a processor works in float32, and torch where it works in bfloat16, which
    onnxruntime cannot do on processors, and on every other device (docs/decisions/frdm-network.md).

    Args:
        asked: Of `BACKENDS`, or `AUTO`.
        device: Where the networks run.
        precision: Of the arithmetic, where torch does it.

    Raises:
        UsageError: no such backend.
    """
    if asked != AUTO:
        check_backend(asked)
        return asked
    return "onnx" if device.type == "cpu" and precision == "float32" and _has_onnx() else "torch"


@cache
def _has_onnx() -> bool:
    """Whether ONNX can be made and run; a package that is there and broken is none."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return True


def check_backend(backend: str) -> None:
    """Refuses what is none.

    Raises:
        UsageError: no such backend.
    """
    if backend not in BACKENDS:
        raise UsageError(f"the backend is {backend!r}: choose one of {', '.join(BACKENDS)}, or auto")


def runnable(graph: Graph, device: torch.device, backend: str) -> Run:
    """The graph, ready on a device.

    Raises:
        UsageError: no such backend, or it is not installed.
        ResourceError: onnxruntime cannot use the device.
    """
    check_backend(backend)
    if backend == "torch":
        module: Run = graph.module.to(device).eval()
        return module
    return _Session(to_onnx(graph), graph.inputs, device)


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
    with _EXPORTING, warnings.catch_warnings(), _plain():
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


@contextmanager
def _plain() -> Iterator[None]:
    """Neither gradients nor inference mode nor mixed precision, whatever the caller is in: a trace would keep them."""
    with torch.inference_mode(mode=False), torch.no_grad(), torch.autocast("cpu", enabled=False):
        yield


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
        # What a network does not read, as one without some of its modules, is no part of its graph.
        self._read = {given.name for given in self._session.get_inputs()}

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        named = zip(self._inputs, given, strict=True)
        arrays = {name: value.cpu().numpy() for name, value in named if name in self._read}
        return tuple(torch.from_numpy(value).to(self._device) for value in self._session.run(None, arrays))
