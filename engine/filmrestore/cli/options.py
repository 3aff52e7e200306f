"""Options that verbs share, and those that are generated from the nodes' settings."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import InputError, UsageError
from ..settings import Facts, Settings
from .progress import MODES

Verb = Callable[..., None]
S = TypeVar("S", bound=Settings)
SETTING = "setting_"
"""Prefix of a generated option's parameter: a setting may share its name with another option."""


class GroupedOption(click.Option):
    """An option with the heading that it stands under in the help."""

    def __init__(self, *args: Any, heading: str = "", **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.heading = heading


class GroupedCommand(click.Command):
    """A command whose help lists its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None or isinstance(parameter, click.Argument):
                continue
            heading = parameter.heading if isinstance(parameter, GroupedOption) else "Options"
            groups.setdefault(heading, []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def takes_source(verb: Verb) -> Verb:
    """IN, as an argument or as --in, and -F; the verb gets `source` and `span`."""

    @click.argument("given_source", metavar="[IN]", required=False)
    @click.option(
        "--in",
        "option_source",
        metavar="IN",
        help="Frames: a pattern (####, %04d, @@@@), a folder, an image or a movie.",
    )
    @click.option("-F", "--frames", "span", metavar="SPAN", help="Frames such as 1-100, 1-100x2 or 1,5,9-12.  [all]")
    @functools.wraps(verb)
    def wrapped(given_source: str | None, option_source: str | None, **values: Any) -> None:
        verb(source=one_source(given_source, option_source), **values)

    return wrapped


def one_source(given: str | None, option: str | None) -> str:
    """The one of the two that was given.

    Raises:
        click.UsageError: none or both were.
    """
    if (given is None) == (option is None):
        raise click.UsageError("give the frames once: as IN or as --in")
    return given if given is not None else str(option)


def takes_colour(verb: Verb) -> Verb:
    """--colourspace, --working-space and --ocio."""
    for option in (
        click.option("--ocio", metavar="CONFIG", help="OCIO config: a file or ocio://...  [$OCIO, else built-in ACES]"),
        click.option(
            "--working-space", default="scene_linear", show_default=True, metavar="NAME", help="Where work is done."
        ),
        click.option(
            "--colourspace", metavar="NAME", help="Of the frames.  [the config's file rules, else the file's own]"
        ),
    ):
        verb = option(verb)
    return verb


def takes_output(verb: Verb, *, required: bool = True) -> Verb:
    """-o, --overwrite and --lossy; the verb gets `output`."""
    for option in (
        click.option("--lossy", is_flag=True, help="Allow containers that cannot keep every code."),
        click.option(
            "--overwrite",
            type=click.Choice(("never", "changed", "always")),
            default="changed",
            show_default=True,
            help="Frames that are there: keep all, redo those whose inputs or settings changed, or redo all.",
        ),
        click.option(
            "-o", "--out", "output", required=required, metavar="OUT", help="Pattern, folder or movie to write."
        ),
    ):
        verb = option(verb)
    return verb


def takes_on_error(verb: Verb) -> Verb:
    """--on-error."""
    return click.option(
        "--on-error",
        type=click.Choice(("stop", "skip", "copy")),
        default="stop",
        show_default=True,
        help="A frame that fails: stop, leave it out, or copy the scan.",
    )(verb)


def takes_progress(verb: Verb) -> Verb:
    """--progress and --json."""
    verb = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(verb)
    return click.option(
        "--progress", type=click.Choice(MODES), default="auto", show_default=True, help="How the run is shown."
    )(verb)


def takes_settings(kind: type[S], presets: Mapping[str, S] | None = None) -> Callable[[Verb], Verb]:
    """One option for every setting of `kind`; the verb gets `settings`.

    A value comes from its own option, else from --settings FILE.json, else from --preset, else from its default.
    """

    def decorate(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def wrapped(settings_file: Path | None, preset: str | None = None, **values: Any) -> None:
            flags = {name: values.pop(SETTING + name) for name in kind.facts()}
            given = {name: value for name, value in flags.items() if value is not None}
            start = presets[preset].to_dict() if presets and preset else {}
            verb(settings=kind.from_dict({**start, **_read_settings(settings_file), **given}), **values)

        result: Verb = wrapped
        for entry in reversed(dataclasses.fields(kind)):  # type: ignore[arg-type]
            result = _setting_option(entry)(result)
        result = click.option(
            "--settings", "settings_file", type=click.Path(path_type=Path), metavar="FILE", help="Settings as JSON."
        )(result)
        if presets:
            result = click.option("--preset", type=click.Choice(tuple(presets)), help="Settings to start from.")(result)
        return result

    return decorate


def _setting_option(entry: dataclasses.Field[Any]) -> Callable[[Verb], Verb]:
    facts: Facts = entry.metadata["facts"]
    kind = entry.type if isinstance(entry.type, str) else entry.type.__name__
    flag = "--" + entry.name.replace("_", "-")
    if kind == "bool":
        flag = f"{flag}/--no-{flag[2:]}"
    type_: Any = click.Choice(facts.choices) if facts.choices else {"int": int, "float": float}.get(kind, str)
    return click.option(
        flag,
        SETTING + entry.name,
        cls=GroupedOption,
        heading=facts.group,
        type=None if kind == "bool" else type_,
        default=None,
        help=f"{facts.help}  [{limits(entry.default, facts)}]",
    )


def limits(default: Any, facts: Facts) -> str:
    """Default, range and unit in words: "0.5; 0 to 1" """
    if isinstance(default, bool):
        return "on" if default else "off"
    if facts.low is None or facts.high is None:
        return str(default) or "none"
    return f"{default:.15g}; {facts.low:.15g} to {facts.high:.15g} {facts.unit}".rstrip()


def _read_settings(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        values = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"cannot read the settings {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f'{path} holds {type(values).__name__}: expected an object such as {{"strength": 0.8}}')
    return values


def failures(failed: dict[int, str]) -> str:
    """The failed frames and why, a line each."""
    return "\n".join(
        [f"{len(failed)} frames failed; run the same command again when the cause is gone"]
        + [f"  frame {number}: {why}" for number, why in sorted(failed.items())]
    )
