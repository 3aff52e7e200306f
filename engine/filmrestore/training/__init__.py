"""Trains what is shipped: clean windows, damage, losses, the loop, and the figures of a held-out set."""

from .job import TrainJob, job_of
from .loop import Outcome, train
from .task import Losses, Recipe, Samples, Stage, Task

__all__ = ["Losses", "Outcome", "Recipe", "Samples", "Stage", "Task", "TrainJob", "job_of", "train"]
