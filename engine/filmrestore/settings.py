"""The nodes' settings: the one source of the command line, OpenFX, Nuke, Resolve and the docs.

Standard library only, Python 3.9 and newer: hosts load this file inside their own Python.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Any, Optional, Type, TypeVar

from .errors import UsageError

S = TypeVar("S", bound="Settings")


@dataclass(frozen=True)
class Facts:
    """What an interface must know of one setting.

    Attributes:
        label: Words on the knob.
        help: One sentence, shown as tool tip and in the docs.
        group: Tab or section.
        low, high: Hard limits, inclusive; None for text, switches and choices.
        soft_low, soft_high: Range of the slider.
        choices: Allowed words, in order.
        unit: "px", "frames", "%" or "".
        network: Whether networks read it, so that changing it renders tiles anew.
        words: Words that a text may hold, between commas; empty for any text.
    """

    label: str
    help: str
    group: str
    low: Optional[float] = None
    high: Optional[float] = None
    soft_low: Optional[float] = None
    soft_high: Optional[float] = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    network: bool = False
    words: tuple[str, ...] = ()


def number(
    default: float,
    low: float,
    high: float,
    label: str,
    help: str,
    group: str = "Restore",
    soft: Optional[tuple[float, float]] = None,
    unit: str = "",
    network: bool = False,
) -> Any:
    """A float or int setting (the annotation says which) with hard and slider limits."""
    soft_low, soft_high = soft or (low, high)
    facts = Facts(label, help, group, low, high, soft_low, soft_high, (), unit, network)
    return field(default=default, metadata={"facts": facts})


def switch(default: bool, label: str, help: str, group: str = "Restore", network: bool = False) -> Any:
    """An on/off setting."""
    return field(default=default, metadata={"facts": Facts(label, help, group, network=network)})


def choice(
    default: str, choices: tuple[str, ...], label: str, help: str, group: str = "Restore", network: bool = False
) -> Any:
    """A setting with a fixed list of words."""
    facts = Facts(label, help, group, choices=choices, network=network)
    return field(default=default, metadata={"facts": facts})


def text(default: str, label: str, help: str, group: str = "Restore", network: bool = False) -> Any:
    """A free text setting."""
    return field(default=default, metadata={"facts": Facts(label, help, group, network=network)})


def word_list(
    default: str, words: tuple[str, ...], label: str, help: str, group: str = "Restore", network: bool = False
) -> Any:
    """A text setting that holds none, one or some of these words, between commas."""
    return field(default=default, metadata={"facts": Facts(label, help, group, network=network, words=words)})


def split_words(text: str) -> tuple[str, ...]:
    """The words between the commas of a text, in their order."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


