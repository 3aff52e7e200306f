"""Film grain: measured, separated from the picture, synthesised and matched, all in the net encoding."""

from .matching import regrain
from .measuring import measure
from .model import FREQUENCIES, GrainModel
from .separation import separate
from .synthesis import synthesise
from .through import hidden, show_through
from .treatment import stock, treat
from .worth import worthwhile

__all__ = [
    "FREQUENCIES",
    "GrainModel",
    "hidden",
    "measure",
    "regrain",
    "separate",
    "show_through",
    "stock",
    "synthesise",
    "treat",
    "worthwhile",
]
