"""How the commands of this package, `python -m filmrestore.training.NAME`, end."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..errors import FilmRestoreError


def finished(work: Callable[[], str | None]) -> int:
    """Does the work and prints what it says, if anything; or says why it could not be done.

    Returns:
        The exit status.
    """
    try:
        said = work()
    except FilmRestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if said is not None:
        print(said)
    return 0
