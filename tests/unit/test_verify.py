"""Verify: passes an honest result, and fails for one changed code of one pixel, wherever it is."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from fixes_shots import HEIGHT, WIDTH, Restored, restore, write_dpx_scan

from filmrestore.errors import LedgerError, UsageError
from filmrestore.fixes import Ledger, merge
from filmrestore.fixes.replay import ApplyJob, apply
from filmrestore.fixes.verify import VerifyJob, VerifyReport, verify
from filmrestore.media import open_shot, open_writer

FRAMES = (7, 8, 9)


@pytest.fixture
def dpx(tmp_path: Path) -> Restored:
    return restore(write_dpx_scan(tmp_path / "scan", FRAMES), tmp_path / "out", ".dpx")


def write_exr(path: Path, codes: np.ndarray, corner: tuple[int, int]) -> None:
    """Half float RGBA whose data window begins at `corner`."""
    spec = oiio.ImageSpec(WIDTH, HEIGHT, 4, "half")
    spec.x, spec.y = corner
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = 0, 0, WIDTH, HEIGHT
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec) and out.write_image(codes) and out.close()


@pytest.fixture
def exr(tmp_path: Path) -> Restored:
    """Half float EXR with alpha, an infinity, a NaN and a data window that is not the display window."""
    folder = tmp_path / "scan"
    folder.mkdir()
    for number in FRAMES:
        codes = np.random.default_rng(number).random((HEIGHT, WIDTH, 4)).astype(np.float16)
        codes[3, 3, 0], codes[4, 4, 1], codes[5, 5, 2] = np.nan, np.inf, -0.0
        write_exr(folder / f"scan.{number:04d}.exr", codes, (-4, 2))
    return restore(str(folder / "scan.####.exr"), tmp_path / "out", ".exr")


def check(shot: Restored, **more) -> VerifyReport:
    return verify(VerifyJob(source=shot.scan, result=shot.result, ledger=shot.ledger, **more))


def change(shot: Restored, number: int, y: int, x: int, channel: int, *, scan: bool = False) -> None:
    """Flips the lowest bit of one code of one pixel of the result (or of the scan)."""
    pattern = shot.scan if scan else shot.result
    with open_shot(pattern) as there:
        frame = there.read(number)
    codes = frame.codes.copy()
    codes.view(np.uint16)[y, x, channel] ^= 1
    with open_shot(shot.result if scan else shot.scan) as like, open_writer(pattern, like=like, overwrite=True) as out:
        out.write(frame.replaced(codes))


def edit(shot: Restored, number: int, pattern: str, replacement: str) -> None:
    file = next(shot.ledger.rglob(f"{number:07d}.jsonl"))
    text = file.read_text()
    new = re.sub(pattern, replacement, text, count=1, flags=re.MULTILINE)
    assert new != text
    file.write_text(new)


@pytest.mark.parametrize("merged", [False, True])
def test_an_honest_result_is_verified(dpx: Restored, merged: bool) -> None:
    if merged:
        merge(dpx.ledger)
    report = check(dpx)
    assert report.failures == [] and report.notes == []
    assert report.ok and report.provable
    assert (report.frames, report.pixels) == (3, 3 * HEIGHT * WIDTH)
    assert (report.fixes, report.applied, report.left_out) == (12, 12, 0)
    assert report.changed == 3 * (4 + 20 + 44 + 120)


def test_an_exr_with_nan_infinity_alpha_and_overscan_is_verified(exr: Restored) -> None:
    report = check(exr)
    assert report.failures == [] and report.ok


@pytest.mark.parametrize(
    ("y", "x", "channel"), [(0, 0, 0), (0, WIDTH - 1, 2), (HEIGHT - 1, 0, 1), (HEIGHT - 1, WIDTH - 1, 0), (19, 10, 1)]
)
def test_one_code_of_one_pixel_outside_the_fixes_fails_and_is_located(
    dpx: Restored, y: int, x: int, channel: int
) -> None:
    scan = int(open_shot(dpx.scan).read(8).codes[y, x, channel])
    change(dpx, 8, y, x, channel)
    report = check(dpx)
    assert not report.ok and report.provable and report.wrong == 1
    pixel = report.failures[0]
    assert (pixel.frame, pixel.kind, pixel.x, pixel.y, pixel.channel) == (8, "outside", x, y, "RGB"[channel])
    assert (pixel.scan, pixel.expected, pixel.result) == (scan, scan, scan ^ 1)
    assert f"frame 8, x {x}, y {y}" in report.text()
    assert json.loads(report.to_json())["failures"][0]["y"] == y


def test_one_code_inside_a_fix_fails_and_names_the_fix(dpx: Restored) -> None:
    hair = Ledger.open(dpx.ledger).fixes(9)[2]
    change(dpx, 9, 20, 13, 0)
    report = check(dpx)
    assert not report.ok
    assert (report.failures[0].kind, report.failures[0].fix) == ("inside", hair.id)


@pytest.mark.parametrize(
    ("y", "x", "channel", "kind"), [(3, 3, 0, "outside"), (5, 5, 2, "outside"), (9, 9, 3, "channel")]
)
def test_a_bit_of_nan_a_sign_of_zero_and_alpha_count(exr: Restored, y: int, x: int, channel: int, kind: str) -> None:
    change(exr, 8, y, x, channel)
    report = check(exr)
    assert not report.ok
    assert (report.failures[0].kind, report.failures[0].y, report.failures[0].x) == (kind, y, x)


def test_a_fix_deleted_from_the_ledger_is_missed(dpx: Restored) -> None:
    edit(dpx, 8, r'^\{"kind":"fix".*\n', "")
    report = check(dpx)
    assert not report.ok and report.wrong > 0
    assert {failure.kind for failure in report.failures} == {"outside"}


def test_a_fix_marked_rejected_must_not_be_in_the_result(dpx: Restored) -> None:
    fix = Ledger.open(dpx.ledger).fixes(8)[0]
    file = next(dpx.ledger.rglob("0000008.jsonl"))
    lines = file.read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    for entry in entries:
        if entry.get("id") == fix.id:
            entry["state"] = "rejected"
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert not check(dpx).ok
    apply(ApplyJob(source=dpx.scan, ledger=dpx.ledger, output=dpx.result))
    report = check(dpx)
    assert report.ok and report.left_out == 1


def test_a_result_applied_without_some_fixes_verifies_with_the_same_words_only(dpx: Restored) -> None:
    apply(ApplyJob(source=dpx.scan, ledger=dpx.ledger, output=dpx.result, without=("origin:generated",)))
    assert not check(dpx).ok
    report = check(dpx, without=("origin:generated",))
    assert report.ok and (report.applied, report.left_out) == (6, 6)


@pytest.mark.parametrize("merged", [False, True])
def test_an_edited_ledger_pixel_is_found(dpx: Restored, merged: bool) -> None:
    if merged:
        merge(dpx.ledger)
    file = next(dpx.ledger.rglob("*.px"))
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    file.write_bytes(data)
    report = check(dpx)
    assert not report.ok
    assert any(failure.kind == "ledger" and "damaged" in failure.text for failure in report.failures)


def test_ledger_pixels_forged_with_good_checksums_are_found(dpx: Restored, tmp_path: Path) -> None:
    """Both sidecar and result are changed to agree: the fix's id, a hash of its pixels, tells."""
    from filmrestore.fixes.pixel_store import pack_chunk

    ledger = Ledger.open(dpx.ledger)
    recorded = list(ledger.recorded(8))
    recorded[0].pixels.after[0, 0] += 1
    file = next(dpx.ledger.rglob("0000008-*.px"))
    file.write_bytes(pack_chunk(8, recorded, "uint16", 3))
    report = check(dpx)
    assert not report.ok
    assert any("not those that its id names" in failure.text for failure in report.failures)


