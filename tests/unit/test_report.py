"""The report: one file, no network, bounded; what a person ticks there is what apply leaves out."""

import html
import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fixes_shots import HEIGHT, WIDTH, Restored, restore, write_dpx_scan

from filmrestore.errors import CorruptFile, LedgerError
from filmrestore.fixes import Ledger, merge
from filmrestore.fixes.replay import ApplyJob, apply
from filmrestore.frame import Box, Format
from filmrestore.media import open_shot, open_writer
from filmrestore.report import Limits, build_report
from filmrestore.report.pictures import Display, crop_around, encode_srgb, paint_matte, roll_off, shrink, shrink_codes
from filmrestore.report.survey import doubt, survey, timeline

FRAMES = tuple(range(101, 109))


@pytest.fixture(scope="module")
def dpx(tmp_path_factory: pytest.TempPathFactory) -> Restored:
    folder = tmp_path_factory.mktemp("report")
    return restore(write_dpx_scan(folder / "scan", FRAMES), folder / "out", ".dpx")


def page(shot: Restored, out: Path, *, result: bool = True, **more) -> str:
    with open_shot(shot.scan) as scan:
        after = open_shot(shot.result) if result else None
        build_report(shot.ledger, scan, after, out, **more)
    return out.read_text(encoding="utf-8")


def facts_of(text: str) -> dict:
    return json.loads(re.search(r'<script id="facts" type="application/json">(.*?)</script>', text, re.S)[1])


def test_the_page_asks_the_network_for_nothing(dpx: Restored, tmp_path: Path) -> None:
    text = page(dpx, tmp_path / "report.html")
    without_pictures = re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(
        r"https?:|//[a-z]|@import|url\(|src=\"(?!\")|<link(?! rel=\"icon\" href=\"data:)", without_pictures
    )
    assert len(list(tmp_path.iterdir())) == 1


def test_figures_shots_and_every_fix_stand_on_the_page(dpx: Restored, tmp_path: Path) -> None:
    text = page(dpx, tmp_path / "report.html", cuts=[105])
    ledger = Ledger.open(dpx.ledger)
    for fix in ledger.all_fixes():
        assert f'data-id="{fix.id}"' in text
    assert "<dd>32</dd><dt>fixes</dt>" in text and "<dd>8</dd><dt>frames</dt>" in text
    share = 100 * sum(fix.area for fix in ledger.all_fixes()) / (8 * HEIGHT * WIDTH)
    assert f"<dd>{share:.3f} %</dd><dt>pixels touched</dt>" in text
    assert text.count('<section class="shot"') == 2
    assert "frames 101 to 104" in html.unescape(text) and "frames 105 to 108" in html.unescape(text)


def test_the_most_doubtful_fix_comes_first(dpx: Restored, tmp_path: Path) -> None:
    text = page(dpx, tmp_path / "report.html")
    shown = re.findall(r'data-id="([^"]+)" data-frame', text)
    by_id = {fix.id: doubt(fix) for fix in Ledger.open(dpx.ledger).all_fixes()}
    doubts = [by_id[name] for name in shown]
    assert len(doubts) == 32 and doubts == sorted(doubts, reverse=True)


def test_limits_bound_the_page_and_it_says_what_is_left_out(dpx: Restored, tmp_path: Path) -> None:
    limits = Limits(fixes=5, frames=2, frames_per_shot=2)
    text = page(dpx, tmp_path / "report.html", limits=limits, cuts=[103, 105, 107])
    assert text.count("<article") == 5
    assert text.count('class="column') == 2
    assert "The 5 most doubtful of 32 fixes are shown" in text
    assert "2 of 4 shots, the least doubtful ones, are listed without pictures" in text


def test_merged_or_not_with_or_without_a_result_the_page_is_the_same(tmp_path: Path) -> None:
    shot = restore(write_dpx_scan(tmp_path / "scan", FRAMES[:2]), tmp_path / "out", ".dpx")
    first = page(shot, tmp_path / "1.html")
    merge(shot.ledger)
    assert page(shot, tmp_path / "2.html", result=False) == first


def test_a_rejected_fix_is_counted_and_not_shown(tmp_path: Path) -> None:
    shot = restore(write_dpx_scan(tmp_path / "scan", FRAMES[:2]), tmp_path / "out", ".dpx")
    part = next(shot.ledger.rglob("0000101.jsonl"))
    lines = [json.loads(line) for line in part.read_text().splitlines()]
    lines[1]["state"] = "rejected"
    part.write_text("\n".join(map(json.dumps, lines[:-1])) + "\n")
    text = page(shot, tmp_path / "1.html")
    assert text.count("<article") == 6 and f'data-id="{lines[1]["id"]}"' not in text
    assert "<dd>2</dd><dt>left out in the ledger</dt>" in text


