"""Run by Nuke at every start, in terminal sessions too: makes the plug-in importable and shows nothing."""

import os
import sys

import nuke

# Never relative to the user's folder: a farm has another one.
_FOLDER = os.path.dirname(os.path.abspath(__file__)).replace("\\", "/")
if _FOLDER not in nuke.pluginPath():  # else it is why this file runs
    nuke.pluginAddPath(_FOLDER)
if _FOLDER not in sys.path:
    sys.path.append(_FOLDER)
