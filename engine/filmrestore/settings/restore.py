"""The settings of the restore node."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from .base import Settings, choice, number, switch, text, word_list

FRDM_MODULES = ("evidence", "recovery", "guidance", "prompt", "fusion", "texture", "temporal", "half", "global")
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
        "Preview leaves out the sampler, and looks at large frames at a smaller size: faster, softer fills.",
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
        "How readily a mark that neighbours show again, or a piece of something larger, counts as picture; 0 never.",
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
    far_range: int = number(
        12,
        0,
        100,
        "Far range",
        "How far in the shot frames are asked for what a certain scratch or mark hides in all of a window; 0 joins its "
        "sides.",
        "Time",
        soft=(0, 24),
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
        0.5,
        0.0,
        1.0,
        "Lines",
        "How readily what lasts along the shot and is none of the picture is repaired: scratches, hairs and dirt in "
        "the gate; 0 leaves them to the method.",
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
