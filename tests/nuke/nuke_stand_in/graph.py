"""The stand-in's nodes: connections, contexts, and the pictures that they give."""

from __future__ import annotations

from typing import Any

from . import pixels
from .knobs import (
    SESSION,
    Boolean_Knob,
    Colour_Knob,
    Double_Knob,
    Enumeration_Knob,
    File_Knob,
    Format,
    Format_Knob,
    Int_Knob,
    Knob,
    PyScript_Knob,
    String_Knob,
    Text_Knob,
)
from .signatures import published

Maker = Any
CHANNELS = ["red", "green", "blue", "alpha", "black", "white"]
_COMMON: list[Maker] = [
    lambda: String_Knob("name"),
    lambda: Text_Knob("help"),
    lambda: Boolean_Knob("disable"),
    lambda: Boolean_Knob("selected"),
    lambda: Int_Knob("xpos"),
    lambda: Int_Knob("ypos"),
]
_FILE: list[Maker] = [
    lambda: File_Knob("file"),
    lambda: String_Knob("colorspace", "", "default"),
    lambda: Boolean_Knob("raw"),
    lambda: Boolean_Knob("premultiplied"),
    lambda: Enumeration_Knob("frame_mode", "", ["expression", "start at", "offset"]),
    lambda: String_Knob("frame"),
]
KNOBS: dict[str, list[Maker]] = {
    "Read": [
        *_FILE,
        *(lambda name=name: Int_Knob(name, "", 1) for name in ("first", "last", "origfirst", "origlast")),
        lambda: Enumeration_Knob("on_error", "", ["error", "black", "checkerboard", "nearest frame"]),
        lambda: PyScript_Knob("reload", "", "pass"),
    ],
    "Write": [
        *_FILE,
        lambda: String_Knob("views", "", "main"),
        lambda: String_Knob("channels", "", "rgb"),
        lambda: Enumeration_Knob("file_type", "", ["", "exr", "png"]),
    ],
    "Dot": [],
    "NoOp": [],
    "Input": [lambda: Int_Knob("number")],
    "Output": [],
    "Group": [],
    "Switch": [lambda: Double_Knob("which")],
    "Merge2": [
        lambda: Enumeration_Knob("operation", "", ["over", "copy", "difference", "plus"]),
        lambda: Enumeration_Knob("bbox", "", ["union", "intersection", "A", "B"]),
    ],
    "Keymix": [
        lambda: String_Knob("maskChannel", "", "rgba.alpha"),
        lambda: Enumeration_Knob("bbox", "", ["union", "B side", "A side"]),
        lambda: Double_Knob("mix", "", 1.0),
    ],
    "Constant": [
        lambda: String_Knob("channels", "", "rgb"),
        lambda: Colour_Knob("color"),
        lambda: Format_Knob("format"),
    ],
    "Shuffle": [
        lambda name=name: Enumeration_Knob(name, "", [name, *(c for c in CHANNELS if c != name)])
        for name in CHANNELS[:4]
    ],
    "Multiply": [lambda: Double_Knob("value", "", 1.0)],
    "Crop": [lambda: Colour_Knob("box")],
    "Root": [
        lambda: File_Knob("project_directory"),
        lambda: Int_Knob("first_frame", "", 1),
        lambda: Int_Knob("last_frame", "", 100),
        lambda: Boolean_Knob("proxy"),
        lambda: Enumeration_Knob("colorManagement", "", ["Nuke", "OCIO"]),
        lambda: String_Knob("OCIO_config", "", "nuke-default"),
        lambda: File_Knob("OCIOConfigPath"),
        lambda: File_Knob("customOCIOConfigPath"),
        lambda: String_Knob("workingSpaceLUT", "", "linear"),
        lambda: String_Knob("int8Lut", "", "sRGB"),
        lambda: String_Knob("int16Lut", "", "sRGB"),
        lambda: String_Knob("logLut", "", "Cineon"),
        lambda: String_Knob("floatLut", "", "linear"),
        lambda: String_Knob("views", "", "main"),
    ],
}
"""Class -> its knobs beside those of every node."""

DATATYPE: Maker = lambda: Enumeration_Knob("datatype", "", ["16 bit half", "32 bit float"])  # noqa: E731


