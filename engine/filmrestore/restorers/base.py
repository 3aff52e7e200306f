"""The one interface of every restorer: facts as data, one call, and the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ..errors import UsageError
from ..frame import Box
from ..settings import RestoreSettings

if TYPE_CHECKING:
    from ..fixes.model import Cause


_SHIPPED = Path(__file__).parents[1] / "weights"


class Origin(IntEnum):
    """Where a changed pixel's value comes from."""

    UNTOUCHED = 0
    RECOVERED = 1  # seen in a neighbour frame
    INTERPOLATED = 2  # from the surroundings in its own frame
    GENERATED = 3  # made by the prior


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the nodes must know of a restorer before they call it.

    Attributes:
        name: Registry name.
        window: Frames seen at once.
        keep: Frames in the middle of the window whose results are used; windows advance by this. The window is longer
            by an even number.
        patch: Edge of a patch, pixels.
        overlap: Pixels that neighbouring patches share.
        needs: Inputs beyond the window: any of "matte", "operator", "prompt".
        weights: File in filmrestore/weights, or "" where there are none.
        also: Further files there that it works on.
        licence: Of the weights.
        source: Paper that the method follows.
        purpose: When to use it, in half a sentence.
        cause: What the fixes are said to mend where the method mends the picture as such ("blur") and not marks on it;
            neither guard nor grain is for those. "" where the cause follows from a mark's shape.
        whole: Longest edge of the small whole frames that it wants beside a patch, px; 0 where it wants none, as it
            should: every patch then depends on all of the frame.
        rebuilds: Whether it has a guess at what no neighbour of a lost frame shows: it is a `Rebuilder`.
        moves: Frames that a window is moved by, at most, where a shot begins or ends among those that it keeps.
        proxy: About how many columns of a frame previews look at: frames of one and a half times as many or more are
            averaged to a half, a third, a quarter. 0 where previews look at the frame as it is.
    """

    name: str
    window: int
    keep: int
    patch: int
    overlap: int
    needs: frozenset[str]
    weights: str
    licence: str
    source: str
    purpose: str = ""
    also: tuple[str, ...] = ()
    cause: Cause | Literal[""] = ""
    whole: int = 0
    rebuilds: bool = False
    moves: int = 0
    proxy: int = 0

    @property
    def reach(self) -> int:
        """Frames beyond a span that its ends are judged by; a window that is moved looks no farther."""
        return self.keep - 1 + (self.window - self.keep) // 2

    def step(self, width: int, settings: RestoreSettings) -> int:
        """Columns of a frame of that width that become one of those that the restorer is shown."""
        return max(1, round(width / self.proxy)) if self.proxy and settings.quality == "preview" else 1


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a restorer is told beside the pixels.

    Attributes:
        frames: Source frame number of each frame of the window.
        present: False where a frame beyond a cut or the shot's end is stood in for by its nearest neighbour.
        box: The patch in the full frame.
        full: (height, width) of the full frame.
        overview: The middle frame shrunk to 64 x 64, net encoding, coarsely quantised.
        settings: Only the values that networks read may be used.
        matte: Known defects, 0..1, where the caller has them (infrared, painted).
        whole: The window's frames, all of each, shrunk to `Facts.whole`; net encoding. None where none are wanted.
        whole_matte: `matte` of those, where there is one.
        timed: Told (stage, seconds) of each stage of the restorer's work.
    """

    frames: tuple[int, ...]
    present: tuple[bool, ...]
    box: Box
    full: tuple[int, int]
    overview: Float[Tensor, "3 64 64"]
    settings: RestoreSettings
    matte: Float[Tensor, "t 1 h w"] | None = None
    whole: Float[Tensor, "t 3 h2 w2"] | None = None
    whole_matte: Float[Tensor, "t 1 h2 w2"] | None = None
    timed: Callable[[str, float], None] | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what happens inside, if anybody wants to know."""
        started = perf_counter()
        yield
        if self.timed is not None:
            self.timed(name, perf_counter() - started)


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A restorer's answer for the kept middle frames of its window (k = Facts.keep).

    Attributes:
        picture: Clean pixels, net encoding, unclipped; meaningful where the matte is above 0.
        matte: Confidence 0..1, calibrated: that the pixel is damaged, or (frdm) a mark of which no pixel has more.
        origin: An `Origin` per pixel.
    """

    picture: Float[Tensor, "k 3 h w"]
    matte: Float[Tensor, "k 1 h w"]
    origin: UInt8[Tensor, "k 1 h w"]


