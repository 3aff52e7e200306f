"""What the plug-in keeps to: Nuke's published names, old Pythons, few imports; and the stand-in is strict."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from filmrestore import colour as engine_colour
from filmrestore.client import FILES
from filmrestore.errors import ColourError
from nuke_path import ROOT
from nuke_stand_in.knobs import SESSION
from nuke_stand_in.signatures import CLASSES, CONSTANTS, FUNCTIONS, METHODS, signature_of

PLUGIN = ROOT / "nuke_plugin"
SOURCES = sorted(PLUGIN.rglob("*.py"))
PYTHONS = [Path.home() / ".pyenv" / "versions" / name / "bin" / "python" for name in ("3.9.18", "3.13.0")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_only_published_names_of_nuke_are_used(source: Path) -> None:
    known = {*FUNCTIONS, *CONSTANTS, *CLASSES}
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "nuke":
            assert node.attr in known, f"{source.name}:{node.lineno} nuke.{node.attr}"
        if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("nuke.") in FUNCTIONS:
            name = ast.unparse(node.func).removeprefix("nuke.")
            if not any(isinstance(word, ast.Starred) for word in node.args):
                signature_of(FUNCTIONS[name]).bind(*node.args, **{str(k.arg): k.value for k in node.keywords})


def test_only_the_standard_library_nuke_and_the_client_are_imported() -> None:
    allowed = {"nuke", "filmrestore_nuke", "filmrestore"}
    of_client = {"filmrestore", *(f"filmrestore.{name[:-3].removesuffix('/__init__')}" for name in FILES)}
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            for name in names:
                top = name.partition(".")[0]
                assert top in allowed or top in sys.stdlib_module_names, (source.name, name)
                assert top != "filmrestore" or name in of_client, (source.name, name)


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parents[1].name)
def test_the_plug_in_is_read_by_old_and_new_pythons_as_it_is_installed(python: Path, tmp_path: Path) -> None:
    if not python.exists():
        pytest.skip(f"there is no {python}")
    home = tmp_path / "filmrestore_nuke"
    shutil.copytree(PLUGIN, home, ignore=shutil.ignore_patterns("__pycache__"))
    vendor = home / "vendor" / "filmrestore"
    for name in ("__init__.py", *FILES):
        (vendor / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "engine" / "filmrestore" / name, vendor / name)
    (home / "engine.json").write_text('{"python": "/opt/engine/bin/python", "device": "cuda:0"}')
    code = (
        "import sys, types; nuke = types.ModuleType('nuke'); nuke.GUI = False; sys.modules['nuke'] = nuke\n"
        "sys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "from filmrestore_nuke import buttons, check, colour, engine, group, live, panel, run, terminal, work\n"
        "import filmrestore.client; print(filmrestore.client.__file__)\n"
        "print(engine.device(), *engine.command())\n"
        "print(sum(len(node.entries()) for node in panel.NODES.values()))\n"
    )
    words = [str(python), "-W", "error", "-I", "-S", "-c", code, str(tmp_path), str(home)]
    told = subprocess.run(words, capture_output=True, text=True, check=False, env={"HOME": os.environ["HOME"]})
    assert told.returncode == 0, told.stderr
    client, engine, count = told.stdout.splitlines()
    assert Path(client) == vendor / "client.py"
    assert engine == "cuda:0 /opt/engine/bin/python -m filmrestore.cli serve"
    assert int(count) > 120


def test_the_engines_own_config_is_named_alike_on_both_sides(nuke: ModuleType) -> None:
    from filmrestore_nuke import colour

    assert colour.BUILTIN_CONFIG == engine_colour.BUILTIN_CONFIG
    loaded = engine_colour._load(colour.BUILTIN_CONFIG)[1]
    for name in colour._CURVES.values():
        assert engine_colour.find_colourspace(loaded, name)


def test_the_panels_in_the_docs_are_those_of_the_nodes() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import nuke_panels
    finally:
        sys.path.remove(str(ROOT / "docs"))
    page = " ".join((ROOT / "docs" / "hosts" / "nuke.md").read_text().split())
    for node in nuke_panels.NODES.values():
        image = nuke_panels.image(node.title)
        assert image.read_text(encoding="utf-8") == nuke_panels.drawing(node), "run `make docs`"
        assert f"(../images/{image.name})" in page
        for entry in node.entries():
            assert entry.is_setting or entry.kind in ("note", "text") or f"*{entry.label}*" in page, entry.label


# Colour


def of_root(nuke: Any, **knobs: str) -> Any:
    from filmrestore_nuke.colour import of_script

    for name, value in knobs.items():
        nuke.root()[name].setValue(value)
    return of_script()


def test_the_config_is_the_environments_else_the_projects(nuke: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = of_root(nuke)
    assert (plain.config, plain.working_space, plain.is_ocio) == (engine_colour.BUILTIN_CONFIG, "linear rec709", False)
    with pytest.raises(ColourError, match="OCIOConfigPath is empty"):
        of_root(nuke, colorManagement="OCIO", workingSpaceLUT="scene_linear (ACES - ACEScg)")
    shipped = of_root(nuke, OCIOConfigPath="/nuke/aces.ocio", customOCIOConfigPath="/show/config.ocio")
    assert (shipped.config, shipped.working_space, shipped.is_ocio) == ("/nuke/aces.ocio", "scene_linear", True)
    assert of_root(nuke, OCIO_config="custom").config == "/show/config.ocio"
    monkeypatch.setenv("OCIO", "/studio/config.ocio")
    assert of_root(nuke, colorManagement="Nuke").config == "/studio/config.ocio"


@pytest.mark.parametrize(
    ("file", "space", "said"),
    [
        ("/a.%04d.dpx", "default", "cineon"),
        ("/a.%04d.exr", "default", "linear rec709"),
        ("/a.%04d.png", "default (sRGB)", "srgb"),
        ("/a.%04d.png", "default", "srgb"),
        ("/a.%04d.tif", "default", None),  # of floats or of integers: Nuke knows, so Nuke renders it
        ("/a.%04d.dpx", "AlexaV3LogC", None),
    ],
)
def test_without_ocio_a_read_says_its_curve_or_is_rendered(nuke: Any, file: str, space: str, said: str | None) -> None:
    from filmrestore_nuke.colour import of_read, of_script

    read = nuke.nodes.Read(file=file, colorspace=space)
    assert of_read(read, of_script()) == said
    read["raw"].setValue(True)
    assert of_read(read, of_script()) == "raw"


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("scene_linear (ACES - ACEScg)", "scene_linear"),
        ("default (ACES - ACES2065-1)", "ACES - ACES2065-1"),
        ("Input - ADX - ADX10", "Input - ADX - ADX10"),
        ("sRGB Encoded Rec.709 (sRGB)", "sRGB Encoded Rec.709 (sRGB)"),
    ],
)
def test_with_ocio_a_read_says_its_space_and_roles_stay_roles(nuke: Any, space: str, said: str) -> None:
    from filmrestore_nuke.colour import of_read

    script = of_root(nuke, colorManagement="OCIO", OCIOConfigPath="/nuke/aces.ocio", workingSpaceLUT="scene_linear")
    assert of_read(nuke.nodes.Read(file="/a.%04d.exr", colorspace=space), script) == said


# The stand-in


def test_the_stand_in_refuses_what_nuke_does_not_have(nuke: Any) -> None:
    with pytest.raises(AttributeError, match="renderAll"):
        nuke.renderAll()
    with pytest.raises(TypeError):
        nuke.root(1)
    with pytest.raises(TypeError):
        nuke.executeInMainThread()
    with pytest.raises(RuntimeError, match="Unknown command"):
        nuke.nodes.Reed()
    node = nuke.nodes.Group()
    with pytest.raises(NameError, match="knob nothing does not exist"):
        node["nothing"]
    assert node.knob("nothing") is None and nuke.toNode("nothing") is None
    with pytest.raises(TypeError):
        node.setInput(0)
    with pytest.raises(AttributeError):
        node.connect(None)
    with pytest.raises(TypeError):
        node["xpos"].setValue("left")
    assert 55 <= len(FUNCTIONS) + len(CLASSES) + sum(map(len, METHODS.values())) <= 90


def test_the_stand_in_refuses_windows_without_a_user_interface(terminal: Any) -> None:
    for call in (lambda: terminal.message("x"), lambda: terminal.ProgressTask("x"), lambda: terminal.menu("Nodes")):
        with pytest.raises(AssertionError):
            call()


def test_the_stand_in_lets_other_threads_touch_no_node(nuke: Any) -> None:
    import threading

    node, caught = nuke.nodes.NoOp(), []

    def touch() -> None:
        try:
            node.setXYpos(1, 2)
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=touch)
    thread.start()
    thread.join()
    assert caught == ["I am not in the main thread"] and SESSION.gui


def test_the_stand_in_saves_what_it_opens(nuke: Any, tmp_path: Path) -> None:
    from filmrestore_nuke import group

    node = group.create("FilmRestore")
    node["reject"].setValue('1001-3f9a\n@"a list".txt # {x} [y] $z \\')
    texts = []
    for _ in range(2):
        nuke.scriptSaveAs(str(tmp_path / "a.nk"), 1)
        texts.append((tmp_path / "a.nk").read_text())
        nuke.scriptOpen(str(tmp_path / "a.nk"))
    again = nuke.toNode("FilmRestore1")
    assert texts[0] == texts[1] and again["reject"].value() == '1001-3f9a\n@"a list".txt # {x} [y] $z \\'
    assert again.node("view")["which"].expression == "parent.output"