class Settings:
    """Base of the nodes' settings: validation, facts, digest. Subclasses are frozen dataclasses."""

    def __post_init__(self) -> None:
        for entry in dataclasses.fields(self):  # type: ignore[arg-type]
            _check(entry.name, getattr(self, entry.name), entry.type, entry.metadata["facts"])

    @classmethod
    def facts(cls) -> dict[str, Facts]:
        """Facts of every setting by name, in the order of the interface."""
        return {entry.name: entry.metadata["facts"] for entry in dataclasses.fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls: Type[S], values: dict[str, Any]) -> S:
        """Settings from plain values, e.g. of a message or a preset.

        Raises:
            UsageError: an unknown name, a wrong type or a value out of range.
        """
        known = cls.facts()
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise UsageError(f"unknown setting {unknown[0]!r}: {cls.__name__} has {', '.join(known)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]

    def network_values(self) -> dict[str, Any]:
        """The values that networks read: the part of the cache key."""
        return {name: getattr(self, name) for name, facts in self.facts().items() if facts.network}

    def digest(self) -> str:
        """A short hash of all values, the same in every host."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


def _check(name: str, value: Any, annotation: Any, facts: Facts) -> None:
    kind = annotation if isinstance(annotation, str) else annotation.__name__
    if facts.choices:
        if value not in facts.choices:
            raise UsageError(f"{name} is {value!r}: choose one of {', '.join(facts.choices)}")
        return
    allowed = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}[kind]
    fits = isinstance(value, allowed) and isinstance(value, bool) == (kind == "bool")
    if not fits:
        raise UsageError(f"{name} is {value!r}: expected {kind}")
    if facts.words:
        for word in split_words(value):
            if word not in facts.words:
                raise UsageError(f"{name} names {word!r}: choose from {', '.join(facts.words)}, with commas between")
    if facts.low is None or facts.high is None:
        return
    if not math.isfinite(value) or not facts.low <= value <= facts.high:
        raise UsageError(f"{name} is {value}: give a value from {facts.low:g} to {facts.high:g} {facts.unit}".rstrip())


FRDM_MODULES = ("evidence", "recovery", "guidance", "prompt", "fusion", "texture", "temporal", "global")
"""Modules of frdm that can be switched off; docs/models/frdm.md says what each is."""


@dataclass(frozen=True)
class RestoreSettings(Settings):
    """Settings of the restore node."""

    method: str = choice(
        "frdm",
        ("frdm", "two_stage", "restormer", "divd", "svi", "iide", "auto"),
        "Method",
        "The restorer that does the work; auto picks one by what `filmrestore probe` finds, and says why.",
        network=True,
    )
    quality: str = choice(
        "final",
        ("final", "preview"),
        "Quality",
        "Preview leaves out the sampler: faster, softer fills.",
        network=True,
    )
    strength: float = number(1.0, 0.0, 1.0, "Strength", "How much of each repair is laid over the scan.")
    sensitivity_dark: float = number(
        0.5, 0.0, 1.0, "Sensitivity dark", "How readily marks darker than the picture are repaired; 0 repairs none."
    )
    sensitivity_light: float = number(
        0.5, 0.0, 1.0, "Sensitivity light", "How readily marks lighter than the picture are repaired; 0 repairs none."
    )
    smallest: float = number(
        0.0, 0.0, 1000.0, "Smallest defect", "Defects of a smaller diameter stay.", soft=(0.0, 20.0), unit="px"
    )
    largest: float = number(
        0.0,
        0.0,
        100000.0,
        "Largest defect",
        "Defects longer than this stay; 0 is no limit.",
        soft=(0.0, 500.0),
        unit="px",
    )
    guard: float = number(
        0.5,
        0.0,
        1.0,
        "Guard",
        "How readily a mark that neighbour frames show again counts as picture, not damage; 0 never.",
    )
    grow: float = number(
        0.0, 0.0, 16.0, "Grow", "Widens every repair.", "Matte", soft=(0.0, 4.0), unit="px", network=True
    )
    mix: float = number(1.0, 0.0, 1.0, "Mix", "Dissolves between the scan and the output.", "Output")
    grain: float = number(
        1.0, 0.0, 2.0, "Grain", "Grain given to generated pixels, against their surroundings.", "Grain"
    )
    temporal_radius: int = number(
        8,
        0,
        8,
        "Temporal radius",
        "Most neighbour frames looked at on each side (frdm: 2, two_stage, iide: 1, svi: 8); 0 works on single frames.",
        "Time",
        unit="frames",
        network=True,
    )
    handles: int = number(
        3,
        0,
        100,
        "Handles",
        "Frames read beyond the span, where there are any, so that its ends have full windows.",
        "Time",
        soft=(0, 10),
        unit="frames",
    )
    seed: int = number(
        0, 0, 2**31 - 1, "Seed", "Another seed gives other generated texture.", "Output", soft=(0, 1000), network=True
    )
    output: str = choice(
        "result",
        ("result", "matte", "difference", "overlay", "removed"),
        "Output",
        "What is written: the restored picture, the matte, their difference, the matte laid over, or what went.",
        "Output",
    )
    lines: float = number(
        0.0,
        0.0,
        1.0,
        "Lines",
        "How readily an upright line that lasts along the shot is repaired as a scratch; 0 leaves lines to the method.",
        "Matte",
    )
    defect_map_threshold: float = number(
        0.5,
        0.0,
        1.0,
        "Defect map threshold",
        "Where a given defect map (infrared) is above this, the pixel is repaired.",
        "Matte",
    )
    defect_map_invert: bool = switch(
        False, "Invert defect map", "For infrared planes in which dirt is dark.", "Matte", network=True
    )
    deflicker: float = number(
        0.0,
        0.0,
        1.0,
        "Deflicker",
        "How much of what the light of a whole frame differs from its neighbours is undone; fades and switches stay.",
        "Frame",
    )
    deflicker_uneven: float = number(
        0.0,
        0.0,
        1.0,
        "Uneven flicker",
        "The same for light that differs over the frame; also evens out flames and lamps that fill a twelfth of it.",
        "Frame",
    )
    unfade: float = number(
        0.0,
        0.0,
        1.0,
        "Unfade",
        "How much of the fading of dyes is undone: every channel gets the range of the one that kept most.",
        "Frame",
    )
    unfade_by: str = choice(
        "reel",
        ("reel", "shot"),
        "Fading measured over",
        "Over what the blackest black and the whitest white are taken; a reel of one stock has one fading.",
        "Frame",
    )
    stabilise: float = number(
        0.0,
        0.0,
        1.0,
        "Stabilise",
        "How much of the weave in the gate is undone; every pixel is interpolated once.",
        "Frame",
    )
    prior: str = text(
        "",
        "Prior",
        "Folder of networks in diffusers' form, instead of the shipped ones: of clean pictures (two_stage, svi), of "
        "Stable Diffusion 2.1 (iide), or a full-size video model (frdm).",
        "Prior",
        network=True,
    )
    steps: int = number(
        20,
        2,
        1000,
        "Steps",
        "Levels of noise that the prior walks down; rounds of svi's balance.",
        "Prior",
        soft=(5, 100),
        network=True,
    )
    start: float = number(
        0.6,
        0.05,
        1.0,
        "Start",
        "How noisy a smooth fill is made before the prior walks down (two_stage, and iide without a prompt); 1 starts "
        "from noise alone, as published.",
        "Prior",
        network=True,
    )
    resampling: int = number(
        2,
        1,
        50,
        "Resampling",
        "Times that two_stage walks each stretch, so that a fill suits its surroundings; RePaint takes 10.",
        "Prior",
        soft=(1, 10),
        network=True,
    )
    jump_length: int = number(
        5, 1, 100, "Jump length", "Levels of such a stretch; RePaint takes 10.", "Prior", soft=(1, 20), network=True
    )
    fresh_noise: float = number(
        0.15,
        0.0,
        1.0,
        "Fresh noise",
        "Share of new noise in svi's steps as published: .15 for blends of frames, .8 where frames are blurred or "
        "reduced too.",
        "Prior",
        network=True,
    )
    internal_detail: float = number(
        1.0,
        0.0,
        1.0,
        "Internal detail",
        "How far each step of iide is held to the scan through its own degraded estimate; 0 is without.",
        "Prior",
        network=True,
    )
    operator: str = choice(
        "mask",
        (
            "mask",
            "missing",
            "uniform-7",
            "uniform-13",
            "gaussian",
            "telecine",
            "blind",
            "blur",
            "focus",
            "reduce",
        ),
        "Operator",
        "What svi undoes: what the defect map hides, lost frames, blends of frames (7, 13, a Gaussian, 24 to 30 frames "
        "a second, or of a kind to be found), blur, focus, or a smaller size.",
        "Operator",
        network=True,
    )
    operator_then: str = choice(
        "none",
        ("none", "blur", "focus", "reduce"),
        "Then",
        "What came on top of a blend of frames.",
        "Operator",
        network=True,
    )
    operator_light: bool = switch(
        True,
        "On light",
        "The operator acted on light, as a lens or a shutter does; off, on codes, as a video mixer does.",
        "Operator",
        network=True,
    )
    blur_frames: float = number(
        1.0,
        0.1,
        4.0,
        "Blur in time",
        "Standard deviation of the Gaussian blend.",
        "Operator",
        unit="frames",
        network=True,
    )
    blur_size: float = number(
        2.0,
        0.1,
        32.0,
        "Blur size",
        "Standard deviation of a blur, radius of a lens out of focus.",
        "Operator",
        soft=(0.5, 8.0),
        unit="px",
        network=True,
    )
    reduce_factor: int = number(
        4, 2, 8, "Reduced by", "How many times smaller the picture was before.", "Operator", network=True
    )
    telecine_phase: int = number(
        0, 0, 4, "Telecine phase", "Frame number, modulo 5, that begins a group of five.", "Operator", network=True
    )
    inner_steps: int = number(
        10,
        1,
        200,
        "Inner steps",
        "Conjugate gradients in each step of svi; 5 as published.",
        "Operator",
        soft=(1, 20),
        network=True,
    )
    solver: str = choice(
        "balanced",
        ("balanced", "published"),
        "Solver",
        "How svi undoes an operator: a balance of what was measured, little variation and the prior, or a sample from "
        "the prior as published.",
        "Operator",
        network=True,
    )
    closing_steps: int = number(
        500,
        0,
        2000,
        "Closing steps",
        "Most conjugate gradients after svi's last step, until the result agrees with the scan up to its noise; 0 as "
        "published.",
        "Operator",
        soft=(0, 1000),
        network=True,
    )
    operator_noise: float = number(
        0.0003,
        0.0,
        0.2,
        "Noise since",
        "How strong the noise is that came after the operator, net units, rms: .0003 is what rounding to 10 bits "
        "leaves. Over blur and focus it is measured, and this is the least.",
        "Operator",
        soft=(0.0, 0.05),
        network=True,
    )
    prompt: str = text(
        "",
        "Prompt",
        "What the scene shows (frdm), or what is to be made inside the matte (iide), in words; wants a folder of "
        "full-size networks as the prior.",
        "Words",
        network=True,
    )
    negative_prompt: str = text("", "Negative prompt", "What iide is to leave out, in words.", "Words", network=True)
    guidance_scale: float = number(
        7.5,
        1.0,
        30.0,
        "Guidance",
        "How closely the prompt is followed; 1 is as the model was trained.",
        "Words",
        soft=(1.0, 15.0),
        network=True,
    )
    colour_only: bool = switch(
        False,
        "Colour only",
        "iide changes colours inside the matte and keeps the scan's light there.",
        "Words",
        network=True,
    )
    without: str = word_list(
        "",
        FRDM_MODULES,
        "Without",
        "Modules of frdm that are switched off, with commas between, to see what each is good for.",
        "Modules",
        network=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.without and self.method != "frdm":
            raise UsageError(f"without is {self.without!r} and method {self.method!r}: it is for frdm; leave it out")


@dataclass(frozen=True)
class GrainSettings(Settings):
    """Settings of the grain node."""

    mode: str = choice(
        "keep",
        ("keep", "match", "add", "reduce"),
        "Mode",
        "Keep the grain, match it to a reference plate, add that plate's or a standard stock's, or reduce it.",
        "Grain",
    )
    amount: float = number(
        1.0,
        0.0,
        4.0,
        "Amount",
        "Grain against the reference's or the stock's; for reduce, the share taken away.",
        "Grain",
        soft=(0.0, 2.0),
    )
    size: float = number(
        1.0, 0.25, 8.0, "Size", "Size of added or matched grain against the reference's.", "Grain", soft=(0.5, 3.0)
    )
    red: float = number(1.0, 0.0, 4.0, "Red", "Grain of the red layer.", "Layers", soft=(0.0, 2.0))
    green: float = number(1.0, 0.0, 4.0, "Green", "Grain of the green layer.", "Layers", soft=(0.0, 2.0))
    blue: float = number(1.0, 0.0, 4.0, "Blue", "Grain of the blue layer.", "Layers", soft=(0.0, 2.0))
    shadows: float = number(1.0, 0.0, 4.0, "Shadows", "Grain below mid grey.", "Layers", soft=(0.0, 2.0))
    highlights: float = number(1.0, 0.0, 4.0, "Highlights", "Grain above mid grey.", "Layers", soft=(0.0, 2.0))
    seed: int = number(0, 0, 2**31 - 1, "Seed", "Another seed gives other grain.", "Grain", soft=(0, 1000))


@dataclass(frozen=True)
class DegradeSettings(Settings):
    """Settings of the degrade node. Counts are for a whole 4:3 frame and sizes for a frame 2048 px wide."""

    dust: float = number(
        0.0, 0.0, 20000.0, "Dust", "Dust specks a frame; a very dirty scan has 850.", "Dust & dirt", soft=(0.0, 1500.0)
    )
    dust_size: float = number(
        1.0, 0.1, 16.0, "Dust size", "Size of dust against the measured one (3.4 px).", "Dust & dirt", soft=(0.5, 4.0)
    )
    dirt: float = number(
        0.0, 0.0, 20000.0, "Dirt", "Dirt crumbs a frame; a very dirty scan has 350.", "Dust & dirt", soft=(0.0, 600.0)
    )
    dirt_size: float = number(
        1.0, 0.1, 16.0, "Dirt size", "Size of dirt against the measured one (5 px).", "Dust & dirt", soft=(0.5, 4.0)
    )
    polarity: str = choice(
        "dark",
        ("dark", "light", "mixed"),
        "Polarity",
        "Dirt on a positive is dark, dirt printed from a negative light.",
        "Dust & dirt",
    )
    opacity: float = number(0.9, 0.0, 1.0, "Opacity", "How much light the strong marks change.", "Dust & dirt")
    faint: float = number(
        0.2, 0.0, 1.0, "Faint share", "Share of marks that are faint, some of only a few codes.", "Dust & dirt"
    )
    clumping: float = number(0.25, 0.0, 1.0, "Clumping", "Share of specks that lie in heaps.", "Dust & dirt")
    folder_share: float = number(
        0.5,
        0.0,
        1.0,
        "Folder share",
        "Share of marks drawn from the folder of masks, where one is given.",
        "Dust & dirt",
    )
    hair: float = number(0.0, 0.0, 5000.0, "Hair", "Short and long hairs a frame.", "Hair & lint", soft=(0.0, 200.0))
    hair_size: float = number(
        1.0, 0.1, 16.0, "Hair size", "Size of hair and lint against the measured one.", "Hair & lint", soft=(0.5, 4.0)
    )
    lint: float = number(0.0, 0.0, 5000.0, "Lint", "Tufts of lint a frame.", "Hair & lint", soft=(0.0, 50.0))
    gate_hair: float = number(
        0.0, 0.0, 200.0, "Hair in the gate", "Hairs that hang into the gate at once.", "Hair & lint", soft=(0.0, 5.0)
    )
    gate_hair_life: float = number(
        120.0,
        1.0,
        100000.0,
        "Gate hair life",
        "Frames that a hair stays in the gate.",
        "Hair & lint",
        soft=(10.0, 500.0),
        unit="frames",
    )
    quiver: float = number(
        0.25, 0.0, 4.0, "Quiver", "How much a hair in the gate moves.", "Hair & lint", soft=(0.0, 1.0)
    )
    scratches: float = number(
        0.0, 0.0, 2000.0, "Scratches", "Standing or slowly wandering scratches at once.", "Scratches", soft=(0.0, 30.0)
    )
    scratches_moving: float = number(
        0.0,
        0.0,
        2000.0,
        "Moving scratches",
        "Scratches that run across the frame or jump about, at once.",
        "Scratches",
        soft=(0.0, 10.0),
    )
    scratch_look: str = choice(
        "mixed",
        ("mixed", "black", "white", "coloured", "base"),
        "Scratch look",
        "Black, cleared to white, coloured by the depth in the emulsion, or a groove in the base that bends light.",
        "Scratches",
    )
    scratch_opacity: float = number(
        0.7, 0.0, 1.0, "Scratch opacity", "How much light the strong scratches change.", "Scratches"
    )
    scratch_width: float = number(
        1.0, 0.1, 32.0, "Scratch width", "Width of scratches; 1 is about 1.2 px.", "Scratches", soft=(0.3, 5.0)
    )
    scratch_life: float = number(
        70.0,
        1.0,
        100000.0,
        "Scratch life",
        "Frames that a scratch lasts.",
        "Scratches",
        soft=(5.0, 500.0),
        unit="frames",
    )
    scratch_wander: float = number(
        1.0, 0.0, 50.0, "Scratch wander", "How far a scratch wanders; 1 is about 4 px.", "Scratches", soft=(0.0, 5.0)
    )
    scratch_breaks: float = number(
        0.5, 0.0, 1.0, "Broken scratches", "Share of scratches that come in pieces.", "Scratches"
    )
    blotches: float = number(
        0.0,
        0.0,
        1000.0,
        "Blotches",
        "Patches of lost emulsion or dried liquid a frame.",
        "Burns & stains",
        soft=(0.0, 20.0),
    )
    blotch_size: float = number(
        1.0, 0.1, 16.0, "Blotch size", "Size of blotches; 1 is 18 to 160 px.", "Burns & stains", soft=(0.3, 4.0)
    )
    stains: float = number(
        0.0,
        0.0,
        1000.0,
        "Stains and mould",
        "Stains and colonies of mould at once.",
        "Burns & stains",
        soft=(0.0, 20.0),
    )
    stain_size: float = number(
        1.0, 0.1, 16.0, "Stain size", "Size of stains; 1 is 50 to 320 px.", "Burns & stains", soft=(0.3, 4.0)
    )
    burns: float = number(
        0.0, 0.0, 200.0, "Burns", "Burns at once; .1 is one in every tenth frame.", "Burns & stains", soft=(0.0, 2.0)
    )
    burn_size: float = number(
        1.0, 0.1, 16.0, "Burn size", "Size of burns; 1 is a radius of 60 to 260 px.", "Burns & stains", soft=(0.3, 4.0)
    )
    splices: float = number(
        0.0, 0.0, 1000.0, "Splices", "Splices in a thousand frames.", "Burns & stains", soft=(0.0, 50.0)
    )
    splice_jump: float = number(
        0.01,
        0.0,
        0.5,
        "Splice jump",
        "How far the picture jumps at a splice, in frame heights.",
        "Stability",
        soft=(0.0, 0.05),
    )
    flicker: float = number(
        0.0, 0.0, 4.0, "Flicker", "Exposure changes from frame to frame, in stops.", "Stability", soft=(0.0, 0.5)
    )
    flicker_uneven: float = number(
        0.0,
        0.0,
        4.0,
        "Uneven flicker",
        "Exposure changes that differ over the frame, in stops.",
        "Stability",
        soft=(0.0, 0.3),
    )
    weave: float = number(
        0.0, 0.0, 200.0, "Weave", "How far the film wanders in the gate.", "Stability", soft=(0.0, 10.0), unit="px"
    )
    beat: float = number(
        0.0,
        0.0,
        200.0,
        "Sprocket beat",
        "Jitter that comes back with the sprocket's teeth.",
        "Stability",
        soft=(0.0, 5.0),
        unit="px",
    )
    fade_cyan: float = number(
        0.0, 0.0, 1.0, "Cyan fading", "Share of the cyan dye that is lost: the picture turns red.", "Fading & blur"
    )
    fade_magenta: float = number(
        0.0, 0.0, 1.0, "Magenta fading", "Share of the magenta dye that is lost.", "Fading & blur"
    )
    fade_yellow: float = number(
        0.0, 0.0, 1.0, "Yellow fading", "Share of the yellow dye that is lost.", "Fading & blur"
    )
    stained_base: float = number(
        0.0, 0.0, 2.0, "Base stain", "Yellowing of the base, as density.", "Fading & blur", soft=(0.0, 0.3)
    )
    focus: float = number(
        0.0, 0.0, 100.0, "Focus", "Blur of a lens out of focus.", "Fading & blur", soft=(0.0, 5.0), unit="px"
    )
    motion: float = number(
        0.0, 0.0, 400.0, "Motion blur", "Blur of a camera that shakes.", "Fading & blur", soft=(0.0, 20.0), unit="px"
    )
    scanner_blur: float = number(
        0.0,
        0.0,
        10.0,
        "Scanner blur",
        "The scanner's own blur, over picture and damage.",
        "Fading & blur",
        soft=(0.0, 1.5),
        unit="px",
    )
    grain: float = number(0.0, 0.0, 2.0, "Grain", "Grain at mid grey, as density.", "Grain", soft=(0.0, 0.15))
    grain_size: float = number(1.0, 0.0, 16.0, "Grain size", "Size of the grain.", "Grain", soft=(0.5, 3.0), unit="px")
    repeated: float = number(
        0.0, 0.0, 1000.0, "Repeated frames", "Frames shown twice, in a thousand.", "Time", soft=(0.0, 50.0)
    )
    missing: float = number(
        0.0,
        0.0,
        1000.0,
        "Missing frames",
        "Frames lost, in a thousand: a neighbour stands in.",
        "Time",
        soft=(0.0, 50.0),
    )
    stock: str = choice(
        "colour",
        ("colour", "monochrome"),
        "Stock",
        "Monochrome film has one layer: grey picture, one grain, no tints.",
        "Film",
    )
    base_light: float = number(
        1.0,
        0.0,
        1000.0,
        "Base light",
        "Scene-linear light through clear film: what white damage comes up to.",
        "Film",
        soft=(0.5, 4.0),
    )
    seed: int = number(0, 0, 2**31 - 1, "Seed", "Another seed gives other damage.", "Film", soft=(0, 1000))


DEGRADE_PRESETS: dict[str, DegradeSettings] = {
    "none": DegradeSettings(),
    "light": DegradeSettings(
        dust=60,
        dirt=8,
        hair=4,
        scratches=0.5,
        scratch_opacity=0.4,
        polarity="mixed",
        weave=0.4,
        beat=0.2,
        flicker=0.02,
        grain=0.02,
        scanner_blur=0.5,
    ),
    "worn": DegradeSettings(
        dust=350,
        dirt=90,
        hair=25,
        lint=3,
        gate_hair=0.4,
        scratches=4,
        scratches_moving=0.4,
        blotches=1.2,
        stains=0.15,
        splices=4,
        polarity="mixed",
        weave=1.2,
        beat=0.6,
        flicker=0.06,
        flicker_uneven=0.03,
        fade_cyan=0.12,
        fade_yellow=0.18,
        stained_base=0.04,
        grain=0.035,
        scanner_blur=0.6,
    ),
    "heavy": DegradeSettings(
        dust=900,
        dirt=350,
        hair=110,
        lint=12,
        gate_hair=1.0,
        scratches=14,
        scratches_moving=2.5,
        blotches=7,
        stains=2.0,
        burns=0.05,
        splices=15,
        polarity="mixed",
        weave=2.5,
        beat=1.2,
        flicker=0.14,
        flicker_uneven=0.09,
        fade_cyan=0.35,
        fade_magenta=0.08,
        fade_yellow=0.3,
        stained_base=0.08,
        focus=0.6,
        grain=0.05,
        grain_size=1.2,
        repeated=4,
        missing=6,
        scanner_blur=0.7,
    ),
    "silent-era": DegradeSettings(
        dust=500,
        dirt=220,
        dirt_size=1.3,
        hair=40,
        lint=8,
        gate_hair=0.6,
        scratches=12,
        scratches_moving=1.5,
        scratch_width=1.3,
        blotches=5,
        blotch_size=1.3,
        stains=0.8,
        burns=0.01,
        splices=10,
        splice_jump=0.02,
        polarity="mixed",
        stock="monochrome",
        weave=4.0,
        beat=2.0,
        flicker=0.22,
        flicker_uneven=0.12,
        focus=0.9,
        grain=0.07,
        grain_size=1.6,
        repeated=6,
        missing=8,
        scanner_blur=0.8,
    ),
    "newsreel": DegradeSettings(
        dust=420,
        dirt=160,
        hair=30,
        lint=4,
        gate_hair=0.9,
        gate_hair_life=60.0,
        scratches=18,
        scratches_moving=1.0,
        scratch_look="white",
        scratch_width=0.8,
        blotches=1.5,
        splices=25,
        polarity="light",
        stock="monochrome",
        weave=1.8,
        beat=1.0,
        flicker=0.08,
        flicker_uneven=0.03,
        motion=1.5,
        grain=0.075,
        grain_size=1.4,
        missing=4,
        scanner_blur=0.7,
    ),
}


def preset(name: str) -> DegradeSettings:
    """A named set of degrade settings.

    Raises:
        UsageError: no such preset.
    """
    if name not in DEGRADE_PRESETS:
        raise UsageError(f"no preset {name!r}: choose one of {', '.join(DEGRADE_PRESETS)}")
    return DEGRADE_PRESETS[name]
