"""A Fusion for tests: compositions, tools and UIManager, from our own table of names; the stubs leave them empty.

Names and meanings from the maker's scripting guide. A name that is not in the table is None, as in the real one, and
counts as a violation; so does a wrong number of arguments, and an input set while the composition is locked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIGNATURES = {
    "Fusion": {"GetCurrentComp": (0, 0)},
    "Comp": {
        "GetAttrs": (0, 1), "GetToolList": (0, 2), "AddTool": (1, 3), "Lock": (0, 0), "Unlock": (0, 0),
        "StartUndo": (1, 1), "EndUndo": (0, 1), "Render": (0, 1), "MapPath": (1, 1),
    },
    "Tool": {
        "GetAttrs": (0, 1), "SetAttrs": (1, 1), "SetInput": (2, 3), "GetInput": (1, 2), "FindMainOutput": (1, 1),
        "FindMainInput": (1, 1), "Delete": (0, 0),
    },
    "Output": {"GetConnectedInputs": (0, 0)},
    "Input": {"ConnectTo": (0, 1), "GetConnectedOutput": (0, 0)},
    "FlowView": {"GetPosTable": (1, 1)},
}  # fmt: skip
VALUES = {"Comp": {"ActiveTool", "CurrentFrame", "TIME_UNDEFINED"}, "Frame": {"FlowView"}, "Fusion": {"UIManager"}}


class Desk:
    """One Fusion: its composition, what went wrong, and what it refuses ("Class.Method" -> answer)."""

    def __init__(self, folder: Path) -> None:
        self.violations: list[str] = []
        self.log: list[str] = []
        self.refuse: dict[str, Any] = {}
        self.render: Callable[[Path, int], None] = lambda path, number: path.write_bytes(b"exr")
        self.is_locked, self.undo = False, []
        self.tools: list[Tool] = []
        self.active: Tool | None = None
        self.attributes = {"COMPN_RenderStart": 0.0, "COMPN_RenderEnd": 9.0, "COMPS_FileName": str(folder / "a.comp")}
        self.ui: Any = None

    def add(self, kind: str, name: str, source: Tool | None = None, **attributes: Any) -> Tool:
        """A tool that is there already, fed by another."""
        tool = Tool(self, kind, name)
        tool.attributes.update(attributes)
        if source is not None:
            tool.input.source = source.output
        self.tools.append(tool)
        return tool

    def snapshot(self) -> Any:
        """The flow: tools, and what feeds each."""
        return [(tool.name, tool.input.source and tool.input.source.owner.name) for tool in self.tools], self.is_locked


class FusionObject:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        kind = type(self).__name__
        if name in VALUES.get(kind, ()):
            return getattr(self, f"_{name}")()
        if name not in SIGNATURES.get(kind, {}):
            self._desk.violations.append(f"{kind}.{name} is not in the table")
            return None

        def asked(*arguments: Any) -> Any:
            least, most = SIGNATURES[kind][name]
            if not least <= len(arguments) <= most:
                self._desk.violations.append(f"{kind}.{name} takes {least} to {most} arguments, not {len(arguments)}")
            key = f"{kind}.{name}"
            self._desk.log.append(key)
            if key in self._desk.refuse:
                answer = self._desk.refuse[key]
                if isinstance(answer, BaseException):
                    raise answer
                return answer
            return getattr(type(self), f"do_{name}")(self, *arguments)

        return asked


class Fusion(FusionObject):
    def do_GetCurrentComp(self) -> Comp:
        return Comp(self._desk)

    def _UIManager(self) -> Any:
        return self._desk.ui


class Frame(FusionObject):
    def _FlowView(self) -> FlowView:
        return FlowView(self._desk)


class FlowView(FusionObject):
    def do_GetPosTable(self, tool: Tool) -> dict[int, float]:
        return {1: 3.0, 2: 4.0}


class Comp(FusionObject):
    def _ActiveTool(self) -> Any:
        return self._desk.active

    def _CurrentFrame(self) -> Frame:
        return Frame(self._desk)

    def _TIME_UNDEFINED(self) -> float:
        return -1e9

    def do_GetAttrs(self) -> dict[str, Any]:
        return dict(self._desk.attributes)

    def do_GetToolList(self, selected: bool) -> dict[int, Any]:
        return {}

    def do_AddTool(self, kind: str, x: float, y: float) -> Any:
        if not self._desk.is_locked and kind in ("Loader", "Saver"):
            self._desk.violations.append(f"AddTool {kind} without a lock asks the user for a file")
        return self._desk.add(kind, f"{kind}1")

    def do_Lock(self) -> None:
        self._desk.is_locked = True

    def do_Unlock(self) -> None:
        self._desk.is_locked = False

    def do_StartUndo(self, name: str) -> None:
        self._desk.undo.append(name)

    def do_EndUndo(self, keep: bool) -> None:
        self._desk.undo.append("end")

    def do_MapPath(self, path: str) -> str:
        return path.replace("Comp:", str(Path(self._desk.attributes["COMPS_FileName"]).parent))

    def do_Render(self, asked: dict[str, Any]) -> bool:
        path = Path(asked["Tool"].inputs["Clip"])
        for number in range(asked["Start"], asked["End"] + 1):
            self._desk.render(path.with_name(path.name.replace("0000", f"{number:04d}")), number)
        return True


class Output(FusionObject):
    def __init__(self, desk: Desk, owner: Tool) -> None:
        super().__init__(desk)
        self.owner = owner

    def do_GetConnectedInputs(self) -> dict[int, Any]:
        fed = [tool.input for tool in self._desk.tools if tool.input.source is self]
        return dict(enumerate(fed, 1))


class Input(FusionObject):
    source: Output | None = None

    def do_ConnectTo(self, output: Output) -> bool:
        self.source = output
        return True

    def do_GetConnectedOutput(self) -> Output | None:
        return self.source


class Tool(FusionObject):
    def __init__(self, desk: Desk, kind: str, name: str) -> None:
        super().__init__(desk)
        self.name, self.inputs = name, {}
        self.attributes: dict[str, Any] = {"TOOLS_RegID": kind}
        self.output, self.input = Output(desk, self), Input(desk)

    def do_GetAttrs(self) -> dict[str, Any]:
        return {"TOOLS_Name": self.name, **self.attributes}

    def do_SetAttrs(self, attributes: dict[str, Any]) -> None:
        self.name = attributes["TOOLS_Name"]

    def do_FindMainOutput(self, index: int) -> Output:
        return self.output

    def do_FindMainInput(self, index: int) -> Input:
        return self.input

    def do_Delete(self) -> None:
        self._desk.tools.remove(self)

    def do_GetInput(self, name: str, time: float) -> Any:
        return self.inputs.get(name)

    def do_SetInput(self, name: str, value: Any, time: float = 0) -> None:
        if self._desk.is_locked:
            self._desk.violations.append(f"SetInput {name} under the lock")
        self.inputs[name] = value
        if name == "Clip" and self.attributes["TOOLS_RegID"] == "Loader":
            found = re.search(r"(\d+)(\.\w+)$", value)
            assert found is not None
            length = len(list(Path(value).parent.glob(f"{Path(value).name[: -len(found[0])]}*{found[2]}")))
            self.attributes["TOOLIT_Clip_Length"] = {1: length}
            self.inputs.update(GlobalIn=0, GlobalOut=length - 1, ClipTimeStart=0, ClipTimeEnd=length - 1)
        if name in ("GlobalIn", "GlobalOut"):
            self.inputs["ClipTimeStart"] = 99  # moved along, unless it is put back
            if self.inputs["GlobalIn"] > self.inputs["GlobalOut"]:
                self._desk.violations.append("GlobalIn after GlobalOut")
