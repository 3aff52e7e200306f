"""The steps of a farm job: probe, restore in chunks, verify, report; or the chunks of a Nuke script."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from ..analysis import Analysis
from ..errors import InputError
from ..media import Shot
from ..media.patterns import parse_pattern, parse_span
from ..nodes.job import RestoreJob, analysis_path, ledger_path
from ..nodes.rebuilding import lost_frames
from ..restorers.base import Facts
from ..scenes import read_cuts
from ..settings import RestoreSettings
from .chunks import FRAMES, check_handles, cut_chunks, is_one_file, shot_chunks, span_of
from .model import FarmJob, Flow, Kind, Needs, Place, Step, Token, Word


def restore_job(
    job: RestoreJob,
    shot: Shot,
    facts: Facts,
    *,
    program: str = "filmrestore",
    report: Path | None = None,
    size: int = FRAMES,
    needs: Needs | None = None,
    keeps_tiles: bool = True,
) -> FarmJob:
    """Probe, restore in chunks, verify, report.

    Args:
        job: With absolute paths (`chunks.absolute`); `job.threads` is each task's.
        shot: Of the job.
        facts: Of its restorer.
        program: What the machines call the command.
        report: The page to build; report.html beside the ledger when None.
        size: Most frames of a chunk.
        needs: Of a machine that restores.
        keeps_tiles: Where `job.cache` is None: whether each machine uses its own cache.

    Raises:
        UsageError: a job that cannot be cut so that it gives the bits of a whole run.
        InputError: the analysis or the cuts cannot be read.
    """
    needs = needs or Needs(threads=job.threads)
    light = Needs(memory_mib=needs.memory_mib)
    place = _Places(job, shot, report)
    chunks: tuple[tuple[int, ...], ...] = ()
    if not is_one_file(job):
        check_handles(job, facts)
        cuts, repeats = _known(job, shot)
        chunks = shot_chunks(shot, cuts, keep=facts.keep, size=size, repeats=repeats)
    steps = []
    if not place.has_analysis:
        steps.append(_probe_step(job, place, light))
    steps.append(_restore_step(job, place, needs, steps, chunks, keeps_tiles))
    if not job.lossy and job.settings.output == "result":
        steps.append(_verify_step(place, light, steps, shot, job.rebuild))
    steps.append(_report_step(place, light, steps))
    return FarmJob(name=f"filmrestore {shot.name}", program=program, steps=tuple(steps), most=size)


def nuke_job(
    script: Path,
    render: Path,
    *,
    node: str,
    span: str,
    keep: int,
    write: str | None = None,
    program: str = "nuke",
    size: int = FRAMES,
    needs: Needs | None = None,
) -> FarmJob:
    """The restore node of a Nuke script: the shot looked at once, then chunks.

    Each chunk renders what feeds the node, restores, and renders `write`. Before them a task does the frames of the
    first window, and by that renders the whole plate and makes the analysis, which chunks begun at once would each do.

    Args:
        script, render: The Nuke script, and the terminal script of the Nuke plug-in.
        node: Name of the restore node.
        span: Frames.
        keep: Frames that a window of the restorer keeps.
        write: Write node to render afterwards.
        program: What the machines call Nuke.
        size: Most frames of a chunk.
        needs: Of a machine.

    Raises:
        UsageError: a span that cannot be meant.
        InputError: one of the scripts is not there.
    """
    for file in (script, render):
        if not file.is_file():
            raise InputError(f"{file}: there is no such file; the farm's machines must see it under this path")
    words: tuple[Word, ...] = (
        Token.PROGRAM,
        "-t",
        Place("RenderScript", str(render.absolute()), "FILE", "IN", "The Nuke plug-in's terminal script."),
        Place("Script", str(script.absolute()), "FILE", "IN", "The Nuke script."),
        "--node",
        node,
        Token.FRAMES,
    )
    needs = needs or Needs()
    frames = parse_span(span)
    chunks = cut_chunks(frames, (), keep=keep, size=size)
    steps = []
    if len(chunks) > 1:
        first = cut_chunks(frames, (), keep=keep, size=keep)[:1]
        steps.append(Step(name="Look", help="Looks at the whole shot once.", words=words, needs=needs, chunks=first))
    restore = Step(
        name="Restore",
        help=f"Restores a chunk of {node}, and renders {write or 'nothing'} with it.",
        words=(*words, "--write", write) if write else words,
        needs=needs,
        after=_last(steps),
        chunks=chunks,
    )
    return FarmJob(name=f"filmrestore {script.stem} {node}", program=program, steps=(*steps, restore), most=size)


def setting_words(settings: RestoreSettings) -> tuple[str, ...]:
    """The options that give these settings; a setting at its default needs none."""
    words = []
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if value == entry.default:
            continue
        flag = entry.name.replace("_", "-")
        words.append((f"--{flag}" if value else f"--no-{flag}") if isinstance(value, bool) else f"--{flag}={value}")
    return tuple(words)


def _kind(path: str) -> Kind:
    """What a path names that may be a folder, a file, or a pattern."""
    if Path(path).is_dir() or not Path(path).suffix:
        return "DIRECTORY"
    return "PATTERN" if not Path(path).exists() and parse_pattern(path) is not None else "FILE"


class _Places:
    """Every path of a restore job."""

    def __init__(self, job: RestoreJob, shot: Shot, report: Path | None) -> None:
        ledger = ledger_path(job, shot)
        self.scan = Place("Scan", job.source, _kind(job.source), "IN", "The frames as scanned.")
        self.out = Place("Out", job.output, _kind(job.output), "OUT", "The restored frames.")
        self.ledger = Place("Ledger", str(ledger), "DIRECTORY", "OUT", "Every fix.")
        page = report.absolute() if report is not None else ledger.parent / "report.html"
        self.report = Place("Report", str(page), "FILE", "OUT", "The page to look at.")
        analysis = analysis_path(job, shot)
        # One that lies beside the output may be of an earlier run in other colour: only a named one counts.
        self.has_analysis = job.analysis is not None and analysis.exists()
        flow: Flow = "IN" if self.has_analysis else "OUT"
        self.analysis = Place("Analysis", str(analysis), "FILE", flow, "What the whole reel says.")
        self.config = None
        if job.config and not job.config.startswith("ocio://"):
            self.config = Place("Ocio", job.config, "FILE", "IN", "The OCIO config.")


def _known(job: RestoreJob, shot: Shot) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cuts and repeated frames, as far as they are known before the reel is analysed.

    What is not known costs time and no bit: a window that two chunks share is computed by both.
    """
    found = Analysis.load(job.analysis) if job.analysis and Path(job.analysis).exists() else None
    cuts = tuple(read_cuts(job.cuts, shot)) if job.cuts else found.cuts if found else ()
    return cuts, found.repeats if found else ()


