"""The settings of the degrade node."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Settings, choice, number


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