def test_words_of_the_ledger_cannot_become_markup(tmp_path: Path) -> None:
    settings = {"note": "</script><script>alert(1)</script><b>"}
    shot = restore(write_dpx_scan(tmp_path / "scan", FRAMES[:1]), tmp_path / "out", ".dpx", settings)
    moved = shot.ledger.rename(tmp_path / "a<b>&'c.ledger")
    text = page(Restored(shot.scan, shot.result, moved, shot.frames), tmp_path / "1.html")
    assert "alert(1)</script>" not in text and "a<b>" not in text
    assert facts_of(text)["name"] == "a<b>&'c"


def test_another_scan_is_refused(dpx: Restored, tmp_path: Path) -> None:
    other = write_dpx_scan(tmp_path / "scan", FRAMES, width=WIDTH + 2)
    with pytest.raises(LedgerError, match="width 64, this scan has 66"):
        page(Restored(other, dpx.result, dpx.ledger, FRAMES), tmp_path / "1.html")


def test_a_result_in_other_codes_is_not_shown_as_the_picture(dpx: Restored, tmp_path: Path) -> None:
    with open_shot(dpx.result) as shot, open_writer(tmp_path / "t.####.png", like=shot, lossy=True) as writer:
        for number in FRAMES:
            writer.write(shot.read(number))
    other = Restored(dpx.scan, str(tmp_path / "t.####.png"), dpx.ledger, FRAMES)
    words = "What was written is no picture in the scan&#39;s codes"
    text = page(other, tmp_path / "1.html")
    assert words in text
    assert text.replace(text[text.index('<p class="note">' + words) :].split("</p>")[0] + "</p>\n", "") == page(
        dpx, tmp_path / "2.html"
    )


def test_cuts_come_from_the_analysis_file_beside_the_ledger(tmp_path: Path) -> None:
    shot = restore(write_dpx_scan(tmp_path / "scan", FRAMES[:4]), tmp_path / "out", ".dpx")
    analysis = tmp_path / "out" / "shot.analysis.json"
    analysis.write_text('{"cuts": [103], "grain": {}}')
    assert page(shot, tmp_path / "1.html").count('<section class="shot"') == 2
    analysis.write_text('{"cuts": [10')
    with pytest.raises(CorruptFile, match=r"shot\.analysis\.json.*run probe again"):
        page(shot, tmp_path / "2.html")


def test_a_scan_of_other_frames_is_refused(dpx: Restored, tmp_path: Path) -> None:
    other = write_dpx_scan(tmp_path / "scan", (1, 2))
    with pytest.raises(LedgerError, match="holds no frame of"):
        page(Restored(other, dpx.result, dpx.ledger, FRAMES), tmp_path / "1.html")


