"""The dialog, made from the settings: groups as tabs, one knob a setting; and the window that shows progress."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from filmrestore.settings import Facts, Settings

from .choices import NODES, PAGES
from .host import HostError
from .remembered import Values
from .work import Step, Watch

WIDTH, HEIGHT = 560, 640
_DECIMALS = 4
_INTERVAL_MS = 200


@dataclasses.dataclass(frozen=True)
class Knob:
    """One knob.

    Attributes:
        id: Of the element.
        part, name: Where its value is in `Values`.
        kind: bool, int, float or str.
        facts: What it means.
    """

    id: str
    part: str
    name: str
    kind: str
    facts: Facts


def knobs_of(page: str) -> Iterator[Knob]:
    """The knobs of a page's dialog, in order."""
    parts: dict[str, type[Settings]] = {"run": PAGES[page], **NODES}
    for part, kind in parts.items():
        kinds = {entry.name: str(entry.type) for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
        for name, facts in kind.facts().items():
            yield Knob(f"{part}_{name}", part, name, kinds[name], facts)


def tabs_of(page: str) -> dict[str, dict[str, list[Knob]]]:
    """The knobs by part, then by tab."""
    found: dict[str, dict[str, list[Knob]]] = {}
    for knob in knobs_of(page):
        found.setdefault(knob.part, {}).setdefault(knob.facts.group, []).append(knob)
    return found


class Window:
    """Windows of UIManager.

    Args:
        fusion: The Fusion object.
        bmd: The module with UIDispatcher.

    Raises:
        HostError: this edition has no UIManager.
    """

    def __init__(self, fusion: Any, bmd: Any) -> None:
        self.ui: Any = getattr(fusion, "UIManager", None)
        dispatcher = getattr(bmd, "UIDispatcher", None)
        self.dispatcher: Any = dispatcher(self.ui) if self.ui is not None and callable(dispatcher) else None
        if self.dispatcher is None:
            raise HostError("this edition has no windows for scripts (UIManager is in Studio only since 19.1)")

    def ask(self, page: str, values: Values, *, trouble: str = "") -> Values | None:
        """Shows the dialog.

        Args:
            page: timeline or comp.
            values: What the knobs show at first.
            trouble: Shown at the foot, e.g. what was wrong with the values.

        Returns:
            The values; None when the user cancels.
        """
        window = self.dispatcher.AddWindow(
            {"ID": "FilmRestore", "WindowTitle": "FilmRestore", "Geometry": [200, 120, WIDTH, HEIGHT]},
            self.layout(page, trouble),
        )
        items = window.GetItems()
        fill(items, page, values)
        self._wire_tabs(window, items, page)
        answer: list[Values] = []

        def start(_: Any) -> None:
            answer.append(read(items, page))
            self.dispatcher.ExitLoop()

        def leave(_: Any) -> None:
            self.dispatcher.ExitLoop()

        window.On.Start.Clicked = start
        window.On.Cancel.Clicked = leave
        window.On.FilmRestore.Close = leave
        window.Show()
        self.dispatcher.RunLoop()
        window.Hide()
        return answer[0] if answer else None

    def layout(self, page: str, trouble: str) -> list[Any]:
        """The dialog's elements."""
        ui, parts = self.ui, tabs_of(page)
        nodes = [self._tabs(node, parts[node]) for node in NODES]
        foot = [
            ui.Label({"ID": "Trouble", "Text": trouble, "WordWrap": True, "Weight": 1}),
            ui.Button({"ID": "Cancel", "Text": "Cancel", "Weight": 0}),
            ui.Button({"ID": "Start", "Text": "Start", "Weight": 0}),
        ]
        body = [
            self._tabs("run", parts["run"]),
            ui.Stack({"ID": "nodes", "Weight": 1}, nodes),
            ui.HGroup({"Weight": 0}, foot),
        ]
        return [ui.VGroup({"Spacing": 6}, body)]

    def message(self, text: str) -> None:
        """Shows a text until it is closed."""
        window = self.dispatcher.AddWindow(
            {"ID": "FilmRestoreSays", "WindowTitle": "FilmRestore", "Geometry": [240, 200, 640, 320]},
            [
                self.ui.VGroup(
                    [
                        self.ui.TextEdit({"ID": "Text", "ReadOnly": True, "PlainText": text, "Weight": 1}),
                        self.ui.Button({"ID": "Ok", "Text": "OK", "Weight": 0}),
                    ]
                )
            ],
        )

        def leave(_: Any) -> None:
            self.dispatcher.ExitLoop()

        window.On.Ok.Clicked = leave
        window.On.FilmRestoreSays.Close = leave
        window.Show()
        self.dispatcher.RunLoop()
        window.Hide()

    def _tabs(self, part: str, groups: Mapping[str, list[Knob]]) -> Any:
        ui = self.ui
        pages = [
            ui.VGroup({"Weight": 0}, [*(self._row(knob) for knob in knobs), ui.VGap(0, 1)]) for knobs in groups.values()
        ]
        bar = ui.TabBar({"ID": f"{part}_tabs", "Weight": 0})
        return ui.VGroup({"Weight": 1}, [bar, ui.Stack({"ID": f"{part}_pages", "Weight": 1}, pages)])

    def _row(self, knob: Knob) -> Any:
        label = knob.facts.label + (f" ({knob.facts.unit})" if knob.facts.unit else "")
        tip = {"ToolTip": knob.facts.help}
        return self.ui.HGroup(
            {"Weight": 0}, [self.ui.Label({"Text": label, "Weight": 1, **tip}), self._knob(knob, {**tip, "Weight": 2})]
        )

    def _knob(self, knob: Knob, shared: dict[str, Any]) -> Any:
        ui, facts, shared = self.ui, knob.facts, {"ID": knob.id, **shared}
        if facts.choices:
            return ui.ComboBox(shared)
        if knob.kind == "bool":
            return ui.CheckBox({**shared, "Text": ""})
        if knob.kind == "int":
            return ui.SpinBox({**shared, "Minimum": int(facts.low or 0), "Maximum": int(facts.high or 0)})
        if knob.kind == "float":
            step = ((facts.soft_high or 0) - (facts.soft_low or 0)) / 100
            limits = {"Minimum": facts.low, "Maximum": facts.high, "SingleStep": step, "Decimals": _DECIMALS}
            return ui.DoubleSpinBox({**shared, **limits})
        return ui.LineEdit(shared)

    def _wire_tabs(self, window: Any, items: Any, page: str) -> None:
        """Tabs turn the pages of their stack, and the node's choice those of the nodes."""

        def turn(stack: str, bar: str) -> Callable[[Any], None]:
            def turned(_: Any) -> None:
                items[stack].CurrentIndex = items[bar].CurrentIndex

            return turned

        for part, groups in tabs_of(page).items():
            for group in groups:
                items[f"{part}_tabs"].AddTab(group)
            window.On[f"{part}_tabs"].CurrentChanged = turn(f"{part}_pages", f"{part}_tabs")
        window.On["run_node"].CurrentIndexChanged = turn("nodes", "run_node")
        items["nodes"].CurrentIndex = items["run_node"].CurrentIndex


def fill(items: Any, page: str, values: Values) -> None:
    """Puts values into the knobs."""
    for knob in knobs_of(page):
        item, value = items[knob.id], values[knob.part][knob.name]
        if knob.facts.choices:
            item.AddItems(list(knob.facts.choices))
            item.CurrentIndex = knob.facts.choices.index(value)
        elif knob.kind == "bool":
            item.Checked = value
        elif knob.kind in ("int", "float"):
            item.Value = value
        else:
            item.Text = value


def read(items: Any, page: str) -> Values:
    """The knobs' values."""
    values: Values = {}
    for knob in knobs_of(page):
        item = items[knob.id]
        value: Any
        if knob.facts.choices:
            value = knob.facts.choices[int(item.CurrentIndex)]
        elif knob.kind == "bool":
            value = bool(item.Checked)
        elif knob.kind == "int":
            value = int(item.Value)
        elif knob.kind == "float":
            value = round(float(item.Value), _DECIMALS)
        else:
            value = str(item.Text).strip()
        values.setdefault(knob.part, {})[knob.name] = value
    return values


class WindowWatch(Watch):
    """Shows progress in a window with a Cancel button.

    A timer of the dispatcher calls the work's steps: the host's calls belong to this thread, and a sleeping thread
    would freeze the window.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._ui, self._dispatcher = window.ui, window.dispatcher
        self._window = self._dispatcher.AddWindow(
            {"ID": "FilmRestoreWorks", "WindowTitle": "FilmRestore", "Geometry": [300, 300, 520, 110]},
            [
                self._ui.VGroup(
                    [
                        self._ui.Label(
                            {"ID": "Progress", "Text": "starting the engine", "WordWrap": True, "Weight": 1}
                        ),
                        self._ui.Button({"ID": "Stop", "Text": "Cancel", "Weight": 0}),
                    ]
                )
            ],
        )
        self._items = self._window.GetItems()
        self._timer = self._ui.Timer({"ID": "FilmRestoreTimer", "Interval": _INTERVAL_MS})
        self._window.On.Stop.Clicked = lambda _: self.cancel()
        self._window.On.FilmRestoreWorks.Close = lambda _: self.cancel()
        self._window.Show()

    def progress(self, text: str) -> None:
        """How far it is."""
        self._items["Progress"].Text = text

    def close(self) -> None:
        """Takes the window away."""
        self._timer.Stop()
        self._window.Hide()

    def until(self, step: Step) -> None:
        """Calls `step` by the timer until it says True, or raises."""
        failure: list[BaseException] = []
        ended: list[bool] = []

        def tick(_: Any = None) -> None:
            if ended:
                return
            try:
                is_over = step()
            except BaseException as error:  # raised again below: what leaves a callback is lost
                failure.append(error)
                is_over = True
            if is_over:
                ended.append(True)
                self._timer.Stop()
                self._dispatcher.ExitLoop()

        def stop(_: Any) -> None:
            self.cancel()
            tick()

        self._dispatcher.On.Timeout = tick
        self._window.On.Stop.Clicked = stop
        self._timer.Start()
        self._dispatcher.RunLoop()
        if failure:
            raise failure[0]
