"""The stand-in's `nuke` module: the functions of the table, and nothing else."""

from __future__ import annotations

import fnmatch
import sys
import types
from pathlib import Path
from typing import Any

from . import knobs, pixels, script
from .graph import DATATYPE, GRAPH, Group, Node, picture_of
from .knobs import SESSION
from .signatures import CLASSES, CONSTANTS, FUNCTIONS, published, strict


def installed(*, gui: bool = False) -> types.ModuleType:
    """A fresh Nuke, as the module `nuke`."""
    SESSION.__init__()  # type: ignore[misc]
    SESSION.gui = gui
    GRAPH.clear()
    _MENUS.clear()
    _PATHS.clear()
    module = _Module("nuke")
    for name, text in FUNCTIONS.items():
        setattr(module, name, strict(text)(globals()[f"_{name}"]))
    for name in CLASSES:
        setattr(module, name, globals()[name] if name in globals() else getattr(knobs, name))
    for name, value in zip(CONSTANTS, (1, gui, 0x400, "15.1v1", 0x1000), strict=True):
        setattr(module, name, value)
    sys.modules["nuke"] = module
    return module


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"module 'nuke' has no attribute {name!r}")


def pump() -> None:
    """What Nuke's main thread does between two events: the calls that wait for it."""
    while SESSION.waiting:
        call, values, named = SESSION.waiting.pop(0)
        call(*values, **named)


_MENUS: dict[str, Any] = {}
_PATHS: list[str] = []


class _Nodes:
    """nuke.nodes.Class() makes a node in the open context."""

    def __getattr__(self, kind: str) -> Any:
        def make(**values: Any) -> Node:
            node = GRAPH.make(kind)
            for name, value in values.items():
                node[name].setValue(value)
            return node

        return make


nodes = _Nodes()


@published("Undo")
class Undo:
    """Steps of undo."""

    def begin(self, name: str) -> None:
        SESSION.undo_open = name or "undo"

    def end(self) -> None:
        if SESSION.undo_off == 0:
            SESSION.undo.append(SESSION.undo_open)
        SESSION.undo_open = ""

    def disable(self) -> None:
        SESSION.undo_off += 1

    def enable(self) -> None:
        assert SESSION.undo_off > 0, "undo is not disabled"
        SESSION.undo_off -= 1


@published("ProgressTask")
class ProgressTask:
    """A bar in a window."""

    def __init__(self, name: str) -> None:
        assert SESSION.gui, "a progress bar without a user interface"
        self.name, self.messages, self.shares, self.cancelled = name, list[str](), list[int](), False
        SESSION.tasks.append(self)

    def isCancelled(self) -> bool:
        return self.cancelled

    def setMessage(self, s: str) -> None:
        self.messages.append(s)

    def setProgress(self, i: int) -> None:
        if not isinstance(i, int):
            raise TypeError(f"an integer is required (got type {type(i).__name__})")
        self.shares.append(i)


