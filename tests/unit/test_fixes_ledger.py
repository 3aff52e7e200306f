"""The ledger: parts and merged files read alike, survive edits and crashes, and refuse what does not fit."""

import json
import os
import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from filmrestore.errors import LedgerError
from filmrestore.fixes import FrameRecord, Header, Ledger, LedgerWriter, find_fixes, merge, scan_facts
from filmrestore.fixes.merged import INDEX, LINES, PIXELS
from filmrestore.fixes.pixel_store import ChunkReader, pack_chunk
from filmrestore.frame import Format

HEIGHT, WIDTH = 40, 60
FORMAT = Format(
    width=WIDTH, height=HEIGHT, channels=("R", "G", "B"), dtype="uint16", bits=10, container="dpx", lossless=True
)


def header(**changes) -> Header:
    values: dict = dict(  # noqa: C408
        software="filmrestore 0",
        method="frdm",
        weights="0123456789ab",
        settings={"strength": 1.0, "seed": 0},
        settings_digest="feedfacefeedface",
        colour={"colourspace": "raw"},
        scan=scan_facts(FORMAT),
        network_class={"device": "cpu"},
        span="1-9",
    )
    return Header(**{**values, **changes})


def fixes_of(frame: int, count: int = 3, seed: int = 0):
    rng = np.random.default_rng((seed, abs(frame), frame < 0))
    scan = rng.integers(0, 1024, (HEIGHT, WIDTH, 3), dtype=np.uint16)
    new = scan.copy()
    for index in range(count):
        y, x = 3 + 6 * (index // 8), 2 + 7 * (index % 8)
        new[y : y + 2, x : x + 3] ^= 5
    ones = np.ones((HEIGHT, WIDTH), np.float32)
    return find_fixes(
        scan,
        new,
        ones,
        np.ones((HEIGHT, WIDTH), np.uint8),
        ones,
        frame=frame,
        model="frdm@0",
        settings="0",
        format=FORMAT,
    )


def record(frame: int) -> FrameRecord:
    return FrameRecord(
        frame=frame,
        run="",
        source=f"scan.{frame:04d}.dpx",
        result=f"out.{frame:04d}.dpx",
        scan_codes="a",
        result_codes="b",
    )


def write(path: Path, frames, count: int = 3, **changes) -> None:
    writer = LedgerWriter(path, header(**changes))
    for frame in frames:
        writer.write(record(frame), fixes_of(frame, count))


def assert_holds(path: Path, frames, count: int = 3) -> None:
    ledger = Ledger.open(path)
    assert ledger.frames == tuple(sorted(frames))
    for frame in frames:
        expected = fixes_of(frame, count)
        assert ledger.fixes(frame) == tuple(fix for fix, _ in expected)
        for (fix, pixels), (_, original) in zip(ledger.recorded(frame), expected, strict=True):
            for name in ("mask", "before", "after", "matte", "origin"):
                left, right = getattr(pixels, name), getattr(original, name)
                assert left.dtype == right.dtype and np.array_equal(left, right), (fix.id, name)


def snapshot(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_parts_and_merged_files_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "shot.ledger"
    write(path, [1, 3, 2, -4, 1001])
    assert_holds(path, [-4, 1, 2, 3, 1001])
    merge(path)
    assert not list(path.rglob("parts/*/*"))
    assert_holds(path, [-4, 1, 2, 3, 1001])


def test_a_frame_without_fixes_has_its_record(tmp_path: Path) -> None:
    write(tmp_path / "l", [7], count=0)
    for _ in range(2):
        ledger = Ledger.open(tmp_path / "l")
        part = ledger.read(7)
        assert part is not None and part.record.fixes == 0 and part.fixes == ()
        assert ledger.read(8) is None
        merge(tmp_path / "l")


def test_a_part_written_after_a_merge_wins_until_the_next_merge_takes_it_in(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, [1, 2, 3])
    merge(path)
    LedgerWriter(path, header()).write(record(2), fixes_of(2, 5, seed=9))
    again = tuple(fix for fix, _ in fixes_of(2, 5, seed=9))
    for _ in range(2):
        ledger = Ledger.open(path)
        assert ledger.fixes(2) == again
        assert len(list(ledger.recorded(2))) == 5
        assert len(ledger.fixes(3)) == 3
        merge(path)


def test_writing_a_part_again_leaves_one_part_and_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "l", [5])
    before = snapshot(tmp_path / "l")
    LedgerWriter(tmp_path / "l", header()).write(record(5), fixes_of(5, 2, seed=3))
    assert len(list((tmp_path / "l").rglob("*.px"))) == 1
    write(tmp_path / "l", [5])
    assert snapshot(tmp_path / "l") == before


@pytest.mark.parametrize("merged", [False, True])
def test_a_deleted_line_and_a_changed_state_are_honoured(tmp_path: Path, merged: bool) -> None:
    path = tmp_path / "l"
    write(path, [1, 2, 3])
    if merged:
        merge(path)
    file = path / LINES if merged else next(path.rglob("0000002.jsonl"))
    lines = file.read_text().splitlines(keepends=True)
    mine = [number for number, line in enumerate(lines) if json.loads(line)["frame"] == 2]
    entry = json.loads(lines[mine[2]])
    entry["state"] = "rejected"
    lines[mine[2]] = json.dumps(entry) + "\n"  # an editor's spacing, not ours
    del lines[mine[1]]
    file.write_text("".join(lines))
    ledger = Ledger.open(path)
    part = ledger.read(2)
    assert part is not None and part.record.fixes == 3
    assert [fix.state for fix in part.fixes] == ["rejected", "applied"]
    assert len(list(ledger.recorded(3))) == 3
    assert {fix.id for fix in part.fixes} < {fix.id for fix, _ in fixes_of(2)}


def test_an_edit_is_seen_though_the_index_is_older(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, [1, 2])
    merge(path)
    text = (path / LINES).read_text()
    stamp = (path / LINES).stat()
    (path / LINES).write_text(text.replace('"applied"', '"rejected"', 1))
    ledger = Ledger.open(path)
    assert [fix.state for fix in ledger.fixes(1)].count("rejected") == 1
    assert [fix.state for fix in ledger.fixes(2)].count("rejected") == 0
    assert stamp.st_mtime_ns != (path / LINES).stat().st_mtime_ns


def test_merging_keeps_edits(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, [1, 2])
    part = next(path.rglob("0000001.jsonl"))
    part.write_text("".join(part.read_text().splitlines(keepends=True)[:-1]).rstrip("\n"))
    merge(path)
    merge(path)
    ledger = Ledger.open(path)
    assert len(ledger.fixes(1)) == 2 and len(ledger.fixes(2)) == 3


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"run": 3}', b"\x80\x04K\x01."])
def test_a_lost_or_broken_index_is_made_anew(tmp_path: Path, content: bytes | None) -> None:
    write(tmp_path / "l", [1, 2])
    merge(tmp_path / "l")
    index = tmp_path / "l" / INDEX
    good = index.read_bytes()
    index.unlink() if content is None else index.write_bytes(content)
    assert_holds(tmp_path / "l", [1, 2])
    assert msgspec.json.decode(index.read_bytes()) == msgspec.json.decode(good)


