"""Film damage: a physical model that makes a scan, its truth and the exact masks from clean light."""

from .model import AMOUNTS, KINDS, Damage, Damaged
from .recipes import random_settings
from .shapes import MaskFolder

__all__ = ["AMOUNTS", "KINDS", "Damage", "Damaged", "MaskFolder", "random_settings"]