class Restorer(Protocol):
    """A method that turns a damaged window into a clean one.

    Laws, tested over the whole registry: no clipping above 1 or below 0; any size, odd ones too; same
    seed, same result; one frame only works; NaN in one place does not spread beyond its patch.
    """

    @property
    def facts(self) -> Facts: ...

    @property
    def weights_hash(self) -> str:
        """Content hash of the loaded weights: part of the cache key."""
        ...

    @property
    def device(self) -> torch.device: ...

    @property
    def precision(self) -> str:
        """Of the arithmetic: "float32" or "bfloat16"."""
        ...

    @property
    def backend(self) -> str:
        """What runs the networks: "torch" or "onnx"."""
        ...

    def __call__(self, window: Float[Tensor, "t 3 h w"], context: Context) -> Restored: ...


class Rebuilder(Protocol):
    """A method that says more of a lost frame than its neighbours do."""

    def guessed(self, picture: Float[Tensor, "3 h w"], seen: Bool[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
        """The frame, made from its neighbours, with what these contradict each other on as it should rather look.

        Args:
            picture: Net encoding.
            seen: Where it is right.
        """
        ...


REGISTRY: dict[str, str] = {
    "divd": "filmrestore.restorers.divd:load",
    "frdm": "filmrestore.restorers.frdm:load",
    "iide": "filmrestore.restorers.iide:load",
    "restormer": "filmrestore.restorers.restormer:load",
    "svi": "filmrestore.restorers.svi:load",
    "two_stage": "filmrestore.restorers.two_stage:load",
}
"""Name -> "module:function"; the function takes a torch device and gives a Restorer.

Where it has a keyword `backend`, other runtimes than torch can run its networks; where it has a keyword `prior`, the
method works on a prior, and that may be in a folder that the user brings.
"""


def load_restorer(
    name: str, device: str | torch.device = "cpu", backend: str = "torch", *, prior: str = ""
) -> Restorer:
    """The restorer of that name, ready on `device`; on the prior in a folder, where the method has one.

    The backend is "torch", "onnx", or "auto": the one that was measured to be fastest there.

    Raises:
        UsageError: no such method, or one that has no such backend.
        WeightsError: its weights are missing or damaged.
    """
    if name not in REGISTRY:
        raise UsageError(f"unknown method {name!r}: choose one of {', '.join(sorted(REGISTRY))}")
    module, function = REGISTRY[name].split(":")
    load: Callable[..., Restorer] = getattr(import_module(module), function)
    takes = signature(load).parameters
    if backend not in ("auto", "torch") and "backend" not in takes:
        raise UsageError(f"the method {name} has no backend {backend!r}: choose --backend auto or torch")
    asked = {"backend": backend, "prior": prior}
    return load(torch.device(device), **{word: value for word, value in asked.items() if word in takes})


def facts_of(name: str) -> Facts:
    """The facts of a method, whether its weights are there or not.

    Raises:
        UsageError: no such method.
    """
    if name not in REGISTRY:
        raise UsageError(f"unknown method {name!r}: choose one of {', '.join(sorted(REGISTRY))}")
    package = import_module(REGISTRY[name].split(":")[0])
    if not hasattr(package, "__path__"):  # a method of one file, which needs no weights
        return load_restorer(name).facts
    holder = package if hasattr(package, "FACTS") else import_module(f"{package.__name__}.restorer")
    facts: Facts = holder.FACTS
    return facts


def weight_files(name: str) -> tuple[Path, ...]:
    """Where a method's weights lie, or would: its own, and those of others that it works on.

    Raises:
        UsageError: no such method.
    """
    facts = facts_of(name)
    return tuple(_SHIPPED / file for file in (facts.weights, *facts.also) if file)


def numeric_class(restorer: Restorer) -> dict[str, str]:
    """What has to be the same for two runs to give the same bits."""
    kind = restorer.device.type
    other = {"onnxruntime": _onnxruntime()} if restorer.backend == "onnx" else {}
    return {
        "device": torch.cuda.get_device_name(restorer.device) if kind == "cuda" else kind,
        "backend": restorer.backend,
        "precision": restorer.precision,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": str(torch.__version__),
        "numpy": version("numpy"),
        "opencv": version("opencv-python"),
        "opencolorio": version("opencolorio"),
        **other,
    }


def _onnxruntime() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)
