"""The page on which a person checks a restored shot: one HTML file, no network."""

from .build import build_report
from .gallery import Limits

__all__ = ["Limits", "build_report"]