def test_a_merge_that_dies_at_any_write_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "l"
    write(path, [1, 2])
    merge(path)
    writer = LedgerWriter(path, header())
    for frame in (2, 3):
        writer.write(record(frame), fixes_of(frame, 4, seed=1))
    real_replace, real_unlink = os.replace, Path.unlink
    for fatal in range(8):
        copy = tmp_path / f"copy{fatal}"
        shutil.copytree(path, copy)
        calls = iter(range(100))

        def dies(act, calls=calls, fatal=fatal):
            def step(first, *rest, **more):
                is_cleaning = str(first).endswith((".lock", ".tmp")) and not rest
                if not is_cleaning and next(calls) == fatal:
                    raise KeyboardInterrupt
                return act(first, *rest, **more)

            return step

        monkeypatch.setattr(os, "replace", dies(real_replace))
        monkeypatch.setattr(Path, "unlink", dies(real_unlink))
        try:
            merge(copy)
        except KeyboardInterrupt:
            pass
        else:
            assert fatal >= 5, "three files and two parts were to be written and removed"
        monkeypatch.undo()
        ledger = Ledger.open(copy)
        assert ledger.fixes(1) == tuple(fix for fix, _ in fixes_of(1))
        for frame in (2, 3):
            assert ledger.fixes(frame) == tuple(fix for fix, _ in fixes_of(frame, 4, seed=1))
        assert sum(1 for frame in ledger.frames for _ in ledger.recorded(frame)) == 11