def test_a_scan_that_changed_since_is_found_outside_and_inside_the_fixes(dpx: Restored) -> None:
    change(dpx, 7, 0, 0, 0, scan=True)
    change(dpx, 9, 20, 13, 0, scan=True)
    kinds = {(failure.frame, failure.kind) for failure in check(dpx).failures}
    assert {(7, "checksum"), (7, "outside"), (9, "checksum"), (9, "ledger")} <= kinds


def test_missing_frames_are_named_with_the_place_that_lacks_them(dpx: Restored) -> None:
    dpx.result_path(8).unlink()
    dpx.scan_path(9).unlink()
    texts = [failure.text for failure in check(dpx).failures]
    assert texts == ["frame 8: not in the result", "frame 9: not in the scan"]


def test_a_result_frame_without_a_record_fails(dpx: Restored) -> None:
    for file in dpx.ledger.rglob("0000008*"):
        file.unlink()
    report = check(dpx)
    assert [failure.text for failure in report.failures] == ["frame 8: not in the ledger"]
    assert check(dpx, span="7,9").ok


@pytest.mark.parametrize("at", [8, 20, 200, 664, 700, 1500, 2047])
def test_a_changed_byte_of_the_dpx_header_fails(dpx: Restored, at: int) -> None:
    path = dpx.result_path(8)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    report = check(dpx)
    assert not report.ok
    assert report.failures[0].frame == 8
    if report.failures[0].kind == "header":
        assert f"byte {at}" in report.failures[0].text


def test_the_file_name_and_time_in_a_dpx_header_are_free(dpx: Restored) -> None:
    path = dpx.result_path(8)
    data = bytearray(path.read_bytes())
    data[36:160] = b"x" * 124
    path.write_bytes(data)
    assert check(dpx).ok


def test_a_moved_data_window_fails(exr: Restored) -> None:
    with open_shot(exr.result) as shot:
        codes = shot.read(8).codes
    write_exr(exr.result_path(8), codes, (-3, 2))
    failures = check(exr).failures
    assert [failure.kind for failure in failures] == ["window"]
    assert "data window" in failures[0].text


