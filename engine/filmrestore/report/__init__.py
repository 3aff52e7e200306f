"""The page on which a person checks a restored shot: one HTML file, no network."""

from .build import Limits, build_report

__all__ = ["Limits", "build_report"]
