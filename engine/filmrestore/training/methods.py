"""The methods of one network that `train_method` knows, each in its own module."""

from __future__ import annotations

from importlib import import_module

from ..errors import UsageError
from .method_job import Method

METHODS: dict[str, str] = {
    "restormer": "filmrestore.training.marks",
    "divd": "filmrestore.training.deblurring",
}
"""Name -> module with `METHOD`."""


def method_of(name: str) -> Method:
    """The method of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(f"nothing to train for {name!r}: choose one of frdm, {', '.join(METHODS)}")
    method: Method = import_module(METHODS[name]).METHOD
    return method
