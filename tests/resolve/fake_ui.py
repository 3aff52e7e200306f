"""A UIManager for tests: elements and dispatcher of which our own table knows the names; a script of clicks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ATTRIBUTES = {
    "VGroup": {"Spacing", "Weight"},
    "HGroup": {"Spacing", "Weight"},
    "VGap": set(),
    "Stack": {"ID", "Weight", "CurrentIndex"},
    "TabBar": {"ID", "Weight", "CurrentIndex"},
    "Label": {"ID", "Text", "ToolTip", "Weight", "WordWrap"},
    "Button": {"ID", "Text", "Weight"},
    "CheckBox": {"ID", "Text", "ToolTip", "Weight", "Checked"},
    "ComboBox": {"ID", "ToolTip", "Weight", "CurrentIndex"},
    "SpinBox": {"ID", "ToolTip", "Weight", "Minimum", "Maximum", "Value"},
    "DoubleSpinBox": {"ID", "ToolTip", "Weight", "Minimum", "Maximum", "Value", "SingleStep", "Decimals"},
    "LineEdit": {"ID", "ToolTip", "Weight", "Text"},
    "TextEdit": {"ID", "ReadOnly", "PlainText", "Weight"},
    "Timer": {"ID", "Interval"},
}
METHODS = {"ComboBox": {"AddItems"}, "TabBar": {"AddTab"}, "Timer": {"Start", "Stop"}}


class Element:
    """An element: its attributes are in the table; `children` are what it holds, `entries` its tabs or choices."""

    def __init__(self, kind: str, *given: Any) -> None:
        self.__dict__.update(kind=kind, children=[], entries=[], values={})
        for part in given:
            if isinstance(part, dict):
                for name, value in part.items():
                    setattr(self, name, value)
            elif isinstance(part, list):
                self.children.extend(part)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in ATTRIBUTES[self.kind], f"{self.kind} has no {name}"
        if name == "Value" and self.kind in ("SpinBox", "DoubleSpinBox"):
            assert self.values["Minimum"] <= value <= self.values["Maximum"], (self.values, value)
        self.values[name] = value

    def __getattr__(self, name: str) -> Any:
        if name in METHODS.get(self.kind, ()):
            return getattr(self, f"do_{name}")
        assert name in ATTRIBUTES[self.kind], f"{self.kind} has no {name}"
        return self.values.get(name, 0 if name == "CurrentIndex" else None)

    def do_AddItems(self, items: list[str]) -> None:
        self.entries.extend(items)

    def do_AddTab(self, name: str) -> None:
        self.entries.append(name)

    def do_Start(self) -> None:
        self.values["running"] = True

    def do_Stop(self) -> None:
        self.values["running"] = False


class UI:
    """The element makers."""

    def __getattr__(self, name: str) -> Any:
        assert name in ATTRIBUTES, f"UIManager has no {name}"
        return lambda *given: Element(name, *given)


class Events:
    """`On`: by ID, then by event."""

    def __init__(self) -> None:
        self.__dict__["found"] = {}

    def __getattr__(self, name: str) -> Any:
        return self.found.setdefault(name, Events())

    __getitem__ = __getattr__

    def __setattr__(self, name: str, value: Any) -> None:
        self.found[name] = value


class Window:
    def __init__(self, facts: dict[str, Any], children: list[Element]) -> None:
        self.facts, self.children, self.On, self.is_shown = facts, children, Events(), False

    def GetItems(self) -> dict[str, Element]:
        found: dict[str, Element] = {}
        waiting = list(self.children)
        while waiting:
            element = waiting.pop()
            waiting.extend(element.children)
            if "ID" in element.values:
                assert element.values["ID"] not in found, f"two elements {element.values['ID']}"
                found[element.values["ID"]] = element
        return found

    def Show(self) -> None:
        self.is_shown = True

    def Hide(self) -> None:
        self.is_shown = False


class Dispatcher:
    """Runs `user` (told the newest shown window) once a loop, and the timer's event until the loop is left."""

    def __init__(self, user: Callable[[Window], None]) -> None:
        self.user, self.On, self.windows, self._is_left = user, Events(), [], False

    def AddWindow(self, facts: dict[str, Any], children: list[Element]) -> Window:
        self.windows.append(Window(facts, children))
        return self.windows[-1]

    def RunLoop(self) -> None:
        self._is_left = False
        self.user(next(window for window in reversed(self.windows) if window.is_shown))
        for _ in range(100000):
            if self._is_left:
                return
            tick = self.On.found.get("Timeout")
            assert tick is not None, "the loop is never left"
            tick({})
        raise AssertionError("the loop is never left")

    def ExitLoop(self) -> None:
        self._is_left = True


class Bmd:
    """The module that a host gives its scripts."""

    def __init__(self, user: Callable[[Window], None]) -> None:
        self.dispatcher = Dispatcher(user)

    def UIDispatcher(self, ui: Any) -> Dispatcher:
        return self.dispatcher

    def scriptapp(self, name: str) -> None:
        return None
