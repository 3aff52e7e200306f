"""The stand-in's pictures: float32 RGBA with a bounding box, read, worked on and written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Picture:
    """Pixels of the bounding box; black without.

    Attributes:
        rgba: Shape (h, w, 4), rows from the top.
        box: x0, y0, x1, y1 of them, from the top left of the format.
        size: Width and height of the format.
    """

    rgba: F32
    box: Box
    size: tuple[int, int]

    def within(self, box: Box) -> F32:
        """The pixels of another box."""
        x0, y0, x1, y1 = box
        out = np.zeros((y1 - y0, x1 - x0, 4), np.float32)
        left, top, right, bottom = (
            max(x0, self.box[0]),
            max(y0, self.box[1]),
            min(x1, self.box[2]),
            min(y1, self.box[3]),
        )
        if left < right and top < bottom:
            out[top - y0 : bottom - y0, left - x0 : right - x0] = self.rgba[
                top - self.box[1] : bottom - self.box[1], left - self.box[0] : right - self.box[0]
            ]
        return out


def constant(size: tuple[int, int], colour: tuple[float, ...]) -> Picture:
    """One colour over a format."""
    rgba = np.broadcast_to(np.array(colour, np.float32), (size[1], size[0], 4)).copy()
    return Picture(rgba, (0, 0, *size), size)


def read(path: str, space: str) -> Picture:
    """A file, in the working space.

    Raises:
        RuntimeError: it is not there, or the colourspace is unknown.
    """
    image = oiio.ImageInput.open(path) if Path(path).is_file() else None
    if image is None:
        raise RuntimeError(f"{path}: No such file or directory")
    spec = image.spec()
    codes = image.read_image("float")
    image.close()
    codes = codes.reshape(spec.height, spec.width, spec.nchannels)
    if codes.shape[2] < 3:
        codes = np.repeat(codes[:, :, :1], 3, axis=2)
    rgba = np.zeros((spec.height, spec.width, 4), np.float32)
    rgba[:, :, : min(4, codes.shape[2])] = codes[:, :, :4]
    if space not in CURVES:
        raise RuntimeError(f"{path}: no colorspace {space}")
    if space != "linear":
        rgba[:, :, :3] = CURVES[space](rgba[:, :, :3])
    x0, y0 = spec.x - spec.full_x, spec.y - spec.full_y
    return Picture(rgba, (x0, y0, x0 + spec.width, y0 + spec.height), (spec.full_width, spec.full_height))


def write(picture: Picture, path: str, *, is_float: bool) -> None:
    """A file: EXR of halves or floats, its data window the bounding box."""
    if not Path(path).parent.is_dir():
        raise RuntimeError(f"{path}: No such directory")
    x0, y0, x1, y1 = picture.box
    spec = oiio.ImageSpec(x1 - x0, y1 - y0, 4, "float" if is_float else "half")
    spec.x, spec.y, spec.full_x, spec.full_y = x0, y0, 0, 0
    spec.full_width, spec.full_height = picture.size
    spec.attribute("DateTime", "2026:01:01 00:00:00")
    output = oiio.ImageOutput.create(path)
    assert output is not None, oiio.geterror()
    if not output.open(path, spec) or not output.write_image(np.ascontiguousarray(picture.rgba)) or not output.close():
        raise RuntimeError(f"Write: {output.geterror()}")


def work(node: Any, inputs: list[Picture]) -> Picture:
    """What a node makes of its inputs.

    Raises:
        RuntimeError: the stand-in does not know how.
    """
    if node._kind == "Multiply":
        return replace(inputs[0], rgba=inputs[0].rgba * np.float32(node["value"].value()))
    if node._kind == "Crop":
        box = tuple(int(edge) for edge in node["box"].value())
        return replace(inputs[0], rgba=inputs[0].within(box), box=box)  # type: ignore[arg-type]
    if node._kind == "Shuffle":
        planes = [_plane(inputs[0].rgba, str(node[name].value())) for name in ("red", "green", "blue", "alpha")]
        return replace(inputs[0], rgba=np.stack(planes, axis=2))
    if node._kind == "Merge2":
        return _merge(node, *inputs)
    if node._kind == "Keymix":
        under, over, mask = inputs
        amount = mask.within(under.box)[:, :, :1] * np.float32(node["mix"].value())
        return replace(under, rgba=under.rgba + amount * (over.within(under.box) - under.rgba))
    raise RuntimeError(f"{node._kind}: the stand-in cannot render it")


def _merge(node: Any, under: Picture, over: Picture) -> Picture:
    box = under.box
    if node["bbox"].value() == "union":
        box = (*np.minimum(under.box[:2], over.box[:2]).tolist(), *np.maximum(under.box[2:], over.box[2:]).tolist())
    a, b = over.within(box), under.within(box)
    made = {"copy": a, "difference": np.abs(a - b), "plus": a + b}.get(str(node["operation"].value()))
    if made is None:
        raise RuntimeError(f"{node.name()}: the stand-in cannot {node['operation'].value()}")
    return Picture(made, box, under.size)


def _plane(rgba: F32, name: str) -> F32:
    if name in ("black", "white"):
        return np.full(rgba.shape[:2], float(name == "white"), np.float32)
    return rgba[:, :, ("red", "green", "blue", "alpha").index(name)]


def _from_srgb(codes: F32) -> F32:
    return np.where(codes <= 0.04045, codes / 12.92, ((np.maximum(codes, 0) + 0.055) / 1.055) ** 2.4)


def _from_cineon(codes: F32) -> F32:
    black = 10.0 ** ((95 - 685) * 0.002 / 0.6)
    return (10.0 ** ((codes * 1023 - 685) * 0.002 / 0.6) - black) / (1 - black)


CURVES: dict[str, Any] = {"linear": lambda codes: codes, "sRGB": _from_srgb, "Cineon": _from_cineon}
CURVES["scene_linear"] = CURVES["linear"]
