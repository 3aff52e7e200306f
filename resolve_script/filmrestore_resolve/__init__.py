"""FilmRestore in DaVinci Resolve and Fusion: the scripts' own package, run by Resolve's Python (3.9 and newer).

Imports the standard library, the host's API and the files of filmrestore that `client.FILES` names. They lie
in `vendor` where `filmrestore install resolve` put them, in `engine` of a checkout otherwise.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def _client_folder() -> Path:
    """The folder that holds the package filmrestore."""
    for folder in (HERE / "vendor", HERE.parent.parent / "engine"):
        if (folder / "filmrestore" / "client.py").is_file():
            return folder
    raise ImportError(f"{HERE / 'vendor'} holds no filmrestore: run `filmrestore install resolve` again")


if str(_client_folder()) not in sys.path:
    sys.path.insert(0, str(_client_folder()))
