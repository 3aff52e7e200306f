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
LABELS = {
    "loss": "loss",
    "object_recall": "objects found",
    "object_precision": "detections that are right",
    "object_f1": "F1 by object",
    "pixel_f1": "F1 by pixel",
    "defect_psnr": "PSNR inside the defects, dB",
    "objects_fixed": "objects fixed",
    "harm_percent": "harm, % of clean pixels",
    "erasure_percent": "erasure on undamaged windows, %",
    "erasure_worst_percent": "erasure, worst frame, %",
    "calibration_error": "expected calibration error",
    "psnr_scan": "PSNR of the scan, dB",
    "psnr_preview": "PSNR after one step, dB",
    "psnr": "PSNR after all steps, dB",
    "blur_recall": "blurred pixels found",
    "blur_precision": "pixels called blurred that are",
}
"""Of the figures that a page shows."""


def model_card(name: str, card: Mapping[str, Any]) -> str:
    """The page beside weights called `name`, from what `publish` measured."""
    figures, run = card["figures"], card["run"]
    model, columns = run["job"]["model"], list(figures)
    rows = [
        (label, *(_number(figures[column].get(key)) for column in columns))
        for key, label in LABELS.items()
        if any(key in figures[column] for column in columns)
    ]
    kinds = _kinds(figures)
    lines = [
        f"# {name}",
        "",
        f"Weights of {model}, trained by `filmrestore.training`. The run that they come of: {run['samples']} samples,",
        f"{run['hours']:.2f} hours{_others(run)}. Licence of the weights: {card['licence']}.",
        f"How they were trained, and what falls short: docs/models/{model}.md.",
        "",
        "## Trained on",
        "",
        *table(("what", "source", "licence"), DATA),
        "",
        "What is damaged or blurred was made so by `filmrestore.damage` and `filmrestore.training`; no real damaged",
        "film was trained on. Held out: chair, cups, uuid540 and every twelfth still.",
        "",
    ]
    if rows:
        lines += [f"## Figures on {run['windows']} held-out windows or samples", "", *table(("", *columns), rows), ""]
    if kinds:
        lines += ["Objects found by kind of damage:", "", *table(("", *columns), kinds), ""]
    return "\n".join(lines)


def _others(run: Mapping[str, Any]) -> str:
    """How many runs' weights theirs were averaged with, if any."""
    others = run.get("with", ())
    return f", averaged with those of {len(others)} other run{'s' * (len(others) > 1)}" if others else ""


def _kinds(figures: Mapping[str, Any]) -> list[tuple[str, ...]]:
    found = [of_column.get("recall_of_kind", {}) for of_column in figures.values()]
    names = sorted({kind for kinds in found for kind in kinds})
    return [(name, *(_number(kinds.get(name)) for kinds in found)) for name in names]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def table(head: tuple[str, ...], rows: Any) -> list[str]:
    """Rows of Markdown."""
    return ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]
