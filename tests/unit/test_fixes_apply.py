"""Applying a ledger: the recorded pixels and no others, and whatever a person leaves out stays the scan's."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from fixes_shots import HEIGHT, WIDTH, Restored, restore, write_dpx_scan

from filmrestore.errors import InputError, LedgerError, UsageError
from filmrestore.fixes import Ledger, merge
from filmrestore.fixes.replay import ApplyJob, apply, apply_fixes
from filmrestore.fixes.selection import Selection
from filmrestore.frame import Format, Frame
from filmrestore.media import open_shot, open_writer, write_plane

FRAMES = (1001, 1002, 1003)


@pytest.fixture(scope="module")
def dpx(tmp_path_factory: pytest.TempPathFactory) -> Restored:
    folder = tmp_path_factory.mktemp("apply")
    return restore(write_dpx_scan(folder / "scan", FRAMES), folder / "out", ".dpx")


def run(shot: Restored, folder: Path, **more):
    job = ApplyJob(source=shot.scan, ledger=shot.ledger, output=str(folder / "again.####.dpx"), **more)
    return apply(job)


def codes(pattern: str, number: int) -> np.ndarray:
    with open_shot(pattern) as shot:
        return shot.read(number).codes


def test_scan_and_ledger_give_the_result_byte_for_byte(dpx: Restored, tmp_path: Path) -> None:
    report = run(dpx, tmp_path)
    assert (report.frames, report.written, report.applied, report.left_out) == (3, 3, 12, 0)
    assert report.other_scans == [] and report.failed == {}
    for frame in FRAMES:
        assert (tmp_path / f"again.{frame}.dpx").read_bytes() == dpx.result_path(frame).read_bytes()


def test_without_every_fix_the_scan_comes_back_byte_for_byte(dpx: Restored, tmp_path: Path) -> None:
    report = run(dpx, tmp_path, without=("frame:1001-1003",))
    assert (report.applied, report.left_out) == (0, 12)
    for frame in FRAMES:
        assert (tmp_path / f"again.{frame}.dpx").read_bytes() == dpx.scan_path(frame).read_bytes()


def test_a_fix_left_out_has_the_scans_pixels_and_the_others_stay(dpx: Restored, tmp_path: Path) -> None:
    fix = Ledger.open(dpx.ledger).fixes(1002)[1]
    listed = tmp_path / "rejected.txt"
    listed.write_text(f"# looked at on Monday\n\n{fix.id}  # the kite\n")
    report = run(dpx, tmp_path, without=(f"@{listed}",))
    assert (report.applied, report.left_out) == (11, 1)
    expected = codes(dpx.result, 1002)
    expected[fix.where.slices] = codes(dpx.scan, 1002)[fix.where.slices]
    assert np.array_equal(codes(str(tmp_path / "again.####.dpx"), 1002), expected)


@pytest.mark.parametrize("merged", [False, True])
def test_an_edit_of_the_ledger_is_honoured(tmp_path: Path, merged: bool) -> None:
    shot = restore(write_dpx_scan(tmp_path / "scan", FRAMES), tmp_path / "out", ".dpx")
    deleted, rejected = Ledger.open(shot.ledger).fixes(1001)[0], Ledger.open(shot.ledger).fixes(1003)[2]
    if merged:
        merge(shot.ledger)
    for file in shot.ledger.rglob("*.jsonl"):
        kept = [entry for line in file.read_text().splitlines() if (entry := json.loads(line)).get("id") != deleted.id]
        for entry in kept:
            if entry.get("id") == rejected.id:
                entry["state"] = "rejected"
        file.write_text("".join(json.dumps(entry) + "\n" for entry in kept))
    report = run(shot, tmp_path)
    assert (report.applied, report.left_out) == (10, 2)
    again = str(tmp_path / "again.####.dpx")
    for fix in (deleted, rejected):
        where = fix.where.slices
        assert np.array_equal(codes(again, fix.frame)[where], codes(shot.scan, fix.frame)[where])


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("cause:scratch", 1),
        ("cause:hair", 1),
        ("origin:generated", 2),
        ("origin:recovered", 1),
        ("confidence<0.5", 1),
        ("confidence<=0.55", 2),
        ("area<=4", 1),
        ("box:0,0,12,10", 1),
        ("box:50,46,51,48", 0),
        ("frame:1002", 4),
        ("origin:generated confidence>0.5", 1),
        ("frame:1001 cause:scratch", 0),
        ("polarity:dark", 4),
    ],
)
def test_a_selector_chooses_what_it_says(dpx: Restored, selector: str, chosen: int) -> None:
    selection = Selection([selector])
    assert sum(fix in selection for fix in Ledger.open(dpx.ledger).fixes(1002)) == chosen


def test_the_beginning_of_an_id_is_enough(dpx: Restored) -> None:
    ledger = Ledger.open(dpx.ledger)
    fix = ledger.fixes(1001)[2]
    selection = Selection([fix.id[:-4]])
    selection.check(ledger)
    assert [other for other in ledger.all_fixes() if other in selection] == [fix]


def test_an_id_that_names_no_fix_is_refused(dpx: Restored, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"1001-0000000000 names no fix.*frame 1001 has 4 fixes"):
        run(dpx, tmp_path, without=("1001-0000000000",))
    assert not list(tmp_path.glob("*.dpx"))


@pytest.mark.parametrize(
    "selector", ["dust", "cause:dusty", "confidence<many", "box:1,2,3", "1001-3f", "frame:x", "@@"]
)
def test_a_selector_that_means_nothing_is_refused_with_the_forms_there_are(selector: str) -> None:
    with pytest.raises((UsageError, InputError), match=re.escape(selector.removeprefix("@").split("<")[0])):
        Selection([selector])


def test_a_painted_mask_leaves_out_the_fixes_that_it_touches(dpx: Restored, tmp_path: Path) -> None:
    painted = np.zeros((HEIGHT, WIDTH), np.float32)
    painted[20, 29] = 1  # the end of the hair
    write_plane(tmp_path / "mask.1002.png", painted)
    report = run(dpx, tmp_path, without_mask=str(tmp_path / "mask.####.png"))
    assert (report.applied, report.left_out) == (11, 1)
    hair = Ledger.open(dpx.ledger).fixes(1002)[2]
    assert hair.cause == "hair"
    again = codes(str(tmp_path / "again.####.dpx"), 1002)
    assert np.array_equal(again[hair.where.slices], codes(dpx.scan, 1002)[hair.where.slices])
    report = run(dpx, tmp_path, without_mask=str(tmp_path / "mask.1002.png"))
    assert (report.applied, report.left_out) == (9, 3)


def test_another_scan_is_refused_with_the_fix_the_place_and_the_codes(dpx: Restored, tmp_path: Path) -> None:
    other = write_dpx_scan(tmp_path / "scan", FRAMES)
    with open_shot(dpx.scan) as shot, open_writer(other, like=shot, overwrite=True) as writer:
        frame = shot.read(1002)
        changed = frame.codes.copy()
        changed[20, 17, 1] ^= 1
        writer.write(frame.replaced(changed))
    job = ApplyJob(source=other, ledger=dpx.ledger, output=str(tmp_path / "again.####.dpx"))
    with pytest.raises(LedgerError, match=r"frame 1002: .*fix 1002-[0-9a-f]{10} .* at x 17, y 20"):
        apply(job)


def test_a_scan_that_differs_beside_the_fixes_is_told(dpx: Restored, tmp_path: Path) -> None:
    other = write_dpx_scan(tmp_path / "scan", FRAMES)
    with open_shot(dpx.scan) as shot, open_writer(other, like=shot, overwrite=True) as writer:
        frame = shot.read(1002)
        changed = frame.codes.copy()
        changed[0, 0, 0] ^= 1
        writer.write(frame.replaced(changed))
    report = apply(ApplyJob(source=other, ledger=dpx.ledger, output=str(tmp_path / "again.####.dpx")))
    assert report.other_scans == [1002] and report.written == 3


def test_a_ledger_of_another_size_is_refused(dpx: Restored, tmp_path: Path) -> None:
    other = write_dpx_scan(tmp_path / "scan", FRAMES, height=HEIGHT + 1)
    with pytest.raises(LedgerError, match="height 48, this scan has 49"):
        apply(ApplyJob(source=other, ledger=dpx.ledger, output=str(tmp_path / "again.####.dpx")))


def test_a_frame_that_is_not_in_the_ledger_stops_or_is_told(tmp_path: Path) -> None:
    shot = restore(write_dpx_scan(tmp_path / "scan", FRAMES), tmp_path / "out", ".dpx")
    for file in shot.ledger.rglob("0001002*"):
        file.unlink()
    assert run(shot, tmp_path).frames == 2
    with pytest.raises(LedgerError, match=r"frame 1002 is not in .*: restore it, or leave it out of -F"):
        run(shot, tmp_path, span="1001-1003")
    report = run(shot, tmp_path, span="1001-1003", on_error="copy")
    assert list(report.failed) == [1002]
    assert (tmp_path / "again.1002.dpx").read_bytes() == shot.scan_path(1002).read_bytes()


def test_a_ledger_of_every_second_frame_is_applied_whole(tmp_path: Path) -> None:
    frames = tuple(range(1001, 1035, 2))
    shot = restore(write_dpx_scan(tmp_path / "scan", frames), tmp_path / "out", ".dpx")
    assert run(shot, tmp_path).written == len(frames) == 17


def test_a_ledger_without_frames_is_told(tmp_path: Path) -> None:
    shot = restore(write_dpx_scan(tmp_path / "scan", FRAMES), tmp_path / "out", ".dpx")
    for file in shot.ledger.rglob("000100*"):
        file.unlink()
    with pytest.raises(LedgerError, match="holds no frame: restore the scan again"):
        run(shot, tmp_path)


def test_what_is_there_is_kept_redone_or_left_as_overwrite_says(dpx: Restored, tmp_path: Path) -> None:
    run(dpx, tmp_path)
    spoilt = tmp_path / "again.1002.dpx"
    spoilt.write_bytes(dpx.scan_path(1002).read_bytes())
    assert (report := run(dpx, tmp_path, overwrite="never")).skipped == 3 and report.written == 0
    assert (report := run(dpx, tmp_path, overwrite="changed")).skipped == 2 and report.written == 1
    assert spoilt.read_bytes() == dpx.result_path(1002).read_bytes()
    assert run(dpx, tmp_path, overwrite="always").written == 3


def test_float_bits_of_nan_and_minus_zero_come_back(tmp_path: Path) -> None:
    from filmrestore.fixes import find_fixes

    scan = np.zeros((4, 5, 4), np.float16)
    scan[1, 1], scan[2, 2] = np.nan, -0.0
    scan.view(np.uint16)[1, 1, 2] = 0x7E55
    new = scan.copy()
    new[1, 1:3, :3], new[3, 4, 1] = 7.0, -0.0
    form = Format(
        width=5, height=4, channels=("R", "G", "B", "A"), dtype="float16", bits=16, container="exr", lossless=True
    )
    ones = np.ones((4, 5), np.float32)
    fixes = find_fixes(
        np.ascontiguousarray(scan[..., :3]),
        np.ascontiguousarray(new[..., :3]),
        ones,
        np.ones((4, 5), np.uint8),
        ones,
        frame=1,
        model="m@0",
        settings="0",
        format=form,
    )
    frame = Frame(number=1, codes=scan, format=form, data_window=(0, 0, 5, 4), display_window=(0, 0, 5, 4))
    assert apply_fixes(frame, fixes).codes.tobytes() == new.tobytes()
    assert apply_fixes(frame, []).codes.tobytes() == scan.tobytes()
