"""Trains what is shipped: clean windows, damage, losses, the loop, and the figures of a held-out set."""

from .job import Stage, TrainJob
from .loop import Outcome, train

__all__ = ["Outcome", "Stage", "TrainJob", "train"]