@published("Menu")
class Menu:
    """A menu with menus and commands in it."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}

    def addMenu(self, name: str, icon: Any, tooltip: Any, index: int) -> Menu:
        return self.entries.setdefault(name, Menu())  # type: ignore[no-any-return]

    def addCommand(
        self, name: str, command: Any, shortcut: Any, icon: Any, tooltip: Any, index: int, readonly: bool
    ) -> None:
        self.entries[name] = command


def _allNodes(filter: Any, group: Any, recurseGroups: bool) -> list[Node]:
    found: list[Node] = []
    for node in (group or GRAPH.context)._children:
        found += [node] if filter in (None, node._kind) else []
        found += _allNodes(filter, node, True) if recurseGroups and isinstance(node, Group) else []
    return found


def _createNode(node: str, knobs: str, inpanel: bool) -> Node:
    return GRAPH.make(node)


def _delete(n: Node) -> None:
    SESSION.changes()
    n._parent._children.remove(n)
    for other in n._parent._children:
        other._inputs = [None if source is n else source for source in other._inputs]


def _execute(nameOrNode: Any, start: Any, end: Any, incr: Any, views: Any, continueOnError: bool) -> None:
    SESSION.changes()
    write = _toNode(nameOrNode) if isinstance(nameOrNode, str) else nameOrNode
    assert write is not None and write._kind == "Write", nameOrNode
    source = write.input(0)
    for view in views or ["main"]:
        for frame in range(start, end + 1, incr or 1):
            if source is None:
                raise RuntimeError(f"{write.name()}: is not connected")
            assert write["raw"].value() or write["file_type"].value() in ("", "exr")
            path = str(write["file"].value()).replace("%V", view) % frame
            is_float = "datatype" in write._knobs and write["datatype"].value() == "32 bit float"
            pixels.write(picture_of(source, frame, view), path, is_float=is_float)


def _executeInMainThread(call: Any, args: Any, kwargs: Any) -> None:
    assert SESSION.gui, "executeInMainThread without a user interface never comes back"
    SESSION.waiting.append((call, args if isinstance(args, tuple) else (args,), kwargs))


def _filename(node: Node, i: Any) -> str | None:
    return str(node["file"].value()) if "file" in node._knobs else None


def _frame(f: Any) -> int:
    if f is not None:
        SESSION.frame = int(f)
    return SESSION.frame


def _menu(name: str) -> Menu:
    assert SESSION.gui, "a menu without a user interface"
    menu: Menu = _MENUS.setdefault(name, Menu())
    return menu


def _message(prompt: str) -> None:
    assert SESSION.gui, f"a message without a user interface: {prompt}"
    SESSION.changes()
    SESSION.undo[-1:] = []  # it changes nothing; the call above looks at the thread
    SESSION.messages.append(prompt)


def _pluginAddPath(args: Any, addToSysPath: bool) -> None:
    for path in [args] if isinstance(args, str) else args:
        _PATHS.insert(0, path)
        if addToSysPath:
            sys.path.append(path)


def _pluginPath() -> list[str]:
    return list(_PATHS)


def _plugins(switches: Any, *pattern: str) -> list[str]:
    return [name for name in SESSION.ofx if any(fnmatch.fnmatch(name, one) for one in pattern)]


def _root() -> Group:
    return GRAPH.root


def _scriptClear() -> None:
    GRAPH.clear()


def _scriptOpen(path: str) -> None:
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise RuntimeError(f"{path}: {error.strerror}") from error
    script.opened(text)
    GRAPH.root._knobs["name"]._value = path


def _scriptSaveAs(filename: str, overwrite: int) -> None:
    GRAPH.root._knobs["name"]._value = filename
    Path(filename).write_text(script.saved())


def _selectedNodes(filter: Any) -> list[Node]:
    return [node for node in GRAPH.context._children if node["selected"].value()]


def _tcl(s: str, *args: str) -> str:
    assert s == "subst", s
    text = args[0].replace("[getenv SHOT]", "shot")
    if "[" in text:
        raise RuntimeError(f"invalid command name in {text}")
    return text


def _thisNode() -> Any:
    return SESSION.this


def _toNode(s: str) -> Node | None:
    found: Any = GRAPH.context
    if GRAPH.context is not GRAPH.root and "." in s:
        found = GRAPH.root
    for name in s.split("."):
        found = found.node(name) if isinstance(found, Group) else None
    return found  # type: ignore[no-any-return]


def _views() -> list[str]:
    return str(GRAPH.root["views"].value()).split()


def _chosen(knob: Any) -> None:
    """Choosing exr gives a Write its own knobs."""
    if "datatype" not in knob.owner._knobs:
        knob.owner._give(DATATYPE())


class _FileType(knobs.Enumeration_Knob):
    def setValue(self, val: Any, chan: int = -1, view: Any = None) -> bool:
        super().setValue(val, chan, view)
        _chosen(self)
        return True


def _with_file_type() -> None:
    from .graph import KNOBS

    KNOBS["Write"][-1] = lambda: _FileType("file_type", "", ["", "exr", "png"])


_with_file_type()
