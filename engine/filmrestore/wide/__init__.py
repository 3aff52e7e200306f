"""Frame-wide fixes: flicker, fading and weave undone by a few numbers a frame, and lost frames rebuilt."""

from .record import WIDE_CAUSES, Fade, Flicker, Weave, Wide, check_id

__all__ = ["WIDE_CAUSES", "Fade", "Flicker", "Weave", "Wide", "check_id"]
