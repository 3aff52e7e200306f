"""The wire's bytes: golden packets, and nothing else is let in."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from filmrestore import client, protocol
from filmrestore.errors import Cancelled, FilmRestoreError, ProtocolError, UsageError
from filmrestore.settings import RestoreSettings

GOLDEN = Path(__file__).parents[1] / "golden" / "wire"
CASES = json.loads((GOLDEN / "cases.json").read_text())
PACKETS = [case for case in CASES if "header" in case]
REFUSED = [case for case in CASES if "refused" in case]
ROOT = Path(__file__).parents[2]
OLD_PYTHON = Path.home() / ".pyenv" / "versions" / "3.9.18" / "bin" / "python"


def unpack(data: bytes) -> tuple[protocol.Header, bytes]:
    header, body = protocol.unpack_prefix(data[:16])
    assert len(data) == 16 + header + body
    return protocol.unpack_header(data[16 : 16 + header]), data[16 + header :]


@pytest.mark.parametrize("case", PACKETS, ids=lambda case: case["file"])
def test_packets_are_written_and_read_as_the_golden_ones(case: dict[str, object]) -> None:
    data = (GOLDEN / str(case["file"])).read_bytes()
    header, body = unpack(data)
    assert header == case["header"] and body.hex() == case["body"]
    assert protocol.pack(header, len(body)) + body == data


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["file"])
def test_what_is_not_of_the_wire_is_refused_with_its_code(case: dict[str, object]) -> None:
    with pytest.raises(ProtocolError) as refusal:
        unpack((GOLDEN / str(case["file"])).read_bytes())
    assert refusal.value.code == case["refused"]


def test_every_message_has_a_golden_packet_and_every_golden_file_a_case() -> None:
    assert {case["header"]["type"] for case in PACKETS} >= set(protocol.FIELDS) - {
        "degrade_span",
        "grain_span",
        "settings_list",
    }
    assert {case["file"] for case in CASES} == {path.name for path in GOLDEN.glob("*.bin")}


def test_the_golden_slot_file_has_head_and_pixels_where_the_docs_say() -> None:
    [case] = [case for case in CASES if "pixels" in case]
    data = (GOLDEN / case["file"]).read_bytes()
    head = struct.unpack_from("<8sQQQ", data)
    assert head == (b"FRSLOT1\0", case["slot"], case["generation"], case["bytes"])
    assert data[4096:].hex() == case["pixels"]


def test_every_message_is_in_the_docs_with_its_fields() -> None:
    page = (ROOT / "docs" / "server.md").read_text()
    for name, fields in protocol.FIELDS.items():
        assert f"`{name}`" in page
        assert all(f"`{field}`" in page for field in fields), name


@pytest.mark.parametrize(
    "field",
    [
        {"shape": [0, 2, 4]},
        {"shape": [2, 2, 5]},
        {"shape": [65537, 1, 1]},
        {"shape": [20000, 20000, 4]},
        {"shape": [2, 2]},
        {"shape": [2.0, 2, 4]},
        {"shape": [True, 2, 4]},
        {"frame": 2**31},
        {"frame": None},
        {"slot": -1},
        {"slot": 2**53},
        {"change": "x" * 4097},
        {"plane": 7},
    ],
)
def test_a_field_out_of_its_kind_is_refused_and_the_request_known(field: dict[str, object]) -> None:
    [put] = [case["header"] for case in PACKETS if case["file"] == "put_slot.bin"]
    with pytest.raises(ProtocolError, match=next(iter(field))) as refusal:
        protocol.unpack_header(json.dumps({**put, **field}).encode())
    assert refusal.value.request == put["id"]


def test_unknown_fields_are_ignored() -> None:
    assert protocol.unpack_header(b'{"id":1,"type":"ok","later":[1]}')["type"] == "ok"


def test_a_packet_beyond_the_limits_is_not_written() -> None:
    with pytest.raises(ProtocolError):
        protocol.pack({"type": "ok", "id": 1, "text": "x" * protocol.MAX_HEADER})
    with pytest.raises(ProtocolError):
        protocol.pack({"type": "ok", "id": 1}, protocol.MAX_BODY + 1)


@pytest.mark.parametrize(("frame", "first"), [(1001, 998), (0, -1), (2, -1), (3, 2), (-1, -4), (-3, -4)])
def test_windows_are_anchored_to_absolute_frames(frame: int, first: int) -> None:
    assert list(protocol.window_of(frame, 5, 3)) == list(range(first, first + 5))


@pytest.mark.parametrize("error", [UsageError("u"), Cancelled("c"), FilmRestoreError("f"), ProtocolError("p")])
def test_errors_come_out_of_the_wire_as_they_went_in(error: FilmRestoreError) -> None:
    again = protocol.error_of(protocol.code_of(error), str(error))
    assert type(again) is type(error) and str(again) == str(error)


def test_the_settings_digest_changes_with_any_fact_of_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    before = protocol.settings_digest()
    listed = protocol.settings_list()
    assert [entry["name"] for entry in listed["restore"]] == list(RestoreSettings.facts())
    listed["restore"][2]["high"] = 2.0
    monkeypatch.setattr(protocol, "settings_list", lambda: listed)
    assert protocol.settings_digest() != before


@pytest.mark.skipif(not OLD_PYTHON.exists(), reason="there is no Python 3.9 here")
def test_hosts_load_the_client_in_python_3_9_as_loose_files(tmp_path: Path) -> None:
    package = tmp_path / "adapter"
    package.mkdir()
    for name in client.FILES:
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_bytes((ROOT / "engine" / "filmrestore" / name).read_bytes())
    (package / "__init__.py").write_text("")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from adapter import client, protocol\n"
        "print(protocol.settings_digest(), client.Image(1, 2, 'RGBA', bytes(32)).shape)"
    )
    told = subprocess.run(
        [str(OLD_PYTHON), "-I", "-S", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.split(maxsplit=1) == [protocol.settings_digest(), "[1, 2, 4]\n"]


def _imported(module: str) -> tuple[float, str]:
    """Processor seconds that importing it takes, and what it brings from outside the standard library."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT / 'engine')!r}); start = time.process_time()\n"
        f"import {module}; print(time.process_time() - start)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'__main__'}))"
    )
    told = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    seconds, modules = told.stdout.splitlines()
    return float(seconds), modules


def test_the_client_takes_less_than_two_imports_of_asyncio_and_brings_only_the_standard_library() -> None:
    rounds = [[_imported(module) for module in ("filmrestore.client", "asyncio")] for _ in range(3)]
    took, peer = zip(*rounds, strict=True)
    assert {modules for _, modules in took} == {"filmrestore"}
    assert min(seconds for seconds, _ in took) < 2 * min(seconds for seconds, _ in peer)
