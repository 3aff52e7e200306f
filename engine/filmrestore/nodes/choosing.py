"""`--method auto`: the method that suits a reel, by what its analysis says, and why; settled before any work begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..analysis import Analysis
from ..colour import Colour
from ..errors import UsageError, WeightsError
from ..media import Shot, format_span
from ..restorers.base import REGISTRY, facts_of, load_restorer
from ..settings import RestoreSettings
from .job import Progress, RestoreJob, reel_analysis

AUTO = "auto"
USUAL = RestoreSettings().method
"""What is taken where nothing speaks for another method, or its weights are missing."""
PICKED = ("frdm", "restormer", "divd")
"""Methods that may be picked: two_stage finds less than frdm on the same held-out film, and svi must be told what was
done to the film, which nobody but the user knows."""
_NEIGHBOURS = 3  # different frames of a shot below which most windows have no neighbour on one side
_SOFT_SHARE = 1 / 500  # of the frame's width: an edge of 4 px in a 2048 px scan
_SOFT_PX = 2.0  # below this a scan is as sharp as its lens, gate and scanner leave it
_CLEAN = 0.0005  # share of pixels under marks, as `Analysis.dirt`: a tenth of what worn film shows


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A method, and why it was picked, in words for people."""

    method: str
    why: str


def choose(found: Analysis | None, is_usable: Callable[[str], bool]) -> Choice:
    """The method for a reel; the same analysis and the same weights give the same answer.

    Args:
        found: What the whole reel says; None where it has not been looked at.
        is_usable: Whether a method's weights are there and sound.
    """
    if found is None:
        return Choice(method=USUAL, why="the reel has no analysis: `filmrestore probe` makes one")
    passed: list[str] = []
    for method, why in _suited(found):
        if method == USUAL or is_usable(method):
            return Choice(method=method, why="; ".join([why, *passed, *_beside(found)]))
        passed.append(f"{method} is left out, for its weights are missing")
    raise AssertionError("the usual method suits every reel")


def chosen(
    settings: RestoreSettings, found: Analysis | None, is_usable: Callable[[str], bool]
) -> tuple[RestoreSettings, str]:
    """The settings with a method's own name in the place of auto, and why; others as they are, and ""."""
    if settings.method != AUTO:
        return settings, ""
    choice = choose(found, is_usable)
    return replace(settings, method=choice.method), choice.why


def settled(
    job: RestoreJob, shot: Shot, colour: Colour, progress: Progress, cancelled: Callable[[], bool]
) -> RestoreJob:
    """The job with a method's own name in the place of auto; the reel is looked at for it, once.

    Raises:
        FilmRestoreError: see `reel_analysis`.
    """
    if job.settings.method != AUTO:
        return job
    return settled_by(job, reel_analysis(job, shot, colour, progress, cancelled))


def settled_by(job: RestoreJob, found: Analysis | None) -> RestoreJob:
    """As `settled`, by an analysis that is there already."""
    settings, why = chosen(job.settings, found, lambda method: is_usable(method, job.backend))
    return replace(job, settings=settings, why=why) if why else job


def is_usable(method: str, backend: str = "torch") -> bool:
    """Whether a method's weights are there and sound, and the backend can run them."""
    try:
        load_restorer(method, "cpu", backend)
    except (WeightsError, UsageError):
        return False
    return True


def windows() -> dict[str, tuple[int, int]]:
    """(window, keep) of every method, the usual one first, for hosts that offer frames.

    The window holds all that it may be moved to at a shot's end; that of auto all that what it picks may look at.
    """
    names = [USUAL, *(name for name in REGISTRY if name != USUAL)]
    known = {name: facts_of(name) for name in names}
    reach = max(known[name].reach for name in PICKED if name in known)
    return {
        **{name: (facts.window + 2 * facts.moves, facts.keep) for name, facts in known.items()},
        AUTO: (2 * reach + 1, 1),
    }


def _suited(found: Analysis) -> Iterator[tuple[str, str]]:
    """Methods that suit the reel, each with why, the best first; the usual one last."""
    longest = _longest(found)
    marks = f"marks cover about {100 * found.dirt:.2f} % of the picture"
    if longest < _NEIGHBOURS:
        frames = "1 frame" if longest == 1 else f"{longest} different frames"
        yield "restormer", f"no shot has more than {frames}, so there are no neighbours to look at"
    elif _is_soft(found) and _is_clean(found):
        yield "divd", f"even the sharpest edges are blurred over {found.blur:.1f} px, and {marks} only"
    scratches, spots = (sum(one.certain for one in kind) for kind in (found.scratches, found.marks))
    words = [f"{scratches} scratch{'es' * (scratches > 1)}"] * bool(scratches)
    words += [f"{spots} mark{'s' * (spots > 1)} in the gate"] * bool(spots)
    lasting = f", and {' and '.join(words)} last{'s' * (scratches + spots == 1)}" if words else ""
    yield USUAL, f"{marks}{lasting}; neighbour frames show what is behind them" if longest >= _NEIGHBOURS else marks


def _beside(found: Analysis) -> list[str]:
    """What else the user should know, for one method does not do everything."""
    words = []
    if _is_soft(found) and not _is_clean(found):
        words.append(f"edges are blurred over {found.blur:.1f} px too: `--method divd` on the result may sharpen it")
    read = {*found.frames, *found.unreadable}
    if missing := sorted(set(range(min(read), max(read) + 1)) - read):
        words.append(f"frames {format_span(missing)} are missing and stay so: `--rebuild missing` makes them")
    return words


def _longest(found: Analysis) -> int:
    """Different frames of the shot that has most."""
    repeats = set(found.repeats)
    return max(sum(first <= n <= last and n not in repeats for n in found.frames) for first, last in found.shots())


def _is_soft(found: Analysis) -> bool:
    return found.blur > max(_SOFT_PX, _SOFT_SHARE * found.width)


def _is_clean(found: Analysis) -> bool:
    return found.dirt < _CLEAN and not any(one.certain for one in found.lasting)