@published("Node")
class Node:
    """A node in a context (the root or a Group)."""

    def __init__(self, kind: str, parent: Any) -> None:
        self._kind, self._parent = kind, parent
        self._inputs: list[Node | None] = []
        self._knobs: dict[str, Knob] = {}
        self._user: list[Knob] = []
        makers = KNOBS.get(kind)
        for make in [*_COMMON, *(makers if makers is not None else _of_ofx(kind))]:
            self._give(make())

    def _give(self, knob: Knob) -> None:
        knob.owner = self
        self._knobs[knob.name()] = knob

    def __getitem__(self, name: str) -> Knob:
        if name not in self._knobs:
            raise NameError(f"knob {name} does not exist")
        return self._knobs[name]

    def Class(self) -> str:
        return self._kind

    def addKnob(self, k: Knob) -> None:
        SESSION.changes()
        self._give(k)
        self._user.append(k)

    def knob(self, p: str, follow_link: bool) -> Knob | None:
        return self._knobs.get(p)

    def name(self) -> str:
        return str(self._knobs["name"]._value)

    def fullName(self) -> str:
        above = "" if self._parent is None or self._parent._parent is None else self._parent.fullName() + "."
        return above + self.name()

    def setName(self, name: str, uncollide: bool, updateExpressions: bool) -> None:
        taken = {node.name() for node in self._parent._children if node is not self}
        stem = name.rstrip("0123456789")
        number = int(name[len(stem) :] or 1)
        while name in taken:
            number += 1
            name = f"{stem}{number}"
        self._knobs["name"].setValue(name)

    def input(self, i: int) -> Node | None:
        return self._inputs[i] if i < len(self._inputs) else None

    def setInput(self, i: int, node: Node | None) -> bool:
        SESSION.changes()
        if node is not None and node._parent is not self._parent:
            return False
        self._inputs += [None] * (i + 1 - len(self._inputs))
        self._inputs[i] = node
        return True

    def setSelected(self, selected: bool) -> None:
        self._knobs["selected"]._value = selected

    def setXYpos(self, x: int, y: int) -> None:
        SESSION.changes()
        self._knobs["xpos"]._value, self._knobs["ypos"]._value = x, y

    def xpos(self) -> int:
        return int(self._knobs["xpos"]._value)

    def ypos(self) -> int:
        return int(self._knobs["ypos"]._value)

    def showControlPanel(self, forceFloat: bool) -> None:
        assert SESSION.gui, "a panel without a user interface"

    def format(self) -> Format:
        width, height = picture_of(self, self.firstFrame(), "main").size
        return Format(width, height)

    def firstFrame(self) -> int:
        return self._range()[0]

    def lastFrame(self) -> int:
        return self._range()[1]

    def _range(self) -> tuple[int, int]:
        if self._kind == "Read":
            first, last = int(self["first"].value()), int(self["last"].value())
            moved = file_number(self, 0)
            return first - moved, last - moved
        source = next((node for node in self._inputs if node is not None), None)
        return source._range() if source is not None else (1, 100)


@published("Group")
class Group(Node):
    """A node with nodes inside, entered by `with`."""

    def __init__(self, kind: str, parent: Any) -> None:
        super().__init__(kind, parent)
        self._children: list[Node] = []
        self._before: list[Any] = []

    def node(self, s: str) -> Node | None:
        return next((child for child in self._children if child.name() == s), None)

    def begin(self) -> Group:
        self._before.append(GRAPH.context)
        GRAPH.context = self
        return self

    def end(self) -> None:
        GRAPH.context = self._before.pop()

    def __enter__(self) -> Group:
        return self.begin()

    def __exit__(self, *_: object) -> None:
        self.end()


class Graph:
    """The open script."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.root = Group("Root", None)
        self.root._knobs["name"]._value = "Root"
        self.context: Group = self.root

    def make(self, kind: str) -> Node:
        """A node in the open context.

        Raises:
            RuntimeError: there is no such class.
        """
        SESSION.changes()
        if kind not in KNOBS and kind not in SESSION.ofx:
            raise RuntimeError(f"{kind}: Unknown command")
        node = (Group if kind == "Group" else Node)(kind, self.context)
        self.context._children.append(node)
        node.setName(f"{kind.rpartition('.')[2]}1")
        return node


def _of_ofx(kind: str) -> list[Maker]:
    makers: list[Maker] = []
    for name, value in SESSION.ofx[kind].items():
        knob = {bool: Boolean_Knob, int: Int_Knob, float: Double_Knob, str: String_Knob}.get(type(value))
        if knob is None:
            makers.append(lambda name=name, items=value: Enumeration_Knob(name, "", list(items)))
        else:
            makers.append(lambda knob=knob, name=name, value=value: knob(name, "", value))
    return makers


def file_number(read: Node, frame: float) -> int:
    """The number of the file that a Read shows at a frame."""
    from .knobs import evaluate

    mode, text = read["frame_mode"].value(), str(read["frame"].value())
    if not text:
        return int(frame)
    if mode == "expression":
        return int(evaluate(text, read, frame))
    return int(frame) + (int(text) if mode == "offset" else int(read["first"].value()) - int(text))


def picture_of(node: Node, frame: int, view: str) -> pixels.Picture:  # noqa: PLR0911 - one class of node a line
    """What a node gives at a frame.

    Raises:
        RuntimeError: it cannot be rendered.
    """
    if node._kind in ("Dot", "NoOp", "Output", "Write") or (node["disable"].value() and node._inputs):
        return _at(node, 0, frame, view)
    if node._kind == "Input":
        return _at(node._parent, int(node["number"].value()), frame, view)
    if node._kind == "Group":
        [output] = [child for child in node._children if child._kind == "Output"]  # type: ignore[attr-defined]
        return picture_of(output, frame, view)
    if node._kind == "Read":
        return _read(node, frame, view)
    if node._kind == "Switch":
        return _at(node, int(node["which"]._at(frame)), frame, view)
    if node._kind == "Constant":
        form = node["format"].value()
        size = (form.width(), form.height()) if form else (640, 480)
        return pixels.constant(size, node["color"].value())
    return pixels.work(node, [_at(node, i, frame, view) for i, n in enumerate(node._inputs) if n is not None])


def _at(node: Node, number: int, frame: int, view: str) -> pixels.Picture:
    source = node.input(number)
    if source is None:
        raise RuntimeError(f"{node.name()}: input {number} is not connected")
    return picture_of(source, frame, view)


def _read(node: Node, frame: int, view: str) -> pixels.Picture:
    number = file_number(node, frame)
    path = str(node["file"].value()).replace("%V", view).replace("%v", view[:1])
    if not int(node["first"].value()) <= number <= int(node["last"].value()):
        number = min(max(number, int(node["first"].value())), int(node["last"].value()))
    path = path % number if "%" in path else path
    space = "linear" if node["raw"].value() else str(node["colorspace"].value())
    if space == "default":
        space = {"dpx": "Cineon", "exr": "linear"}.get(path.rpartition(".")[2], "sRGB")
    return pixels.read(path, space)


GRAPH = Graph()
