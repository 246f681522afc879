"""Who holds which folder in this worker, so that a command run by an application that holds its store joins in."""

from __future__ import annotations

from framework_m_migrations.ports.persistence import Persistence

_holders: dict[str, Persistence] = {}


def enter(folder: str, holder: Persistence) -> None:
    """The holder has loaded the folder."""
    _holders[folder] = holder


def leave(folder: str, holder: Persistence) -> None:
    """The holder has released the folder."""
    if _holders.get(folder) is holder:
        del _holders[folder]


def holder_of(path: str) -> Persistence | None:
    """Who has loaded the folder that a path is in, at whatever depth; None when nobody has."""
    for folder, holder in _holders.items():
        if path.startswith(f"{folder.rstrip('/')}/"):
            return holder
    return None
