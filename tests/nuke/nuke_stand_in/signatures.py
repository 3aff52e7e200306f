"""What the plug-in may call of Nuke: names and signatures, written down by hand from the published Python reference.

The stand-in has nothing else, and takes arguments as it says here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

FUNCTIONS = {
    "allNodes": "(filter=None, group=None, recurseGroups=False)",
    "createNode": "(node, knobs='', inpanel=True)",
    "delete": "(n)",
    "execute": "(nameOrNode, start=None, end=None, incr=None, views=None, continueOnError=False)",
    "executeInMainThread": "(call, args=(), kwargs={})",
    "filename": "(node, i=None)",
    "frame": "(f=None)",
    "menu": "(name)",
    "message": "(prompt)",
    "pluginAddPath": "(args, addToSysPath=True)",
    "pluginPath": "()",
    "plugins": "(switches=None, *pattern)",
    "root": "()",
    "scriptClear": "()",
    "scriptOpen": "(path)",
    "scriptSaveAs": "(filename=None, overwrite=-1)",
    "selectedNodes": "(filter=None)",
    "tcl": "(s, *args)",
    "thisNode": "()",
    "toNode": "(s)",
    "views": "()",
}
CONSTANTS = ("ALL", "GUI", "INVISIBLE", "NUKE_VERSION_STRING", "STARTLINE")
CLASSES = (
    "Boolean_Knob",
    "Double_Knob",
    "Enumeration_Knob",
    "File_Knob",
    "Int_Knob",
    "Multiline_Eval_String_Knob",
    "ProgressTask",
    "PyScript_Knob",
    "String_Knob",
    "Tab_Knob",
    "Text_Knob",
    "Undo",
    "nodes",
)
METHODS = {
    "Knob": {
        "clearFlag": "(self, f)",
        "name": "(self)",
        "setExpression": "(self, expression, channel=-1, view=None)",
        "setFlag": "(self, f)",
        "setTooltip": "(self, s)",
        "setValue": "(self, val, chan=-1, view=None)",
        "value": "(self)",
    },
    "Double_Knob": {"setRange": "(self, f1, f2)"},
    "File_Knob": {"evaluate": "(self)"},
    "Script_Knob": {"execute": "(self)"},
    "Format": {"width": "(self)", "height": "(self)"},
    "Node": {
        "Class": "(self)",
        "addKnob": "(self, k)",
        "firstFrame": "(self)",
        "format": "(self)",
        "fullName": "(self)",
        "input": "(self, i)",
        "knob": "(self, p, follow_link=True)",
        "lastFrame": "(self)",
        "name": "(self)",
        "setInput": "(self, i, node)",
        "setName": "(self, name, uncollide=True, updateExpressions=False)",
        "setSelected": "(self, selected)",
        "setXYpos": "(self, x, y)",
        "showControlPanel": "(self, forceFloat=False)",
        "xpos": "(self)",
        "ypos": "(self)",
    },
    "Group": {"begin": "(self)", "end": "(self)", "node": "(self, s)"},
    "Undo": {"begin": "(self, name='')", "disable": "(self)", "enable": "(self)", "end": "(self)"},
    "ProgressTask": {"isCancelled": "(self)", "setMessage": "(self, s)", "setProgress": "(self, i)"},
    "Menu": {
        "addCommand": "(self, name, command=None, shortcut=None, icon=None, tooltip=None, index=-1, readonly=False)",
        "addMenu": "(self, name, icon=None, tooltip=None, index=-1)",
    },
}


def signature_of(text: str) -> inspect.Signature:
    """The signature that the table says."""
    made: dict[str, Any] = {}
    exec(f"def f{text}: ...", made)
    return inspect.signature(made["f"])


def strict(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function take the table's arguments and no others: TypeError, as Nuke."""
    signature = signature_of(text)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*values: Any, **named: Any) -> Any:
            bound = signature.bind(*values, **named)
            bound.apply_defaults()
            return function(*bound.args, **bound.kwargs)

        return called

    return decorate


def published(owner: str) -> Callable[[type], type]:
    """Makes a class's public methods strict; refuses one that the table does not have, and misses none of it."""

    def decorate(kind: type) -> type:
        table = METHODS[owner]
        mine = {name for name, value in vars(kind).items() if not name.startswith("_") and inspect.isfunction(value)}
        assert mine == set(table), (owner, mine ^ set(table))
        for name, text in table.items():
            setattr(kind, name, strict(text)(getattr(kind, name)))
        return kind

    return decorate
