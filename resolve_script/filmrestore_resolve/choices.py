"""What the scripts ask for beside the nodes' own settings; made like them, so that one dialog shows all."""

from __future__ import annotations

from dataclasses import dataclass

from filmrestore.settings import (
    DEGRADE_PRESETS,
    DegradeSettings,
    GrainSettings,
    RestoreSettings,
    Settings,
    choice,
    number,
    switch,
    text,
)

NODES: dict[str, type[Settings]] = {"restore": RestoreSettings, "degrade": DegradeSettings, "grain": GrainSettings}
COLOURS = (
    "Orange", "Apricot", "Yellow", "Lime", "Olive", "Green", "Teal", "Navy", "Blue", "Purple", "Violet", "Pink", "Tan",
    "Beige", "Brown", "Chocolate",
)  # fmt: skip
AS_SET = "as set"


@dataclass(frozen=True)
class FilesChoices(Settings):
    """What both scripts ask for."""

    node: str = choice("restore", tuple(NODES), "Node", "What is done to the clips.", "Run")
    folder: str = text(
        "", "Folder", "Where the result is written; empty takes the folder FilmRestore beside the scan.", "Run"
    )
    lossy: bool = switch(False, "Allow lossy", "Lets a format be written that does not keep the scan's codes.", "Run")
    colourspace: str = text(
        "", "Colourspace", "Of the scan, by its OCIO name; empty takes the file's own, see docs/colour.md.", "Colour"
    )
    config: str = text("", "OCIO config", "Path or built-in name; empty takes $OCIO, else the built-in one.", "Colour")
    device: str = text("", "Device", "cpu, cuda:0 ...; empty takes the one that was installed for.", "Run")
    preset: str = choice(
        AS_SET, (AS_SET, *DEGRADE_PRESETS), "Degrade preset", "Takes the place of all degrade settings below.", "Run"
    )
    reference: str = text("", "Grain reference", "Plate whose grain is matched or added, as a #### pattern.", "Run")


@dataclass(frozen=True)
class TimelineChoices(FilesChoices):
    """What the script of the Edit and Utility menus asks for."""

    clips: str = choice(
        "selected",
        ("selected", "playhead", "in to out", "clip colour", "media pool"),
        "Clips",
        "Which clips of the timeline: the selected ones (else the one under the playhead), those between the in and "
        "out marks, those of a colour, or those whose source is selected in the Media Pool.",
        "Clips",
    )
    colour: str = choice("Orange", COLOURS, "Clip colour", "The colour, where clips are chosen by it.", "Clips")
    picture: str = choice(
        "automatic",
        ("automatic", "source media", "render"),
        "Picture",
        "The scan's own files; or a render of the clip as it is seen, grade included. Automatic takes the files where "
        "it can, and renders retimed, compound, multicam and Fusion clips.",
        "Clips",
    )
    place: str = choice(
        "take",
        ("take", "new track"),
        "Result",
        "A take on the clip, or a clip on a new track. Renders always go to a new track: they hold the grade.",
        "Clips",
    )
    keep: int = number(
        12, 0, 1000, "Handles kept", "Frames restored beyond each end of the clip.", "Clips", (0, 48), "frames"
    )
    form: str = choice(
        "automatic",
        ("automatic", "exr", "dpx", "prores"),
        "Format",
        "Automatic keeps the scan's own format; movies become DPX, JPEG becomes PNG, renders stay EXR.",
        "Clips",
    )


@dataclass(frozen=True)
class CompChoices(FilesChoices):
    """What the script of the Comp menu asks for."""

    picture: str = choice(
        "automatic",
        ("automatic", "saver"),
        "Picture",
        "Automatic reads a plain Loader's files; everything else is rendered through a Saver.",
        "Comp",
    )
    connect: bool = switch(
        True, "Connect", "Wires the result in where the tool was; off leaves the Loader loose.", "Comp"
    )


PAGES: dict[str, type[FilesChoices]] = {"timeline": TimelineChoices, "comp": CompChoices}


@dataclass(frozen=True)
class Wanted:
    """What the user asked for: the run's choices, and the settings of its node."""

    run: FilesChoices
    settings: Settings

    @property
    def node(self) -> str:
        """restore, degrade or grain."""
        return self.run.node


def wanted_of(page: str, values: dict[str, dict[str, object]]) -> Wanted:
    """The user's wishes from plain values: {"run": {...}, "restore": {...}, ...}.

    Raises:
        UsageError: a value that cannot be meant.
    """
    run = PAGES[page].from_dict(values.get("run", {}))
    if run.node == "degrade" and run.preset != AS_SET:
        return Wanted(run, DEGRADE_PRESETS[run.preset])
    return Wanted(run, NODES[run.node].from_dict(values.get(run.node, {})))
