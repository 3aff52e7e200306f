"""The model card that lies beside shipped weights, written from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DATA = (
    ("147 photographs, halved in size", "drewnoakes/metadata-extractor-images @4beba64", "free to use"),
    ("24 photographs scanned from film", "Kodak set, by imazen/codec-corpus @55decfe", "unrestricted"),
    ("25 photographs", "gianni-rosato/gb82-image-set @502f9f9", "CC0"),
    ("blocks, coffee, cups, bedroom: footage", "facebookresearch/sam2 @2b90b9f", "Apache-2.0"),
    ("road, with_gps, ftyp3gp5, uuid540, issue515: clips", "drewnoakes/metadata-extractor-images", "free to use"),
    ("office, parking: clips", "samdutton/simpl @d92296e", "Apache-2.0"),
    ("traffic, corridor, hands: clips", "intel-iot-devkit/sample-videos @5797889", "CC BY 4.0"),
    ("caps, chair: frames", "max810/XMem2 @adc7d4c (PUMaVOS)", "CC BY 4.0"),
    ("masks of damage, four of every five", "daniela997/FilmDamageSimulator @2da9712", "MIT"),
)
ROWS = (
    ("object_recall", "objects found"),
    ("object_precision", "detections that are right"),
    ("object_f1", "F1 by object"),
    ("pixel_f1", "F1 by pixel"),
    ("defect_psnr", "PSNR inside the defects, dB"),
    ("objects_fixed", "objects fixed"),
    ("harm_percent", "harm, % of clean pixels"),
    ("erasure_percent", "erasure on undamaged windows, %"),
    ("erasure_worst_percent", "erasure, worst frame, %"),
    ("calibration_error", "expected calibration error"),
)


def model_card(card: Mapping[str, Any]) -> str:
    """Markdown from what `export` measured."""
    figures, run = card["figures"], card["run"]
    methods = list(figures)
    lines = [
        "# frdm.safetensors",
        "",
        "Weights of the frdm network (guidance branch and denoiser), trained by `filmrestore.training`. The last run:",
        f"{run['samples'] // 2} windows of five frames, each used twice; {run['hours']:.2f} hours on CPU cores shared",
        "with other work. The runs before it stand in docs/models/frdm.md.",
        "Licence of the weights: Apache-2.0. How they were trained, and what falls short: docs/models/frdm.md.",
        "",
        "## Trained on",
        "",
        *table(("what", "source", "licence"), DATA),
        "",
        "Damage, grain, motion and lookalikes are drawn by `filmrestore.damage` and `filmrestore.training`; no real",
        "damaged film was trained on. Held out: chair, cups, uuid540 and every twelfth still.",
        "",
        "## Figures on the held-out windows",
        "",
        f"{run['windows']} damaged and {run['windows'] // 2} undamaged windows of 160 x 160. Preview is what was",
        "recovered, final is after the sampler, classical a motion-compensated median with spike detection on the",
        "same evidence.",
        "",
        *table(("", *methods), [(name, *(_number(figures[m][key]) for m in methods)) for key, name in ROWS]),
        "",
        "Objects found by kind of damage:",
        "",
        *table(("", *methods), _kinds(figures)),
        "",
    ]
    return "\n".join(lines)


def _kinds(figures: Mapping[str, Any]) -> list[tuple[str, ...]]:
    names = sorted({kind for of_method in figures.values() for kind in of_method["recall_of_kind"]})
    return [(name, *(_number(of["recall_of_kind"].get(name)) for of in figures.values())) for name in names]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def table(head: tuple[str, ...], rows: Any) -> list[str]:
    """Rows of Markdown."""
    return ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]
