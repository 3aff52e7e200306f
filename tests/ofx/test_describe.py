"""What the bundle is made of, and what its nodes tell a host about themselves."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from filmrestore.settings import DEGRADE_PRESETS, DegradeSettings, GrainSettings, RestoreSettings

from .host import REPLY_DEFAULT, Clip, Host
from .images import Layout
from .test_render import clip_of

ROOT = Path(__file__).parents[2]
NODES = {"FilmRestore": RestoreSettings, "FilmDegrade": DegradeSettings, "FilmGrain": GrainSettings}
HOST_PARAMETERS = ["colourspace", "ocio_config", "frame_offset", "on_failure"]
OWN = {
    "FilmRestore": (["analysis", "defect_alpha", *HOST_PARAMETERS], ["Main"]),
    "FilmDegrade": (HOST_PARAMETERS, ["preset", "Main"]),
    "FilmGrain": (HOST_PARAMETERS, ["Main"]),
}


def test_the_generated_parameters_are_not_stale() -> None:
    spec = importlib.util.spec_from_file_location("generate_ofx", ROOT / "ofx_bridge" / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.HEADER.read_text() == generate.header(), "settings have changed: run `make docs`"


def test_three_functions_are_exported_and_nothing_is_linked_but_c(binary: Path) -> None:
    def told(*command: str) -> str:
        return subprocess.run([*command, str(binary)], capture_output=True, text=True, check=True).stdout

    names = {line.split()[-1] for line in told("nm", "-D", "--defined-only").splitlines()}
    assert names == {"OfxGetNumberOfPlugins", "OfxGetPlugin", "OfxSetHost"}
    needed = {line.split("[")[1].rstrip("]") for line in told("readelf", "-d").splitlines() if "(NEEDED)" in line}
    assert needed <= {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2"}
    assert binary.stat().st_size < 2 << 20


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("context", ["Filter", "General"])
def test_parameters_are_those_of_the_settings(host: Host, node: str, context: str) -> None:
    described = host.plugin(node).describe(context)
    settings = NODES[node]
    fields = {entry.name: entry for entry in dataclasses.fields(settings)}
    own, special = OWN[node]
    knobs = {n: p for n, p in described.parameters.items() if p[0] != "OfxParamTypeGroup" and n not in special}
    assert list(knobs) == [*fields, *own]
    for name, fact in settings.facts().items():
        kind, properties = knobs[name]
        default = fields[name].default
        values = {key: value if len(value) > 1 else value[0] for key, value in properties.values.items()}
        assert values.pop("OfxPropLabel") == fact.label
        assert values.pop("OfxParamPropHint") == fact.help + (f" [{fact.unit}]" if fact.unit else "")
        assert values.pop("OfxParamPropParent") == fact.group
        assert values.pop("OfxParamPropScriptName") == name
        if fact.choices:
            options = values.pop("OfxParamPropChoiceOption")
            assert (options if isinstance(options, list) else [options]) == list(fact.choices)
            assert kind == "OfxParamTypeChoice" and fact.choices[values.pop("OfxParamPropDefault")] == default
            assert values == {"OfxParamPropAnimates": 0}
        elif isinstance(default, bool):
            assert (kind, values) == ("OfxParamTypeBoolean", {"OfxParamPropDefault": int(default)})
        elif isinstance(default, str):
            assert (kind, values.pop("OfxParamPropDefault")) == ("OfxParamTypeString", default)
        else:
            assert kind == ("OfxParamTypeInteger" if isinstance(default, int) else "OfxParamTypeDouble")
            assert values == {
                "OfxParamPropDefault": default,
                "OfxParamPropMin": fact.low,
                "OfxParamPropMax": fact.high,
                "OfxParamPropDisplayMin": fact.soft_low,
                "OfxParamPropDisplayMax": fact.soft_high,
            }
    refused = {name for _, properties in described.parameters.values() for name in properties.refused}
    assert refused == set()


@pytest.mark.parametrize("node", NODES)
def test_effects_say_what_hosts_must_know(host: Host, node: str) -> None:
    described = host.plugin(node).describe()
    values = described.properties.values
    assert values["OfxImageEffectPropSupportedContexts"] == [
        "OfxImageEffectContextFilter",
        "OfxImageEffectContextGeneral",
    ]
    assert values["OfxImageEffectPropSupportedPixelDepths"] == ["OfxBitDepthFloat"]
    assert values["OfxImageEffectPropSupportsTiles"] == [0]
    assert values["OfxImageEffectPropTemporalClipAccess"] == [1]
    assert values["OfxImageEffectPluginRenderThreadSafety"] == ["OfxImageEffectRenderInstanceSafe"]
    assert values["OfxImageEffectPluginPropHostFrameThreading"] == [0]
    # From 1.5 on; a host of 1.4 refuses it, and the plug-in lives with that.
    assert described.properties.refused == ["OfxImageEffectPropNoSpatialAwareness"]
    clips = {name: properties.values for name, properties in described.clips.items()}
    optional = {"FilmRestore": {"Protect", "Defects"}, "FilmDegrade": set(), "FilmGrain": {"Reference"}}[node]
    assert set(clips) == {"Source", "Output"} | optional
    assert {name for name in clips if clips[name].get("OfxImageClipPropOptional") == [1]} == optional
    assert clips["Source"]["OfxImageEffectPropTemporalClipAccess"] == [1]
    assert all(properties.refused == [] for properties in described.clips.values())


def test_a_preset_sets_every_degrade_parameter(host: Host) -> None:
    node = host.plugin("FilmDegrade").create(Source=clip_of(1))
    for name in ("heavy", "newsreel", "none"):
        node.set(preset=name)
        given: dict[str, list[Any]] = {"OfxPropName": ["preset"], "OfxPropTime": [1.0]}
        assert node.ask("OfxActionInstanceChanged", **given, OfxPropChangeReason=["OfxChangeTime"])[0] == REPLY_DEFAULT
        assert node.ask("OfxActionInstanceChanged", **given, OfxPropChangeReason=["OfxChangeUserEdited"])[0] == 0
        for key, wanted in DEGRADE_PRESETS[name].to_dict().items():
            held = node.choices[key][node.values[key]] if node.choices[key] else node.values[key]
            assert held == wanted, key
    node.destroy()


def test_regions_are_those_of_the_source(host: Host) -> None:
    node = host.plugin("FilmRestore").create(Source=clip_of(1, layout=Layout(x1=-7, y1=3)))
    wanted = [-7.0, 3.0, 9.0, 15.0]
    given: dict[str, list[Any]] = {"OfxPropTime": [1.0]}
    status, out = node.ask("OfxImageEffectActionGetRegionOfDefinition", **given)
    assert (status, out.values) == (0, {"OfxImageEffectPropRegionOfDefinition": wanted})
    status, out = node.ask("OfxImageEffectActionGetRegionsOfInterest", **given)
    assert status == 0
    assert out.values == {f"OfxImageClipPropRoI_{name}": wanted for name in ("Source", "Protect", "Defects")}
    node.destroy()


def test_a_node_that_does_nothing_says_so(host: Host) -> None:
    clip = clip_of(1)
    given: dict[str, list[Any]] = {"OfxPropTime": [1.0]}
    restore = host.plugin("FilmRestore").create(Source=clip)
    assert restore.ask("OfxImageEffectActionIsIdentity", **given)[0] == REPLY_DEFAULT
    restore.set(strength=0.0)
    status, out = restore.ask("OfxImageEffectActionIsIdentity", **given)
    assert (status, out.values) == (0, {"OfxPropName": ["Source"], "OfxPropTime": [1.0]})
    restore.set(output="matte")
    assert restore.ask("OfxImageEffectActionIsIdentity", **given)[0] == REPLY_DEFAULT
    grain = host.plugin("FilmGrain").create(Source=clip)
    assert grain.ask("OfxImageEffectActionIsIdentity", **given)[0] == 0
    grain.set(mode="add")
    assert grain.ask("OfxImageEffectActionIsIdentity", **given)[0] == REPLY_DEFAULT
    restore.destroy()
    grain.destroy()


def test_a_host_without_what_is_needed_is_told_so(binary: Path) -> None:
    host = Host(binary)
    host.missing_suites = {("OfxParameterSuite", 1)}
    assert host.plugins()[0].act("OfxActionLoad") == 4  # missing host feature


def test_unknown_actions_and_handles_are_answered(host: Host) -> None:
    plugin = host.plugin("FilmRestore")
    node = plugin.create(Source=Clip({1.0: clip_of(1).frames[1.0]}))
    assert plugin.act("OfxActionPurgeCaches", node.handle) == REPLY_DEFAULT
    assert node.ask("OfxImageEffectActionRender")[0] == 1  # no time, no window
    node.destroy()
    assert plugin.act("OfxImageEffectActionRender", node.handle) == 9  # bad handle: it is gone


def test_sanitized_programs_find_every_pixel_and_read_every_golden_packet(sanitized: Path) -> None:
    pixels = subprocess.run([str(sanitized / "test_pixels")], capture_output=True, text=True, check=False)
    assert pixels.returncode == 0, pixels.stderr
    golden = ROOT / "tests" / "golden" / "wire"
    wire = subprocess.run([str(sanitized / "test_wire"), str(golden)], capture_output=True, text=True, check=False)
    assert wire.returncode == 0, wire.stderr
    assert wire.stdout == f"{len(json.loads((golden / 'cases.json').read_text()))} golden files\n"
