"""The nodes' settings: the one source of the command line, OpenFX, Nuke, Resolve and the docs.

Standard library only, Python 3.9 and newer: hosts load this package inside their own Python.
"""

from .base import Facts, Settings, choice, number, split_words, switch, text, word_list
from .degrade import DegradeSettings
from .grain import GrainSettings
from .presets import DEGRADE_PRESETS, preset
from .restore import FRDM_MODULES, RestoreSettings

__all__ = [
    "DEGRADE_PRESETS",
    "FRDM_MODULES",
    "DegradeSettings",
    "Facts",
    "GrainSettings",
    "RestoreSettings",
    "Settings",
    "choice",
    "number",
    "preset",
    "split_words",
    "switch",
    "text",
    "word_list",
]
