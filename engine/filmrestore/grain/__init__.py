"""Film grain: measured, separated from the picture, synthesised and matched, all in the net encoding."""

from .matching import regrain
from .measuring import measure
from .model import FREQUENCIES, GrainModel
from .separation import separate
from .synthesis import synthesise
from .treatment import stock, treat

__all__ = ["FREQUENCIES", "GrainModel", "measure", "regrain", "separate", "stock", "synthesise", "treat"]
