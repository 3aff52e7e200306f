"""The last-used settings, in a small JSON file that can be edited by hand where there is no dialog."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from filmrestore.errors import UsageError

from .choices import NODES, PAGES

Values = dict[str, dict[str, Any]]


def settings_file() -> Path:
    """Where the settings lie: $FILMRESTORE_RESOLVE_SETTINGS, else the user's folder for such files."""
    if os.environ.get("FILMRESTORE_RESOLVE_SETTINGS"):
        return Path(os.environ["FILMRESTORE_RESOLVE_SETTINGS"])
    if sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support" / "FilmRestore"
    elif sys.platform.startswith("win"):
        folder = Path(os.environ.get("APPDATA", Path.home())) / "FilmRestore"
    else:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "filmrestore"
    return folder / "resolve.json"


def defaults(page: str) -> Values:
    """All settings of a page, as they are at first."""
    return {"run": PAGES[page]().to_dict(), **{node: kind().to_dict() for node, kind in NODES.items()}}


def last_used(page: str) -> Values:
    """The settings last used on a page; defaults for what the file does not hold, or what there is no more.

    Raises:
        UsageError: the file cannot be read, or holds a value that cannot be meant.
    """
    values = defaults(page)
    path = settings_file()
    if not path.exists():
        return values
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        saved = found.get(page, {})
        for part, known in values.items():
            known.update({name: value for name, value in saved.get(part, {}).items() if name in known})
        for part, kind in {"run": PAGES[page], **NODES}.items():
            kind.from_dict(values[part])
    except (OSError, ValueError, AttributeError, UsageError) as error:
        raise UsageError(f"{path} cannot be used: {error}; correct it, or delete it to begin with defaults") from error
    return values


def remember(page: str, values: Values) -> Path:
    """Keeps a page's settings for the next time.

    Raises:
        UsageError: the file cannot be written.
    """
    path = settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(json.dumps({**found, page: values}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(path)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} cannot be written: {error}; delete it, or make room") from error
    return path
