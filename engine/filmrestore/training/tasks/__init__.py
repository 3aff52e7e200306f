"""The models that the trainer knows, a module each."""

from __future__ import annotations

from pkgutil import resolve_name

from ...errors import UsageError
from ..task import Task

TASKS = {
    "frdm": "frdm:FrdmTask",
    "prior": "prior:PriorTask",
    "two_stage": "two_stage:SegmentationTask",
    "restormer": "restormer:RestormerTask",
    "divd": "divd:DivdTask",
}
"""Name -> module and class."""


def task_of(name: str) -> Task:
    """The task of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in TASKS:
        raise UsageError(f"nothing to train for {name!r}: choose one of {', '.join(TASKS)}")
    task: Task = resolve_name(f"{__name__}.{TASKS[name]}")()
    return task