def test_progress_ends_at_its_total(dpx: Restored, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    page(dpx, tmp_path / "1.html", progress=lambda *state: told.append(state))
    assert told[-1][1] == told[-1][2]
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_the_timeline_holds_every_fix_in_its_bins() -> None:
    by_frame = [(frame, Counter(dust=frame % 7, hair=1)) for frame in range(1000)]
    bins = timeline(by_frame, 480)
    assert len(bins) == 480 and (bins[0]["first"], bins[-1]["last"]) == (0, 999)
    total = sum(entry["causes"]["dust"] * (entry["last"] - entry["first"] + 1) for entry in bins)
    assert total == pytest.approx(sum(frame % 7 for frame in range(1000)), rel=1e-3)


def test_one_bad_frame_does_not_fill_the_page(dpx: Restored) -> None:
    ledger = Ledger.open(dpx.ledger)
    seen = survey(ledger, ledger.frames, (), 4, lambda done: None)
    assert len(seen.doubtful) == 4 and seen.fixes == 32
    assert len({fix.frame for fix in seen.doubtful}) > 1


def test_light_above_white_is_bent_not_cut() -> None:
    light = np.array([0.0, 0.18, 0.8, 1.0, 2.0, 16.0], np.float32)
    bent = roll_off(light)
    assert np.array_equal(bent[:3], light[:3])
    assert (np.diff(bent) > 0).all() and bent[-1] <= 1


def test_srgb_meets_its_standard_values() -> None:
    values = encode_srgb(np.array([0.0, 0.0031308, 0.18, 0.5, 1.0, 7.0], np.float32))
    assert np.abs(values - [0, 0.040449936, 0.461356, 0.735357, 1, 1]).max() < 2e-6


def test_codes_without_a_known_colour_are_shown_as_they_are() -> None:
    form = Format(width=2, height=1, channels=("Y",), dtype="uint16", bits=10, container="dpx", lossless=True)
    shown = Display(form, None)(np.array([[[0], [1023]]], np.uint16))
    assert shown.tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_a_speck_in_a_matte_survives_shrinking() -> None:
    picture = np.zeros((400, 600, 3), np.uint8)
    picture[203, 301] = 255
    for longest in (60, 77, 299, 599):
        assert shrink(picture, longest, keep_specks=True).max() == 255
    assert shrink(picture, 60).max() < 10
    assert shrink(picture, 60).shape == (40, 60, 3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_codes_of_every_depth_shrink_to_their_mean(dtype: str, channels: int) -> None:
    codes = np.random.default_rng(3).integers(0, 200, (40, 60, channels)).astype(dtype)
    small = shrink_codes(codes, 6)
    assert small.shape == (4, 6, channels)
    means = codes.astype(np.float64).reshape(4, 10, 6, 10, channels).mean(axis=(1, 3))
    assert np.abs(small - means).max() < 0.51
    assert shrink_codes(codes, 60) is codes


def test_a_matte_shows_each_origin_in_its_colour(dpx: Restored) -> None:
    recorded = list(Ledger.open(dpx.ledger).recorded(101))
    picture = paint_matte(recorded, Box(x0=8, y0=0, x1=60, y1=30))
    assert picture[20, 5].tolist() == [226, 178, 74]
    assert picture[10, 42].tolist() == [214, 92, 92]
    assert picture[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (30, 20, 34, 26), (63, 47, 64, 48), (0, 0, 64, 48), (60, 2, 62, 46)])
def test_a_crop_holds_its_fix_and_stays_in_the_frame(box: tuple[int, int, int, int]) -> None:
    fix = Box(x0=box[0], y0=box[1], x1=box[2], y1=box[3])
    crop = crop_around(fix, (HEIGHT, WIDTH), 8, 24)
    assert 0 <= crop.x0 <= fix.x0 < fix.x1 <= crop.x1 <= WIDTH
    assert 0 <= crop.y0 <= fix.y0 < fix.y1 <= crop.y1 <= HEIGHT
    assert crop.width >= 24 and crop.height >= 24


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

DRIVE = """
<script>
const told = {};
const wipe = document.querySelector(".wipe");
wipe.setPointerCapture = () => {};
wipe.hasPointerCapture = () => true;
const place = wipe.getBoundingClientRect();
wipe.dispatchEvent(new PointerEvent("pointerdown", { clientX: place.left + 5 }));
wipe.dispatchEvent(new PointerEvent("pointermove", { clientX: place.left + place.width * 0.25 }));
told.wipe = wipe.style.getPropertyValue("--at");
const columns = document.querySelectorAll(".column");
columns[columns.length - 1].click();
told.chosen = wipe.dataset.frame;
told.source = wipe.querySelector(".before").src === columns[columns.length - 1].querySelector(".before").src;
const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
press("ArrowRight"); press("r"); press("ArrowRight"); press("r");
document.querySelectorAll("article input")[4].click();
document.querySelectorAll("article input")[5].click();
document.querySelectorAll("article input")[5].click();
const box = document.querySelector(".wipe rect");
box.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
told.box = box.dataset.id;
filters.elements.cause.value = "scratch";
filters.dispatchEvent(new Event("input"));
told.shown = visible().map((card) => card.dataset.cause);
told.ticked = [...document.querySelectorAll("article.rejected")].map((card) => card.dataset.id);
told.kept = JSON.parse(localStorage.getItem(facts.key));
told.requests = performance.getEntriesByType("resource").map((entry) => entry.name.slice(0, 5));
URL.createObjectURL = (blob) => { told.blob = blob; return "data:,"; };
HTMLAnchorElement.prototype.click = function () { told.name = this.download; };
byId("save").click();
told.blob.text().then((text) => {
  told.list = text;
  document.body.innerHTML = "<pre id=told></pre>";
  document.getElementById("told").textContent = JSON.stringify(told);
});
</script></body>
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here to open the page with")
def test_in_a_browser_wipe_ticks_keys_and_the_saved_list_work_and_apply_honours_it(
    dpx: Restored, tmp_path: Path
) -> None:
    text = page(dpx, tmp_path / "report.html")
    (tmp_path / "driven.html").write_text(text.replace("</body>", DRIVE), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    flags += ["--virtual-time-budget=4000", "--dump-dom", (tmp_path / "driven.html").as_uri()]
    ran = subprocess.run([str(BROWSER), *flags], capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(html.unescape(re.search(r'<pre id="told">(.*?)</pre>', ran.stdout, re.S)[1]))
    order = re.findall(r'data-id="([^"]+)" data-frame', text)
    assert float(told["wipe"].rstrip("%")) == pytest.approx(25, abs=0.1)
    assert told["chosen"] == re.findall(r'class="column[^"]*" data-frame="(\d+)"', text)[-1] and told["source"]
    assert set(told["shown"]) == {"scratch"} and len(told["shown"]) == 8
    wanted = {order[0], order[1], order[4], told["box"]}
    assert set(told["ticked"]) == wanted and set(told["kept"]) == wanted
    assert all(name in ("data:", "blob:") for name in told["requests"])
    assert told["name"] == "rejected.txt"
    listed = tmp_path / told["name"]
    listed.write_text(told["list"], encoding="utf-8")
    job = ApplyJob(source=dpx.scan, ledger=dpx.ledger, output=str(tmp_path / "o.####.dpx"), without=(f"@{listed}",))
    report = apply(job)
    assert (report.applied, report.left_out) == (32 - len(wanted), len(wanted))
