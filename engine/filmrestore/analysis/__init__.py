"""What the whole reel says: cuts, repeats, flicker, weave, grain, lasting scratches and marks; made once."""

from .columns import LastingScratch
from .marks import LastingMark
from .model import Analysis
from .reel import analyse

__all__ = ["Analysis", "LastingMark", "LastingScratch", "analyse"]
