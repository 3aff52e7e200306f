"""The pictures of the panels in the docs are those of the compiled plug-in."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from .host import Host

SCRIPT = Path(__file__).parents[2] / "docs" / "panels.py"


@pytest.mark.parametrize("node", ["FilmRestore", "FilmGrain", "FilmDegrade"])
def test_the_picture_of_the_panel_is_not_stale(host: Host, node: str) -> None:
    spec = importlib.util.spec_from_file_location("panels", SCRIPT)
    assert spec is not None and spec.loader is not None
    panels = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(panels)
    drawn = panels.drawing(node, host.plugin(node).describe("General").parameters)
    assert panels.image(node).read_text() == drawn, "parameters have changed: run `make panels`"
