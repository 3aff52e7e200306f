"""A small OpenFX host: drives the compiled bundle as Nuke or Resolve would, and is strict where they are.

Variable arguments are taken as the x86-64 System V convention passes them, in the registers of fixed ones.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_int, c_uint, c_void_p
from dataclasses import dataclass, field
from pathlib import Path
from threading import get_ident
from time import monotonic
from typing import Any

import numpy as np

from .images import COMPONENTS, F32, HostImage, Layout
from .property_sets import BAD_HANDLE, CLIP, EFFECT, ERR_UNKNOWN, FAILED, KNOBS, OK, Handles, PropertySet, written

REPLY_DEFAULT = 14
_LONGEST_TEST_S = 60  # then a render that hangs is aborted

FetchSuite = CFUNCTYPE(c_void_p, c_void_p, c_char_p, c_int)
Entry = CFUNCTYPE(c_int, c_char_p, c_void_p, c_void_p, c_void_p)


class OfxHost(Structure):
    _fields_ = (("host", c_void_p), ("fetchSuite", FetchSuite))


SetHost = CFUNCTYPE(None, POINTER(OfxHost))


class OfxPlugin(Structure):
    _fields_ = (
        ("pluginApi", c_char_p),
        ("apiVersion", c_int),
        ("pluginIdentifier", c_char_p),
        ("pluginVersionMajor", c_uint),
        ("pluginVersionMinor", c_uint),
        ("setHost", SetHost),
        ("mainEntry", Entry),
    )


@dataclass
class Clip:
    """What is connected to an input: frames by time, and how they lie in memory."""

    frames: dict[float, F32] = field(default_factory=dict)
    layout: Layout = field(default_factory=Layout)
    range: tuple[float, float] | None = None
    names: dict[float, str] = field(default_factory=dict)
    fetched: list[float] = field(default_factory=list)

    def frame_range(self) -> tuple[float, float]:
        return self.range or (min(self.frames), max(self.frames))


class Host:
    """The host and its suites.

    Attributes:
        missing_suites: (name, version) that are refused.
        aborts: Asked by the plug-in.
        messages: Kind or "clear", and text, in order.
        progress: "start", shares, "end".
        progress_answer: Status of an update.
    """

    def __init__(self, binary: Path, *, gives_neighbours: bool = True) -> None:
        self.missing_suites: set[tuple[str, int]] = set()
        end = monotonic() + _LONGEST_TEST_S
        self.aborts: Callable[[], bool] = lambda: monotonic() > end
        self.messages: list[tuple[str, str]] = []
        self.progress: list[float | str] = []
        self.progress_answer = OK
        self.unreleased: Counter[int] = Counter()  # images that each thread has in its hands
        self.handles = Handles()
        self._keep: list[Any] = []
        self._loaded: list[Plugin] = []
        self._suites = {key: self._struct(calls) for key, calls in self._calls().items()}
        properties = PropertySet(
            {
                "OfxPropName": ["org.filmrestore.testhost"],
                "OfxImageEffectPropTemporalClipAccess": [int(gives_neighbours)],
            }
        )
        self._host = OfxHost(self.handles.of(properties), FetchSuite(self._fetch))
        self.library = ctypes.CDLL(str(binary))
        self.library.OfxGetPlugin.restype = POINTER(OfxPlugin)
        self.library.OfxSetHost(ctypes.byref(self._host))

    def plugins(self) -> list[Plugin]:
        count = self.library.OfxGetNumberOfPlugins()
        return [Plugin(self, self.library.OfxGetPlugin(index).contents) for index in range(count)]

    def plugin(self, name: str) -> Plugin:
        """A loaded plug-in."""
        found = next(p for p in self.plugins() if p.identifier == f"org.filmrestore.{name}")
        assert found.act("OfxActionLoad") == OK
        self._loaded.append(found)
        return found

    def close(self) -> None:
        """Unloads what was loaded, as a host does at its end."""
        while self._loaded:
            self._loaded.pop().unload()

    def _fetch(self, _host: int, name: bytes, version: int) -> int | None:
        key = (name.decode(), version)
        if key in self.missing_suites or key not in self._suites:
            return None
        return ctypes.addressof(self._suites[key])

    def _struct(self, calls: list[tuple[Any, list[Any], Callable[..., Any] | None]]) -> Any:
        slots = (c_void_p * len(calls))()
        for index, (result, arguments, call) in enumerate(calls):
            if call is not None:
                made = CFUNCTYPE(result, *arguments)(call)
                self._keep.append(made)
                slots[index] = ctypes.cast(made, c_void_p).value
        return slots

    def _calls(self) -> dict[tuple[str, int], list[tuple[Any, list[Any], Callable[..., Any] | None]]]:
        p = c_void_p
        none: tuple[Any, list[Any], None] = (c_int, [], None)
        message = (c_int, [p, c_char_p, c_char_p, c_char_p, c_char_p], self._message)
        progress = [(c_int, [p, c_double], self._progress_update), (c_int, [p], self._progress_end)]
        return {
            ("OfxPropertySuite", 1): [
                *[
                    (c_int, [p, c_char_p, c_int, kind], self._setter(convert))
                    for kind, convert in ((p, int), (c_char_p, bytes.decode), (c_double, float), (c_int, int))
                ],
                *[
                    (c_int, [p, c_char_p, c_int, POINTER(kind)], self._many_setter(convert))
                    for kind, convert in ((p, int), (c_char_p, bytes.decode), (c_double, float), (c_int, int))
                ],
                (c_int, [p, c_char_p, c_int, p], self._getter(c_void_p, int)),
                (c_int, [p, c_char_p, c_int, p], self._get_text),
                (c_int, [p, c_char_p, c_int, p], self._getter(c_double, (int, float))),
                (c_int, [p, c_char_p, c_int, p], self._getter(c_int, int)),
                none,
                none,
                (c_int, [p, c_char_p, c_int, POINTER(c_double)], self._get_many),
                (c_int, [p, c_char_p, c_int, POINTER(c_int)], self._get_many),
                none,
                (c_int, [p, c_char_p, POINTER(c_int)], self._dimension),
            ],
            ("OfxImageEffectSuite", 1): [
                (c_int, [p, p], lambda effect, out: self._give(self.handles[effect].properties_handle, out)),
                (c_int, [p, p], self._give),
                (c_int, [p, c_char_p, p], self._define_clip),
                (c_int, [p, c_char_p, p, p], self._clip_handle),
                (c_int, [p, p], lambda clip, out: self._give(self.handles[clip].properties_handle, out)),
                (c_int, [p, c_double, p, p], self._clip_image),
                (c_int, [p], self._release),
                (c_int, [p, c_double, POINTER(c_double)], self._clip_region),
                (c_int, [p], lambda _effect: int(self.aborts())),
                *[none] * 4,
            ],
            ("OfxParameterSuite", 1): [
                (c_int, [p, c_char_p, c_char_p, p], self._define_parameter),
                (c_int, [p, c_char_p, p, p], self._parameter_handle),
                none,
                none,
                (c_int, [p, p], lambda knob, out: self._value(knob, 0.0, out)),
                (c_int, [p, c_double, p], self._value),
                none,
                none,
                (c_int, [p, c_int, c_double], self._set_value),
                *[none] * 9,
            ],
            ("OfxMessageSuite", 1): [message],
            ("OfxMessageSuite", 2): [message, message, (c_int, [p], self._clear_message)],
            ("OfxProgressSuite", 1): [(c_int, [p, c_char_p], self._progress_start), *progress],
            ("OfxProgressSuite", 2): [(c_int, [p, c_char_p, c_char_p], self._progress_start), *progress],
        }

    # Properties

    def _setter(self, convert: Callable[[Any], Any]) -> Callable[..., int]:
        def call(handle: int, name: bytes, index: int, value: Any) -> int:
            properties = self.handles[handle]
            if not isinstance(properties, PropertySet):
                return BAD_HANDLE
            return properties.set(name.decode(), index, convert(value or (b"" if convert is bytes.decode else 0)))

        return call

    def _many_setter(self, convert: Callable[[Any], Any]) -> Callable[..., int]:
        one = self._setter(convert)

        def call(handle: int, name: bytes, count: int, values: Any) -> int:
            return max(one(handle, name, index, values[index]) for index in range(count))

        return call

    def _getter(self, kind: Any, types: Any) -> Callable[..., int]:
        def call(handle: int, name: bytes, index: int, out: int) -> int:
            value = self.handles[handle].get(name.decode(), index) if self.handles[handle] else None
            if not isinstance(value, types):
                return ERR_UNKNOWN
            written(out, kind, value)
            return OK

        return call

    def _get_text(self, handle: int, name: bytes, index: int, out: int) -> int:
        text = self.handles[handle].text(name.decode(), index) if self.handles[handle] else None
        if text is None:
            return ERR_UNKNOWN
        written(out, c_void_p, ctypes.cast(text, c_void_p).value)
        return OK

    def _get_many(self, handle: int, name: bytes, count: int, out: Any) -> int:
        for index in range(count):
            value = self.handles[handle].get(name.decode(), index)
            if value is None:
                return ERR_UNKNOWN
            out[index] = value
        return OK

    def _dimension(self, handle: int, name: bytes, out: Any) -> int:
        out[0] = len(self.handles[handle].values.get(name.decode(), []))
        return OK

    def _give(self, handle: int, out: int | None) -> int:
        if out:
            written(out, c_void_p, handle)
        return OK

    # Clips and images

    def _define_clip(self, effect: int, name: bytes, out: int) -> int:
        properties = PropertySet(allowed=CLIP)
        self.handles[effect].clips[name.decode()] = properties
        return self._give(self.handles.of(properties), out)

    def _clip_handle(self, effect: int, name: bytes, clip: int, properties: int) -> int:
        connected = self.handles[effect].connections.get(name.decode())
        if connected is None:
            return FAILED
        self._give(connected.properties_handle, properties)
        return self._give(connected.handle, clip)

    def _clip_image(self, clip: int, time: float, _region: int, out: int) -> int:
        image = self.handles[clip].image(time)
        if image is None:
            return FAILED
        self.unreleased[get_ident()] += 1
        properties = PropertySet(
            {
                "OfxImageEffectPropPixelDepth": ["OfxBitDepthFloat"],
                "OfxImageEffectPropComponents": [COMPONENTS[image.shape[2]]],
                "OfxImagePropData": [image.address],
                "OfxImagePropBounds": list(image.bounds),
                "OfxImagePropRowBytes": [image.row_bytes],
                "OfxImagePropUniqueIdentifier": [image.name],
            }
        )
        properties.image = image  # type: ignore[attr-defined]  # keeps the memory
        return self._give(self.handles.of(properties), out)

    def _release(self, image: int) -> int:
        self.handles.drop(image)
        self.unreleased[get_ident()] -= 1
        return OK

    def _clip_region(self, clip: int, _time: float, out: Any) -> int:
        bounds = self.handles[clip].bounds()
        if bounds is None:
            return FAILED
        for index in range(4):
            out[index] = bounds[index]
        return OK

    # Parameters

    def _define_parameter(self, effect: int, kind: bytes, name: bytes, out: int) -> int:
        parameters = self.handles[effect].parameters
        if name.decode() in parameters or kind.decode() not in KNOBS:
            return FAILED
        properties = PropertySet(allowed=KNOBS[kind.decode()])
        parameters[name.decode()] = (kind.decode(), properties)
        return self._give(self.handles.of(properties), out)

    def _parameter_handle(self, effect: int, name: bytes, out: int, _properties: int) -> int:
        handle = self.handles[effect].knobs.get(name.decode())
        return FAILED if handle is None else self._give(handle, out)

    def _value(self, knob: int, _time: float, out: int) -> int:
        instance, name, kind = self.handles[knob]
        value = instance.values[name]
        if kind == "OfxParamTypeString":
            kept = instance.texts[name] = c_char_p(value.encode())
            written(out, c_void_p, ctypes.cast(kept, c_void_p).value)
        else:
            written(out, c_double if kind == "OfxParamTypeDouble" else c_int, value)
        return OK

    def _set_value(self, knob: int, whole: int, number: float) -> int:
        instance, name, kind = self.handles[knob]
        instance.values[name] = number if kind == "OfxParamTypeDouble" else whole
        return OK

    # Messages and progress

    def _message(self, _handle: int, kind: bytes, _id: bytes, pattern: bytes, text: bytes) -> int:
        assert pattern == b"%s"
        self.messages.append((kind.decode(), text.decode()))
        return OK

    def _clear_message(self, _handle: int) -> int:
        self.messages.append(("clear", ""))
        return OK

    def _progress_start(self, *_arguments: Any) -> int:
        self.progress.append("start")
        return OK

    def _progress_update(self, _effect: int, share: float) -> int:
        self.progress.append(share)
        return self.progress_answer

    def _progress_end(self, _effect: int) -> int:
        self.progress.append("end")
        return OK


class Plugin:
    """One plug-in of the bundle."""

    def __init__(self, host: Host, facts: OfxPlugin) -> None:
        self.host, self.facts = host, facts
        self.identifier = facts.pluginIdentifier.decode()

    def act(
        self, action: str, handle: int = 0, given: PropertySet | None = None, out: PropertySet | None = None
    ) -> int:
        handles = [self.host.handles.of(properties) if properties is not None else 0 for properties in (given, out)]
        return int(self.facts.mainEntry(action.encode(), handle, *handles))

    def unload(self) -> None:
        assert self.act("OfxActionUnload") == OK

    def describe(self, context: str = "Filter") -> Descriptor:
        effect = Descriptor(self.host)
        assert self.act("OfxActionDescribe", effect.handle) == OK
        given = PropertySet({"OfxImageEffectPropContext": [f"OfxImageEffectContext{context}"]})
        assert self.act("OfxImageEffectActionDescribeInContext", effect.handle, given) == OK
        return effect

    def create(self, **clips: Clip) -> Instance:
        return Instance(self, clips)


class Descriptor:
    """What a plug-in says of itself: properties, clips, parameters in order."""

    def __init__(self, host: Host) -> None:
        self.properties = PropertySet(allowed=EFFECT)
        self.properties_handle = host.handles.of(self.properties)
        self.clips: dict[str, PropertySet] = {}
        self.parameters: dict[str, tuple[str, PropertySet]] = {}
        self.handle = host.handles.of(self)


class Connection:
    """A clip of an instance, as the plug-in sees it."""

    def __init__(self, host: Host, clip: Clip | None) -> None:
        self.clip = clip
        self.output: HostImage | None = None
        self.allowed: tuple[float, float] | None = None
        properties = PropertySet({"OfxImageClipPropConnected": [int(clip is not None)]})
        if clip is not None:
            properties.values["OfxImageEffectPropFrameRange"] = list(map(float, clip.frame_range()))
        self.properties_handle = host.handles.of(properties)
        self.handle = host.handles.of(self)

    def image(self, time: float) -> HostImage | None:
        if self.output is not None:
            return self.output
        if self.clip is None or time not in self.clip.frames:
            return None
        if self.allowed is not None:
            assert self.allowed[0] <= time <= self.allowed[1], f"frame {time} was not announced: {self.allowed}"
        self.clip.fetched.append(time)
        return HostImage(self.clip.frames[time], self.clip.layout, self.clip.names.get(time, ""))

    def bounds(self) -> tuple[int, ...] | None:
        if self.clip is None:
            return None
        return HostImage(next(iter(self.clip.frames.values())), self.clip.layout).bounds


class Instance:
    """A node in a script."""

    def __init__(self, plugin: Plugin, clips: dict[str, Clip]) -> None:
        self.plugin, self.host = plugin, plugin.host
        described = plugin.describe()
        self.properties_handle = self.host.handles.of(PropertySet())
        self.handle = self.host.handles.of(self)
        self.connections = {name: Connection(self.host, clips.get(name)) for name in described.clips}
        assert set(clips) <= set(self.connections)
        self.values: dict[str, Any] = {}
        self.texts: dict[str, c_char_p] = {}
        self.knobs: dict[str, int] = {}
        self.choices: dict[str, list[str]] = {}
        for name, (kind, properties) in described.parameters.items():
            if "OfxParamPropDefault" in properties.values:
                self.values[name] = properties.get("OfxParamPropDefault", 0)
                self.knobs[name] = self.host.handles.of((self, name, kind))
                self.choices[name] = properties.values.get("OfxParamPropChoiceOption", [])
        assert plugin.act("OfxActionCreateInstance", self.handle) == OK

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            assert name in self.values
            self.values[name] = self.choices[name].index(value) if self.choices[name] else value

    def frames_needed(self, time: float) -> dict[str, list[float]]:
        out = PropertySet()
        given = PropertySet({"OfxPropTime": [float(time)]})
        status = self.plugin.act("OfxImageEffectActionGetFramesNeeded", self.handle, given, out)
        assert status == OK
        return {name.rsplit("_", 1)[1]: values for name, values in out.values.items()}

    def ask(self, action: str, **given: list[Any]) -> tuple[int, PropertySet]:
        """Another action with its arguments by name."""
        out = PropertySet()
        return self.plugin.act(action, self.handle, PropertySet(dict(given)), out), out

    def render(
        self,
        time: float,
        *,
        layout: Layout | None = None,
        window: tuple[int, int, int, int] | None = None,
        channels: int = 4,
        scale: float = 1.0,
        thumbnail: str = "false",
        is_strict: bool = True,
    ) -> tuple[int, F32]:
        """Status and output (h, w, c) of one render; with `is_strict`, only announced frames may be fetched."""
        source = self.connections["Source"].clip
        assert source is not None
        height, width = source.frames[time].shape[:2] if time in source.frames else (8, 8)
        unset = np.full((height, width, channels), np.float32(np.nan), np.float32)
        output = HostImage(unset, layout or source.layout)
        if is_strict:
            for name, needed in self.frames_needed(time).items():
                self.connections[name].allowed = (needed[0], needed[1])
        self.connections["Output"].output = output
        given = PropertySet(
            {
                "OfxPropTime": [float(time)],
                "OfxImageEffectPropRenderWindow": list(window or output.bounds),
                "OfxImageEffectPropRenderScale": [scale, scale],
                "OfxImageEffectPropThumbnailRender": [thumbnail],
            }
        )
        status = self.plugin.act("OfxImageEffectActionRender", self.handle, given)
        assert self.host.unreleased[get_ident()] == 0, "images were not given back"
        return status, output.pixels()

    def destroy(self) -> None:
        assert self.plugin.act("OfxActionDestroyInstance", self.handle) == OK
