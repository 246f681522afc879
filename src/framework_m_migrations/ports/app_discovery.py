"""Which apps there are and where they keep their revisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol


@dataclass(frozen=True, slots=True)
class App:
    """An installed app.

    ``package`` is its import name; ``version_folder`` where its revisions are, None when it has none;
    ``new_version_folder`` where the first one would be made.
    """

    name: str
    package: str
    version_folder: PurePath | None = None
    new_version_folder: PurePath | None = None


class AppDiscovery(Protocol):
    """Finds apps: those named by the settings, else INSTALLED_APPS, else the entry points ``framework_m.apps``.

    Obligations:
        - The order is the one given, or that of names for entry points; stable from call to call.
        - A version folder is looked for in migrations/versions, migrations, alembic/versions, in this order, within
          the app's package only: never outside it.
    """

    def apps(self) -> tuple[App, ...]:
        """All apps.

        Raises:
            AppNotFound: a named app cannot be found.
            AppBroken: its package cannot be imported, or has no folder of its own.
        """
        ...

    def holding(self, revision: str) -> tuple[str, ...]:
        """Names of apps that were not asked for and have a revision of this id; empty where none is found."""
        ...