def test_a_ledger_and_a_writer_that_are_open_while_another_process_merges_go_on(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, [1, 2])
    writer, never_merged = LedgerWriter(path, header()), Ledger.open(path)
    merge(path)
    assert writer.record(2) == never_merged.record(2) is not None
    merged_once = Ledger.open(path)
    assert len(list(merged_once.recorded(2))) == 3
    writer.write(record(-1), fixes_of(-1, 7))
    writer.write(record(1), fixes_of(1, 5, seed=2))
    merge(path)
    for ledger in (never_merged, merged_once):
        assert len(list(ledger.recorded(1))) == 5
        assert len(list(ledger.recorded(2))) == 3
    assert writer.record(2) == Ledger.open(path).record(2)
    assert writer.record(3) is None


def test_pixels_that_are_gone_are_told(tmp_path: Path) -> None:
    write(tmp_path / "l", [1])
    next((tmp_path / "l").rglob("*.px")).unlink()
    with pytest.raises(LedgerError, match="the pixels of frame 1 are not beside it"):
        list(Ledger.open(tmp_path / "l").recorded(1))


def test_other_settings_or_weights_are_refused_and_the_message_names_them(tmp_path: Path) -> None:
    write(tmp_path / "l", [1])
    with pytest.raises(LedgerError, match=r"settings strength 1\.0, this run has 0\.5.*--overwrite"):
        LedgerWriter(tmp_path / "l", header(settings={"strength": 0.5, "seed": 0}))
    with pytest.raises(LedgerError, match="weights '0123456789ab', this run has 'ffff'"):
        LedgerWriter(tmp_path / "l", header(weights="ffff"))
    assert_holds(tmp_path / "l", [1])


def test_another_span_or_device_may_write_into_the_same_ledger(tmp_path: Path) -> None:
    write(tmp_path / "l", [1])
    write(tmp_path / "l", [2], span="2-5", network_class={"device": "cuda"})
    assert_holds(tmp_path / "l", [1, 2])


@pytest.mark.parametrize("merged", [False, True])
def test_a_replaced_run_leaves_no_stale_frame(tmp_path: Path, merged: bool) -> None:
    path = tmp_path / "l"
    write(path, [1, 2])
    if merged:
        merge(path)
    writer = LedgerWriter(path, header(weights="ffff"), replace=True)
    writer.write(record(2), fixes_of(2, 1))
    assert_holds(path, [2], count=1)
    merge(path)
    assert_holds(path, [2], count=1)
    assert len(list((path / "parts").iterdir())) == 1


@pytest.mark.parametrize("merged", [False, True])
def test_a_frame_whose_pixels_are_lost_counts_as_not_recorded(tmp_path: Path, merged: bool) -> None:
    path = tmp_path / "l"
    write(path, [1])
    write(path, [2], count=0)
    if merged:
        merge(path)
    (path / PIXELS if merged else next(path.rglob("*.px"))).unlink()
    writer = LedgerWriter(path, header())
    assert writer.record(1) is None and writer.record(2) is not None
    writer.write(record(1), fixes_of(1))
    assert writer.record(1) is not None
    assert Ledger.open(path).pixels(fixes_of(1)[0][0]).mask.any()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"software": "filmr'])
def test_a_broken_header_is_told_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "l", [1])
    (tmp_path / "l" / "header.json").write_bytes(content)
    with pytest.raises(LedgerError, match=r"header\.json cannot be read.*delete .* and restore the scan again"):
        LedgerWriter(tmp_path / "l", header(), replace=True)


@pytest.mark.parametrize("merged", [False, True])
def test_who_goes_back_to_earlier_settings_finds_no_record_of_frames_that_were_made_otherwise(
    tmp_path: Path, merged: bool
) -> None:
    path = tmp_path / "l"
    write(path, [1, 2])
    if merged:
        merge(path)
    LedgerWriter(path, header(weights="ffff"), replace=True).write(record(2), fixes_of(2, 1))
    back = LedgerWriter(path, header(), replace=True)
    assert back.record(1) is not None
    assert back.record(2) is None
    back.write(record(2), fixes_of(2))
    assert back.record(2) is not None
    assert_holds(path, [1, 2])
    assert not list((path / "parts").glob(f"{header(weights='ffff').identity()}/*"))


@pytest.mark.parametrize("merged", [False, True])
def test_a_flipped_bit_in_the_pixels_is_found_wherever_it_lies(tmp_path: Path, merged: bool) -> None:
    path = tmp_path / "l"
    write(path, [1], count=1)
    if merged:
        merge(path)
    file = path / PIXELS if merged else next(path.rglob("*.px"))
    good = file.read_bytes()
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 0x10
        file.write_bytes(bad)
        with pytest.raises(LedgerError):
            list(Ledger.open(path).recorded(1))


