"""A peer of `bench restore` in a process of its own.

Usage (by `running`): python -m filmrestore.bench.methods.peer FOLDER/job.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from .. import BenchOptions
from ..child import READY
from ..clips import PLANS, Clip
from ..rows import choose_rows, read_frames


def main(job_file: str) -> int:
    """Reads scan/ and truth/ beside the job, writes result.npy and, where the peer has one, matte.npy."""
    folder = Path(job_file).parent
    told = json.loads(Path(job_file).read_text())
    cv2.setNumThreads(1)
    plan = next(plan for plan in PLANS if plan.name == told["plan"])
    scan, truth = (read_frames(folder / name).astype(np.uint16) for name in ("scan", "truth"))
    clip = Clip(plan=plan, scan=scan, truth=truth)
    (row,), _ = choose_rows(BenchOptions(out_dir=folder, rows=(told["row"],), vapoursynth=told["vapoursynth"]))
    print(READY, flush=True)
    answer = row.run(clip, folder / "work")
    np.save(folder / "result.npy", answer.result)
    if answer.matte is not None:
        np.save(folder / "matte.npy", answer.matte)
    print(json.dumps({"cpu_s": answer.seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
