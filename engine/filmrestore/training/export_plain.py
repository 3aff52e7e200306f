"""From a plain run's checkpoint to weights that are shipped: averaged, calibrated, measured, with their card."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import FilmRestoreError, InputError
from ..frame import Box
from ..media.atomic import atomic_bytes
from ..restorers.base import Context, Restorer
from ..restorers.prior.model import Prior
from ..restorers.prior.network import new_prior
from ..restorers.stored import Stored, save_network
from ..restorers.two_stage.restorer import TwoStageRestorer
from ..restorers.two_stage.segmentation import DefectNet
from ..settings import RestoreSettings
from .card import DATA, table
from .checkpoint import NAME
from .tasks import task_of
from .validation import CALIBRATION_SEED, KEPT, Answer, classical, measure, validation_set
from .windows import Sample

PIXELS_OF_FRAME = 4000


def export_plain(run: Path, target: Path, data: Path, cache: Path, windows: int) -> dict[str, Any]:
    """Writes the averaged weights of a run with their figures on held-out footage.

    Args:
        run: Folder of the run.
        target: Ends in ".safetensors".
        data, cache: As for training.
        windows: Damaged windows to measure a segmentation net on, and as many others to calibrate it on; 0 does
            neither.

    Returns:
        The card as written beside the weights.

    Raises:
        InputError: no checkpoint there.
    """
    if not (run / NAME).exists():
        raise InputError(f"no {NAME} in {run}: give the folder of a run that has saved once")
    job = json.loads((run / "job.json").read_text())
    saved = torch.load(run / NAME, map_location="cpu", weights_only=True)
    network = task_of(job["task"]).network(job["network"])
    network.load_state_dict(saved["average"])
    network.eval()
    card: dict[str, Any] = {
        "licence": "Apache-2.0",
        "run": {
            "samples": saved["updates"] * job["batch"],
            "hours": round(saved["seconds"] / 3600, 3),
            "job": {name: value for name, value in job.items() if name not in ("data", "out", "cache")},
        },
        "figures": {"validation": _lines(run / "validation.jsonl")[-1:]},
    }
    if isinstance(network, DefectNet) and windows:
        card["calibration"] = calibrated(network, validation_set(data, cache, windows, seed=CALIBRATION_SEED))
        card["figures"] |= _figures(network, card, validation_set(data, cache, windows))
    save_network(network, target, card)
    atomic_bytes(target.with_suffix(".md"), _page(target.name, job["task"], card).encode())
    return card


def calibrated(network: DefectNet, samples: Iterable[Sample]) -> dict[str, float]:
    """Temperature and shift of the logits that fit held-out frames best.

    Source: temperature scaling, Guo et al. 2017, with Platt's shift.
    """
    random = torch.Generator().manual_seed(0)
    logits, truth = [], []
    with torch.no_grad():
        for sample in samples:
            told = network(sample.scan[KEPT], sample.evidence[KEPT])
            asked = (sample.weight[KEPT] > 0).flatten().nonzero()[:, 0]
            picked = asked[torch.randint(len(asked), (PIXELS_OF_FRAME,), generator=random)]
            logits.append(told.flatten()[picked])
            truth.append(sample.matte[KEPT].flatten()[picked])
    told, wanted = torch.cat(logits), torch.cat(truth)
    scale, shift = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.LBFGS([scale, shift], max_iter=60, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(told * scale + shift, wanted)
        loss = loss + 1e-3 * ((scale - 1).square() + shift.square())
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(cost)  # type: ignore[no-untyped-call]
    found, moved = float(scale.detach()), float(shift.detach())
    return {"temperature": round(1 / max(found, 0.05), 4), "shift": round(moved, 4)}


def restorer_answer(restorer: Restorer, settings: RestoreSettings) -> Answer:
    """What a restorer of three frames says of the middle frames of a validation sample."""

    def answer(sample: Sample) -> tuple[Tensor, Tensor]:
        matte, picture = torch.zeros_like(sample.matte), sample.scan.clone()
        height, width = sample.scan.shape[-2:]
        for index in range(KEPT.start, KEPT.stop):
            around = slice(index - 1, index + 2)
            context = Context(
                frames=(index - 1, index, index + 1),
                present=sample.present[around],
                box=Box(x0=0, y0=0, x1=width, y1=height),
                full=(height, width),
                overview=sample.overview,
                settings=settings,
            )
            told = restorer(sample.scan[around], context)
            matte[index], picture[index] = told.matte[0], told.picture[0]
        return matte, picture

    return answer


def _figures(network: DefectNet, card: Mapping[str, Any], samples: list[Sample]) -> dict[str, Any]:
    """Against the classical method, with fills from the surroundings: the prior has figures of its own."""
    cpu = torch.device("cpu")
    no_prior = Prior.of_film(new_prior("prior-test"), "", cpu)  # a preview asks none
    restorer = TwoStageRestorer(Stored(net=network, card=card, digest=""), no_prior, cpu)
    settings = RestoreSettings(method="two_stage", quality="preview")
    return {
        "classical": measure(samples, classical).to_dict(),
        "preview": measure(samples, restorer_answer(restorer, settings)).to_dict(),
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _page(name: str, task: str, card: Mapping[str, Any]) -> str:
    """The model card."""
    run = card["run"]
    rows = [
        (f"{method}: {figure}", str(value))
        for method, figures in card["figures"].items()
        for figure, value in (figures[-1] if isinstance(figures, list) and figures else dict(figures or {})).items()
        if not isinstance(value, dict)
    ]
    lines = [
        f"# {name}",
        "",
        f"Weights for {task}, trained from chance by `filmrestore.training` on {run['samples']} samples in",
        f"{run['hours']:.2f} hours. Licence of the weights: {card['licence']}. How: docs/models/{task}.md.",
        "",
        "## Trained on",
        "",
        *table(("what", "source", "licence"), DATA),
        "",
        "Held out: chair, cups, uuid540 and every twelfth still.",
        "",
        "## Figures on what was held out",
        "",
        *table(("", "figure"), rows),
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """`python -m filmrestore.training.export_plain`."""
    parser = argparse.ArgumentParser(prog="python -m filmrestore.training.export_plain", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--to", type=Path, required=True, help="weights to write, .safetensors")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/stills and train/video")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded footage")
    parser.add_argument("--windows", type=int, default=48, help="damaged windows to measure on; 0 measures nothing")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    try:
        card = export_plain(asked.run, asked.to, asked.data, asked.cache, asked.windows)
    except FilmRestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(card["figures"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
