"""Calls into the host, each checked: Resolve answers None or False where others raise, and knows every name."""

from __future__ import annotations

from typing import Any

from filmrestore.errors import FilmRestoreError


class HostError(FilmRestoreError):
    """Resolve or Fusion did not do what it was asked."""


def call(thing: Any, name: str, *arguments: Any) -> Any:
    """What the host answers, whatever it is.

    Raises:
        HostError: the host has no such call, or it failed inside. (`hasattr` is always true; unknown names are None.)
    """
    if thing is None:
        raise HostError(f"{name} was to be asked of something that is gone: close the dialog, and run the script again")
    function = getattr(thing, name, None)
    if not callable(function):
        raise HostError(f"this version of the host has no {name}: update it (DaVinci Resolve Studio 19 or newer)")
    try:
        return function(*arguments)
    except Exception as error:
        raise HostError(f"{name} failed inside the host: {error}") from error


def need(thing: Any, name: str, *arguments: Any, todo: str) -> Any:
    """What the host answers, where None, False and nothing at all mean that it refused.

    Args:
        thing, name, arguments: What is called.
        todo: What the user can do when it refuses.

    Raises:
        HostError: as `call`; or it refused.
    """
    answer = call(thing, name, *arguments)
    if answer is None or answer is False or (isinstance(answer, (str, list, dict, tuple)) and not answer):
        raise HostError(f"the host answered {answer!r} to {name}: {todo}")
    return answer


def attempt(thing: Any, name: str, *arguments: Any) -> bool:
    """Whether the host did it; for what the work does not hang on, and for putting things back."""
    try:
        return bool(call(thing, name, *arguments))
    except HostError:
        return False


def number_of(thing: Any, name: str, *arguments: Any) -> int:
    """A count or frame number that the host answers.

    Raises:
        HostError: as `call`; or it is no number.
    """
    answer = call(thing, name, *arguments)
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        raise HostError(f"the host answered {answer!r} to {name}: expected a number; run the script again")
    return round(answer)


def listed(answer: Any) -> list[Any]:
    """A list that the host answered: some versions give a table with the keys 1, 2, 3 ..., or None for an empty one."""
    if isinstance(answer, dict):
        return [answer[key] for key in sorted(answer)]
    return list(answer or [])


def same(one: Any, other: Any) -> bool:
    """Whether two answers mean the same object: the host wraps it anew in each answer."""
    if one is None or other is None:
        return False
    return one is other or bool(call(one, "GetUniqueId") == call(other, "GetUniqueId"))
