"""What the whole reel says: cuts, repeated frames, flicker, weave, grain, lasting scratches; made once by `probe`."""

from .columns import LastingScratch
from .model import Analysis
from .reel import analyse

__all__ = ["Analysis", "LastingScratch", "analyse"]
