"""What runs the networks fastest: `python tests/benchmarks/backends.py [--compiled] [--shot "scan/####.dpx"]`, tables.

Processor time on one thread, in rounds: every round asks each backend once, so that what else the machine does is
the same for all; a ratio is the median of the rounds' own. Pin it to a core with taskset.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import cv2
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from filmrestore.bench.tables import table
from filmrestore.nodes.job import RestoreJob, load_device
from filmrestore.nodes.restore import restore
from filmrestore.restorers.divd.graphs import graph_of as divd_graph
from filmrestore.restorers.divd.network import new_net as new_divd
from filmrestore.restorers.frdm.graphs import denoiser_graph, guidance_graph
from filmrestore.restorers.frdm.painting import CORE, MARGIN
from filmrestore.restorers.frdm.restorer import FACTS
from filmrestore.restorers.frdm.weights import FOLDER, load_weights
from filmrestore.restorers.restormer.graphs import graph_of as restormer_graph
from filmrestore.restorers.restormer.network import new_net as new_restormer
from filmrestore.restorers.runtime import Graph, _Session, to_onnx
from filmrestore.restorers.two_stage.graphs import graph_of as segmentation_graph
from filmrestore.restorers.two_stage.segmentation import DefectNet

Run = Callable[..., tuple[Tensor, ...]]
PLAIN, AMX, ONNX = "torch, float32", "torch, bfloat16", "onnxruntime, float32"
CPU = torch.device("cpu")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=7)
    asked.add_argument("--compiled", action="store_true", help="torch.compile too; wants a C++ compiler and minutes")
    asked.add_argument("--part", action="append", help="frdm, restormer, divd, two_stage; again for more  [all]")
    asked.add_argument("--shot", help="restore this shot with each backend instead")
    asked.add_argument("--only", choices=(PLAIN, AMX, ONNX), help="with this alone")
    options = asked.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(1)
    net = load_weights(FOLDER / FACTS.weights).net
    block = CORE + 2 * MARGIN
    parts = {
        "frdm, guidance of 5 x 256 x 256": (guidance_graph(net, 5), 256),
        f"frdm, one step of a block of {block} x {block}": (denoiser_graph(net), block),
        "restormer-s, 256 x 256": (restormer_graph(new_restormer("restormer-s").eval()), 256),
        "divd-s, one step of 4 x 288 x 288": (divd_graph(new_divd("divd-s").eval()), 288),
        "two_stage, segmentation of 256 x 256": (segmentation_graph(DefectNet().eval()), 256),
    }
    for name, (graph, edge) in parts.items():
        if not options.shot and any(name.startswith(part) for part in options.part or [""]):
            print(f"\n{name}:\n\n{measured(graph, edge, options.rounds, compiled=options.compiled)}", flush=True)
    runs = [options.only] if options.only else [PLAIN, AMX, ONNX]
    if options.shot:
        print(f"\nThe whole of `filmrestore restore`, one thread:\n\n{restored(options.shot, runs)}", flush=True)


def measured(graph: Graph, edge: int, rounds: int, *, compiled: bool) -> str:
    """A table of one graph on pictures of that edge."""
    given = tuple(_scaled(tensor, name, graph, edge) for tensor, name in zip(graph.example, graph.inputs, strict=True))
    runs = dict(_runs(graph, given, compiled=compiled))
    answers = {name: run(*given) for name, run in runs.items()}  # the first time is never the fastest
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.process_time()
            for _ in range(_REPEATS if edge < 128 else 1):
                run(*given)
            seconds[name].append((time.process_time() - began) / (_REPEATS if edge < 128 else 1))
    lines = []
    for name, taken in seconds.items():
        ratio = statistics.median(one / plain for one, plain in zip(taken, seconds[PLAIN], strict=True))
        apart = max(
            float((a.float() - b.float()).abs().max()) for a, b in zip(answers[name], answers[PLAIN], strict=True)
        )
        lines.append([name, f"{1e3 * statistics.median(taken):.1f}", f"{ratio:.2f}", f"{apart:.1e}"])
    return table(["what runs it", "ms", "of torch's float32", "largest difference"], lines)


_REPEATS = 8  # of small work in a round, which takes milliseconds


def _scaled(tensor: Tensor, name: str, graph: Graph, edge: int) -> Tensor:
    """Random values of the example's kind, as large as the graph is measured; flags and boxes as they are."""
    if name not in graph.free or not tensor.is_floating_point():
        return tensor
    full = graph.example[0].shape[-1]
    return torch.rand(*tensor.shape[:-2], *(edge * tensor.shape[-1] // full,) * 2)


def _runs(graph: Graph, given: tuple[Tensor, ...], *, compiled: bool) -> Iterator[tuple[str, Run]]:
    """Every way to run it, the one that all are held against first."""
    logging.disable(logging.WARNING)  # of the quantiser, line by line
    exported = to_onnx(graph)
    module = graph.module.to(memory_format=torch.channels_last).eval()
    for precision in ("float32", "bfloat16"):
        yield f"torch, {precision}", _eager(module, precision)
        if compiled:
            yield f"torch.compile, {precision}", _eager(_compiled(module), precision)
    yield "onnxruntime, float32", _Session(exported, graph.inputs, CPU)
    if graph.name.startswith("frdm"):
        yield "onnxruntime, int8", _Session(_quantised(exported), graph.inputs, CPU)


def _eager(module: Callable[..., Tensor | tuple[Tensor, ...]], precision: str) -> Run:
    def run(*given: Tensor) -> tuple[Tensor, ...]:
        mixed = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext()
        with torch.no_grad(), mixed:
            answer = module(*given)
        return (answer,) if isinstance(answer, Tensor) else tuple(answer)

    return run


def _compiled(module: nn.Module) -> Callable[..., Tensor | tuple[Tensor, ...]]:
    import torch._inductor.config as inductor

    inductor.freezing = True
    return torch.compile(module, dynamic=False)


def _quantised(exported: bytes) -> bytes:
    """Weights in 8 bit, activations as they come: what needs no data to calibrate by."""
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "plain.onnx", Path(folder) / "small.onnx"
        plain.write_bytes(exported)
        quantize_dynamic(plain, small, weight_type=QuantType.QUInt8)
        return small.read_bytes()


def restored(shot: str, names: Sequence[str]) -> str:
    """A table of whole runs, each with loading and exporting, without a cache; the analysis lies in `_ANALYSIS`."""
    lines = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder, nullcontext() if name == AMX else _no_amx():
            job = RestoreJob(
                source=shot,
                output=f"{folder}/####.png",
                analysis=str(Path(shot).parent / _ANALYSIS),
                backend="onnx" if name.startswith("onnx") else "torch",
                threads=1,
            )
            began = time.process_time()
            load_device(job)
            loading = time.process_time() - began
            report = restore(job)
            taken = time.process_time() - began - loading
        stages = [f"{report.seconds_by_stage.get(stage, 0) / report.frames:.2f}" for stage in _STAGES]
        lines.append([name, f"{taken:.1f}", f"{loading:.1f}", str(report.frames), *stages, str(report.fixes)])
    heads = ("processor s", "of these loading", "frames", *(f"{stage}, wall s a frame" for stage in _STAGES), "fixes")
    return table(["what runs frdm", *heads], lines)


_ANALYSIS = "analysis.json"
"""Beside the shot's frames: `filmrestore probe SHOT --out ...` makes it."""
_STAGES = ("motion", "guidance", "recovery", "denoise")


@contextmanager
def _no_amx() -> Iterator[None]:
    """The processor as one that does not multiply matrices of bfloat16: frdm works in float32."""
    known = torch.cpu.get_capabilities
    torch.cpu.get_capabilities = lambda: known() | {"amx_bf16": False}  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.cpu.get_capabilities = known


if __name__ == "__main__":
    main()
