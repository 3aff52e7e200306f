"""The stand-in's knobs: values, expressions, and the thread that may touch them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

from .signatures import published


class Session:
    """What one Nuke knows beside its script.

    Attributes:
        gui: Whether there is a user interface.
        frame: Of the viewer.
        undo: Names of the steps that Ctrl-Z would take back.
        messages: Shown in windows.
        tasks: Progress bars that were opened.
        waiting: Calls for the main thread.
        this: The node whose button was pressed.
    """

    def __init__(self) -> None:
        self.gui = False
        self.frame = 1
        self.undo: list[str] = []
        self.messages: list[str] = []
        self.tasks: list[Any] = []
        self.waiting: list[tuple[Callable[..., Any], Any, Any]] = []
        self.this: Any = None
        self.undo_off = 0
        self.undo_open = ""
        self.ofx: dict[str, dict[str, Any]] = {}

    def changes(self) -> None:
        """Something is being changed: only in the main thread; it becomes a step of undo."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("I am not in the main thread")
        if self.undo_off == 0 and not self.undo_open:
            self.undo.append("step")


SESSION = Session()

NAMES = re.compile(r"\$gui|parent\.\w+|\bframe\b")


@published("Knob")
class Knob:
    """A value with a name; `owner` is its node, once it has one."""

    default: Any = ""
    code = 1

    def __init__(self, name: str, label: str = "", value: Any = None) -> None:
        self._name, self.label = name, label or name
        self._value = self.default if value is None else value
        self.expression: str | None = None
        self.owner: Any = None
        self.tooltip, self.flags, self.span = "", set[int](), (0.0, 1.0)

    def name(self) -> str:
        return self._name

    def value(self) -> Any:
        if self.expression is not None:
            return self._shown(evaluate(self.expression, self.owner, SESSION.frame))
        return self._value

    def _at(self, frame: float) -> Any:
        """The value at a frame."""
        return self._value if self.expression is None else self._shown(evaluate(self.expression, self.owner, frame))

    def _number(self) -> float:
        """What an expression of another node gets."""
        return float(self.value())

    def setValue(self, val: Any, chan: int, view: Any) -> bool:
        SESSION.changes()
        self._value, self.expression = self._taken(val), None
        return True

    def setExpression(self, expression: str, channel: int, view: Any) -> bool:
        SESSION.changes()
        evaluate(expression, self.owner, SESSION.frame)  # one that cannot be read is refused
        self.expression = expression
        return True

    def setTooltip(self, s: str) -> None:
        self.tooltip = s

    def setFlag(self, f: int) -> None:
        self.flags.add(f)

    def clearFlag(self, f: int) -> None:
        self.flags.add(-f)

    def _taken(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"setValue() argument must be str, not {type(value).__name__}")
        return value

    def _shown(self, number: float) -> Any:
        return number


@published("Double_Knob")
class Double_Knob(Knob):
    default = 0.0
    code = 7

    def setRange(self, f1: float, f2: float) -> None:
        self.span = (f1, f2)

    def _taken(self, value: Any) -> Any:
        return float(value)


class Int_Knob(Knob):
    default = 0
    code = 3

    def _taken(self, value: Any) -> Any:
        if isinstance(value, str):
            raise TypeError("a number is required")
        return int(value)

    def _shown(self, number: float) -> int:
        return int(number)


class Boolean_Knob(Knob):
    default = False
    code = 6

    def _taken(self, value: Any) -> Any:
        return bool(value)

    def _shown(self, number: float) -> bool:
        return bool(number)


class Enumeration_Knob(Knob):
    code = 4

    def __init__(self, name: str, label: str, items: list[str]) -> None:
        super().__init__(name, label, items[0])
        self.items = list(items)

    def _number(self) -> float:
        return float(self.items.index(self.value()))

    def _taken(self, value: Any) -> Any:
        if isinstance(value, str) and value not in self.items:
            raise TypeError(f"{value!r} is none of {self.items}")
        return value if isinstance(value, str) else self.items[int(value)]

    def _shown(self, number: float) -> str:
        return self.items[int(number)]


class String_Knob(Knob):
    code = 1


class Multiline_Eval_String_Knob(Knob):
    code = 43


class Text_Knob(Knob):
    code = 26


class Tab_Knob(Knob):
    code = 20


@published("File_Knob")
class File_Knob(Knob):
    code = 2

    def evaluate(self) -> str | None:
        return self._value or None


@published("Script_Knob")
class Script_Knob(Knob):
    """A button."""

    code = 22

    def execute(self) -> None:
        before, SESSION.this = SESSION.this, self.owner
        try:
            exec(self._value, {"__name__": "__main__"})
        finally:
            SESSION.this = before


class PyScript_Knob(Script_Knob):
    pass


class Colour_Knob(Knob):
    default = (0.0, 0.0, 0.0, 0.0)

    def _taken(self, value: Any) -> Any:
        return tuple(float(part) for part in value)


class Format_Knob(Knob):
    default = None

    def _taken(self, value: Any) -> Any:
        if not isinstance(value, Format):
            raise TypeError("a Format or the name of one is required")
        return value


@published("Format")
class Format:
    """A frame's size."""

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height

    def width(self) -> int:
        return self._size[0]

    def height(self) -> int:
        return self._size[1]


def evaluate(text: str, owner: Any, frame: float) -> float:
    """The value of an expression at a frame: numbers, frame, $gui, parent.knob and the operators of C."""

    def word(found: re.Match[str]) -> str:
        name = found[0]
        if name == "$gui":
            return str(int(SESSION.gui))
        if name == "frame":
            return str(frame)
        return str(owner._parent[name.partition(".")[2]]._number())

    plain = NAMES.sub(word, text)
    for symbol, python in (("&&", " and "), ("||", " or ")):
        plain = plain.replace(symbol, python)
    plain = re.sub(r"!(?!=)", " not ", plain)
    if not re.fullmatch(r"(?:[\d.\s()<>=!+*/-]|and|or|not)+", plain):
        raise RuntimeError(f"the expression {text!r} cannot be read")
    return float(eval(plain, {"__builtins__": {}}))