def test_a_truncated_sidecar_is_refused_at_every_length(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, [1], count=2)
    file = next(path.rglob("*.px"))
    good = file.read_bytes()
    for size in range(len(good)):
        file.write_bytes(good[:size])
        with pytest.raises(LedgerError):
            list(Ledger.open(path).recorded(1))


def test_a_hostile_box_or_area_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, [1], count=1)
    part = next(path.rglob("*.jsonl"))
    good = part.read_text()
    for box, area in [
        ([0, 0, 2**40, 2**40], 6),
        ([-3, 3, 5, 5], 6),
        ([2, 3, 5, 5], 2**50),
        ([2, 3, 5, 5], 5),
        ([2, 3, 2, 5], 0),
        ([2, 3, 6, 5], 6),
        ([3, 3, 6, 5], 6),
    ]:
        text = re.sub(r'"box":\[[^]]*\],"area":\d+', f'"box":{json.dumps(box)},"area":{area}', good)
        assert text != good
        part.write_text(text)
        with pytest.raises(LedgerError, match=r"1-[0-9a-f]{10}"):
            list(Ledger.open(path).recorded(1))


def test_a_chunk_that_unpacks_to_more_than_it_says_is_refused() -> None:
    import xxhash

    from filmrestore.fixes import pixel_store

    (recorded,) = fixes_of(1, 1)
    chunk = bytearray(pack_chunk(1, [recorded], "uint16", 3))
    bomb = pixel_store.zlib.compress(bytes(50_000_000))
    rows = np.frombuffer(bytes(chunk[40:80]), pixel_store._ROW).copy()
    rows["packed"], rows["checksum"] = len(bomb), xxhash.xxh3_64_intdigest(bomb)
    head = pixel_store._HEAD.pack(b"FRPX", 1, 1, 3, 1, 80 + len(bomb), 1)
    checksum = pixel_store._CHECKSUM.pack(xxhash.xxh3_64_intdigest(head + rows.tobytes()))
    reader = ChunkReader(head + checksum + rows.tobytes() + bomb, Path("x.px"))
    with pytest.raises(LedgerError, match="changed"):
        reader.read(recorded.fix)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "truncated"),
        ('{"kind":"fix","frame":1}', "missing required field"),
        ('{"kind":"pickle","frame":1}', "Invalid value"),
        ("\x00\x01", "invalid"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_file(tmp_path: Path, line: str, words: str) -> None:
    write(tmp_path / "l", [1])
    part = next((tmp_path / "l").rglob("*.jsonl"))
    part.write_text(part.read_text() + line + "\n")
    with pytest.raises(LedgerError, match=rf"0000001\.jsonl.*{words}"):
        Ledger.open(tmp_path / "l").fixes(1)


def test_a_folder_that_is_no_ledger_is_named() -> None:
    with pytest.raises(LedgerError, match="no ledger at nowhere"):
        Ledger.open("nowhere")


def test_a_ledger_of_ten_thousand_frames_opens_by_its_index_and_finds_its_last_frame(tmp_path: Path) -> None:
    path = tmp_path / "l"
    LedgerWriter(path, header()).write(record(0), fixes_of(0, 1))
    merge(path)
    chunk, lines = (path / PIXELS).read_bytes(), (path / LINES).read_text()
    run = header().identity()
    with (path / LINES).open("a") as out:
        for frame in range(1, 10_000):
            out.write(msgspec.json.encode(msgspec.structs.replace(record(frame), run=run)).decode() + "\n")
    for _ in range(2):
        ledger = Ledger.open(path)
        assert len(ledger.frames) == 10_000
        assert ledger.record(9_999) == msgspec.structs.replace(record(9_999), run=run)
        assert len(list(ledger.recorded(0))) == 1
    assert lines and chunk


def test_the_example_in_the_docs_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "shot.ledger", [1001])
    for part in tmp_path.rglob("*.jsonl"):
        part.write_text(
            part.read_text().replace('"recovered"', '"generated"').replace('"confidence":1.0', '"confidence":0.25')
        )
    page = Path(__file__).parents[2] / "docs" / "ledger.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(page), "exec"), {})
    assert capsys.readouterr().out.count("1001-") == 3
