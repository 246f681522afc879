"""The entry points of installed packages, which are read once: each reading opens a file of every package."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoints, entry_points


def entry_points_of(group: str) -> EntryPoints:
    """The entry points of a group.

    What is installed while the program runs is seen where it lies in a folder that is new in ``sys.path``.
    """
    return _all(tuple(sys.path)).select(group=group)


@cache
def _all(path: tuple[str, ...]) -> EntryPoints:  # noqa: ARG001 - what is installed hangs on it
    return entry_points()