def test_a_lossy_result_is_not_provable(tmp_path: Path) -> None:
    scan = write_dpx_scan(tmp_path / "scan", FRAMES)
    eight_bit = tmp_path / "png"
    with open_shot(scan) as shot, open_writer(eight_bit / "s.####.jpg", like=shot, lossy=True) as writer:
        for number in FRAMES:
            writer.write(shot.read(number))
    lossy = restore(str(eight_bit / "s.####.jpg"), tmp_path / "out", ".jpg")
    report = check(lossy)
    assert not report.ok and not report.provable and report.failures == []
    assert "not provable" in report.text() and "jpeg" in report.notes[0]


def test_a_lossy_result_of_another_depth_is_not_provable_either(dpx: Restored, tmp_path: Path) -> None:
    with open_shot(dpx.result) as shot, open_writer(tmp_path / "t.####.jpg", like=shot, lossy=True) as writer:
        for number in FRAMES:
            writer.write(shot.read(number))
    report = verify(VerifyJob(source=dpx.scan, result=tmp_path / "t.####.jpg", ledger=dpx.ledger))
    assert not report.ok and not report.provable and report.failures == []


def movie_of(shot: Restored, path: Path, numbers: tuple[int, ...], wrong: int | None = None) -> Path:
    """The result as FFV1, which counts its frames from 1; `wrong` has one code of one pixel changed."""
    with open_shot(shot.result, ",".join(map(str, numbers))) as frames, open_writer(path, like=frames) as writer:
        for number in numbers:
            frame = frames.read(number)
            codes = frame.codes.copy()
            codes[0, 0, 0] ^= number == wrong
            writer.write(frame.replaced(codes))
    return path


def test_a_movie_is_checked_by_the_numbers_of_the_frames_that_it_was_made_from(dpx: Restored, tmp_path: Path) -> None:
    whole = movie_of(dpx, tmp_path / "whole.mkv", FRAMES)
    report = verify(VerifyJob(source=dpx.scan, result=whole, ledger=dpx.ledger))
    assert report.ok and report.frames == len(FRAMES)
    report = verify(VerifyJob(source=dpx.scan, result=whole, ledger=dpx.ledger, span=str(FRAMES[1])))
    assert report.ok and report.frames == 1
    spoilt = movie_of(dpx, tmp_path / "spoilt.mkv", FRAMES, wrong=FRAMES[1])
    report = verify(VerifyJob(source=dpx.scan, result=spoilt, ledger=dpx.ledger))
    assert {failure.frame for failure in report.failures} == {FRAMES[1]} and report.wrong == 1


def test_a_movie_of_a_part_is_checked_with_its_span_and_refused_without(dpx: Restored, tmp_path: Path) -> None:
    part = movie_of(dpx, tmp_path / "part.mkv", FRAMES[1:])
    job = VerifyJob(source=dpx.scan, result=part, ledger=dpx.ledger)
    with pytest.raises(LedgerError, match=r"part\.mkv has \d frames, the ledger \d"):
        verify(job)
    assert verify(replace(job, span=f"{FRAMES[1]}-{FRAMES[-1]}")).ok


def test_a_result_of_another_depth_fails_at_once(dpx: Restored, tmp_path: Path) -> None:
    with open_shot(dpx.result) as shot, open_writer(tmp_path / "t.####.png", like=shot, lossy=True) as writer:
        for number in FRAMES:
            writer.write(shot.read(number))
    report = verify(VerifyJob(source=dpx.scan, result=tmp_path / "t.####.png", ledger=dpx.ledger))
    assert [failure.kind for failure in report.failures] == ["format"]


def test_a_thousand_wrong_pixels_are_counted_and_few_are_listed(dpx: Restored) -> None:
    with open_shot(dpx.scan) as shot, open_writer(dpx.result, like=shot, overwrite=True) as writer:
        frame = shot.read(8)
        writer.write(frame.replaced(frame.codes ^ 1))
    report = check(dpx)
    assert report.wrong == HEIGHT * WIDTH
    assert sum(failure.frame == 8 for failure in report.failures) == 10


def test_a_run_that_wrote_mattes_is_refused(tmp_path: Path) -> None:
    shot = restore(write_dpx_scan(tmp_path / "scan", FRAMES), tmp_path / "out", ".dpx", {"output": "matte"})
    with pytest.raises(UsageError, match="wrote the matte"):
        check(shot)


def test_no_ledger_is_an_error_not_a_failure(dpx: Restored) -> None:
    with pytest.raises(LedgerError, match="no ledger at"):
        verify(VerifyJob(source=dpx.scan, result=dpx.result, ledger="nowhere"))


def test_verify_shares_no_code_with_what_it_checks() -> None:
    from filmrestore.fixes import verify as module

    text = Path(module.__file__).read_text()
    assert not re.search(
        r"from \.(replay|find|classify|guard)|from \.model import .*(bit_pattern|codes_checksum)", text
    )