def _colour_words(job: RestoreJob, place: _Places) -> list[Word]:
    words: list[Word] = ["--working-space", job.working_space]
    if job.colourspace:
        words += ["--colourspace", job.colourspace]
    if job.config:
        words += ["--ocio", place.config or job.config]
    return words


def _probe_step(job: RestoreJob, place: _Places, needs: Needs) -> Step:
    words: list[Word] = [Token.PROGRAM, "probe", place.scan, "--out", place.analysis]
    words += [*_colour_words(job, place), "--progress", "openjd"]
    return Step(name="Probe", help="Looks at the whole reel once.", words=tuple(words), needs=needs)


def _restore_step(
    job: RestoreJob,
    place: _Places,
    needs: Needs,
    before: list[Step],
    chunks: tuple[tuple[int, ...], ...],
    keeps_tiles: bool,
) -> Step:
    words: list[Word] = [Token.PROGRAM, "restore", place.scan, "--out", place.out, "--ledger", place.ledger]
    words += ["--analysis", place.analysis, *_colour_words(job, place), *_input_words(job)]
    words += ["--rebuild", job.rebuild] if job.rebuild else []
    words += ["--why", job.why] if job.why else []
    words += ["--device", job.device, "--threads", str(job.threads)]
    words += ["--backend", job.backend] if job.backend != "auto" else []
    words += ["--overwrite", job.overwrite, "--on-error", job.on_error, *setting_words(job.settings)]
    if job.cache:
        words += ["--cache", Place("Cache", job.cache, "DIRECTORY", "NONE", "Where tiles are kept."), "--cache-size"]
        words += [str(job.cache_size_mib)]
    elif not keeps_tiles:
        words.append("--no-cache")
    if job.roi:
        words += ["--roi", f"{job.roi.x0},{job.roi.y0},{job.roi.x1},{job.roi.y1}"]
    if job.lossy:
        words.append("--lossy")
    if chunks:
        words.append(Token.FRAMES)
    elif job.span:
        words.append(f"--frames={job.span}")
    return Step(
        name="Restore",
        help="Restores a chunk; run again, it goes on where it stopped.",
        words=(*words, "--progress", "openjd"),
        needs=needs,
        after=_last(before),
        chunks=chunks,
    )


def _input_words(job: RestoreJob) -> list[Word]:
    words: list[Word] = []
    if job.matte_out:
        words += ["--matte-out", Place("Matte", job.matte_out, _kind(job.matte_out), "OUT", "The mattes.")]
    if job.protect:
        words += [
            "--protect",
            Place("Protect", job.protect, _kind(job.protect), "IN", "Masks: white stays as scanned."),
        ]
    if job.defect_map == "alpha":
        words += ["--defect-map", "alpha"]
    elif job.defect_map:
        words += [
            "--defect-map",
            Place("DefectMap", job.defect_map, _kind(job.defect_map), "IN", "Masks of known defects."),
        ]
    if job.cuts:
        words += ["--cuts", Place("Cuts", job.cuts, "FILE", "IN", "The list of cuts.")]
    return words


def _verify_step(place: _Places, needs: Needs, before: list[Step], shot: Shot, rebuild: str | None) -> Step:
    words: list[Word] = [Token.PROGRAM, "verify", place.scan, place.out, "--ledger", place.ledger, "--merge"]
    frames = (*shot.frames, *lost_frames(rebuild, shot).intersection(shot.missing))
    words += [f"--frames={span_of(frames)}", "--progress", "openjd"]
    return Step(
        name="Verify",
        help="Gathers the chunks' ledger, and proves that the result is the scan plus its fixes.",
        words=tuple(words),
        needs=needs,
        after=_last(before),
    )


def _report_step(place: _Places, needs: Needs, before: list[Step]) -> Step:
    words: list[Word] = [Token.PROGRAM, "report", place.scan, place.out, "--ledger", place.ledger]
    words += ["--out", place.report, "--progress", "openjd"]
    return Step(name="Report", help="Builds the page to look at.", words=tuple(words), needs=needs, after=_last(before))


def _last(steps: list[Step]) -> str | None:
    return steps[-1].name if steps else None
