"""What tests of the Resolve scripts share: the package, a Resolve, an engine that is told what to do, settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from filmrestore.errors import Cancelled

from .fake import START, World

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "resolve_script"))


class ScriptedEngine:
    """Writes files of a few bytes as the engine would, or fails as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.error: BaseException | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.waits_for_cancel = False

    def __enter__(self) -> ScriptedEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _span(self, node: str, job: dict[str, Any], settings: dict[str, Any], progress: Any, cancelled: Any) -> Any:
        self.asked.append((node, job, settings))
        while self.waits_for_cancel:
            if cancelled():
                raise Cancelled("stopped by the client")
        self.meanwhile()
        if self.error is not None:
            raise self.error
        first, last = (int(number) for number in job["span"].split("-"))
        output = Path(job["output"])
        width = output.name.count("#")
        if width == 0:
            output.write_bytes(b"movie")
        for number in range(first, last + 1):
            if width:
                output.with_name(output.name.replace("#" * width, f"{number:0{width}d}")).write_bytes(b"picture")
            progress(node, number - first + 1, last - first + 1)
        return {"frames": last - first + 1}

    def restore_span(self, job: Any, settings: Any, *, progress: Any, cancelled: Any) -> Any:
        return self._span("restore", job, settings, progress, cancelled)

    def degrade(self, job: Any, settings: Any, *, progress: Any, cancelled: Any) -> Any:
        return self._span("degrade", job, settings, progress, cancelled)

    def grain(self, job: Any, settings: Any, *, progress: Any, cancelled: Any) -> Any:
        return self._span("grain", job, settings, progress, cancelled)


@pytest.fixture(autouse=True)
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from filmrestore_resolve import work

    monkeypatch.setattr(work, "_POLL_S", 0.005)
    path = tmp_path / "settings" / "resolve.json"
    monkeypatch.setenv("FILMRESTORE_RESOLVE_SETTINGS", str(path))
    return path


@pytest.fixture
def world() -> Iterator[World]:
    """A Resolve; whatever was asked of it must be in the stubs."""
    world = World()
    yield world
    assert world.violations == []


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Fifty frames of a scan, 1001 to 1050, a few bytes each."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(1001, 1051):
        (folder / f"reel.{number}.dpx").write_bytes(b"scan")
    return folder


def put(world: World, scan: Path, **values: Any) -> Any:
    """The scan on the timeline, trimmed; under the playhead."""
    media = world.media(str(scan / "reel.[1001-1050].dpx"), 50, 1001, **values)
    world.root.clips.append(media)
    world.timeline.playhead = world.clip(media, at=START + 100, left=20, duration=10)
    return world.timeline.playhead
