"""Handles and properties of the test host: plain values by name, refused where the standard has no such property."""

from __future__ import annotations

import itertools
from ctypes import c_char_p, cast
from dataclasses import dataclass, field
from typing import Any

OK, FAILED, ERR_UNKNOWN, BAD_HANDLE, BAD_INDEX, BAD_VALUE = 0, 1, 3, 9, 10, 11

# Property -> type, of OpenFX 1.4; what later versions added is refused, as an older host would.
EFFECT = {
    "OfxPropLabel": str,
    "OfxPropVersion": int,
    "OfxPropVersionLabel": str,
    "OfxPropPluginDescription": str,
    "OfxImageEffectPluginPropGrouping": str,
    "OfxImageEffectPropSupportedContexts": str,
    "OfxImageEffectPropSupportedPixelDepths": str,
    "OfxImageEffectPluginPropSingleInstance": int,
    "OfxImageEffectPluginPropHostFrameThreading": int,
    "OfxImageEffectPropSupportsMultiResolution": int,
    "OfxImageEffectPropSupportsTiles": int,
    "OfxImageEffectPropTemporalClipAccess": int,
    "OfxImageEffectPropMultipleClipDepths": int,
    "OfxImageEffectPropSupportsMultipleClipPARs": int,
    "OfxImageEffectPluginRenderThreadSafety": str,
    "OfxPluginPropFilePath": str,
}
CLIP = {
    "OfxPropLabel": str,
    "OfxImageEffectPropSupportedComponents": str,
    "OfxImageEffectPropTemporalClipAccess": int,
    "OfxImageClipPropOptional": int,
    "OfxImageClipPropIsMask": int,
    "OfxImageEffectPropSupportsTiles": int,
}
_KNOB = {
    "OfxPropLabel": str,
    "OfxParamPropHint": str,
    "OfxParamPropScriptName": str,
    "OfxParamPropParent": str,
    "OfxParamPropAnimates": int,
}
_INT_LIMITS = dict.fromkeys(
    ("OfxParamPropMin", "OfxParamPropMax", "OfxParamPropDisplayMin", "OfxParamPropDisplayMax"), int
)
KNOBS = {
    "OfxParamTypeDouble": {**_KNOB, **dict.fromkeys(_INT_LIMITS, float), "OfxParamPropDefault": float},
    "OfxParamTypeInteger": {**_KNOB, **_INT_LIMITS, "OfxParamPropDefault": int},
    "OfxParamTypeBoolean": {**_KNOB, "OfxParamPropDefault": int},
    "OfxParamTypeChoice": {**_KNOB, "OfxParamPropDefault": int, "OfxParamPropChoiceOption": str},
    "OfxParamTypeString": {**_KNOB, "OfxParamPropDefault": str, "OfxParamPropStringMode": str},
    "OfxParamTypeGroup": {"OfxPropLabel": str, "OfxParamPropGroupOpen": int},
    "OfxParamTypePage": {"OfxParamPropPageChild": str},
}


@dataclass
class PropertySet:
    """Values by name, each a list; `allowed` limits what may be set, None allows all."""

    values: dict[str, list[Any]] = field(default_factory=dict)
    allowed: dict[str, type] | None = None
    refused: list[str] = field(default_factory=list)
    texts: dict[tuple[str, int], c_char_p] = field(default_factory=dict)

    def set(self, name: str, index: int, value: Any) -> int:
        if self.allowed is not None and self.allowed.get(name) is not type(value):
            self.refused.append(name)
            return ERR_UNKNOWN
        held = self.values.setdefault(name, [])
        if index < 0 or index > len(held):
            return BAD_INDEX
        held[index : index + 1] = [value]
        return OK

    def get(self, name: str, index: int) -> Any:
        """The value; None where there is none."""
        held = self.values.get(name)
        return held[index] if held is not None and 0 <= index < len(held) else None

    def text(self, name: str, index: int) -> c_char_p | None:
        """A C string that lives as long as this set."""
        value = self.get(name, index)
        if not isinstance(value, str):
            return None
        kept = self.texts.get((name, index))
        if kept is None or kept.value != value.encode():
            kept = self.texts[name, index] = c_char_p(value.encode())
        return kept


class Handles:
    """Numbers that stand for objects in the plug-in's hands."""

    def __init__(self) -> None:
        self._next = itertools.count(0x1000, 16)
        self._objects: dict[int, Any] = {}

    def of(self, thing: Any) -> int:
        number = next(self._next)
        self._objects[number] = thing
        return number

    def __getitem__(self, handle: int | None) -> Any:
        return self._objects.get(handle or 0)

    def drop(self, handle: int) -> None:
        del self._objects[handle]


def written(pointer: int, kind: Any, value: Any) -> None:
    """Writes a value through a C pointer."""
    from ctypes import POINTER

    cast(pointer, POINTER(kind))[0] = value
