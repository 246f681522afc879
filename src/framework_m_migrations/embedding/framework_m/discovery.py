"""The apps of a Framework M project, found where the host looks for them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from framework_m_core.config import get_installed_apps

from framework_m_migrations.adapters.filesystem.apps import ENTRY_POINT_GROUP, FilesystemDiscovery
from framework_m_migrations.ports.app_discovery import App

OWN_PACKAGE = "framework_m_migrations"


def host_apps(names: Sequence[str], project: Path) -> tuple[App, ...]:
    """The apps asked for; else the host's installed apps; else all entry points; else the packages in ``src``.

    The host reads FRAMEWORK_M_INSTALLED_APPS, INSTALLED_APPS, SERVICE_NAME and framework_config.toml, and takes
    ``m-shop`` and ``m_shop`` for one name. Its last resort are the project's own packages, as here.

    Args:
        names: from ``--apps``.
        project: the project's folder.

    Raises:
        AppNotFound: there is no such app.
        AppBroken: a package cannot be looked up, or an entry point cannot be read.
    """
    known = {_normal(entry.name): entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)}
    asked = tuple(names) or tuple(get_installed_apps() or ())
    chosen = [name for name in asked if _normal(name) != OWN_PACKAGE]
    # An app of the project's src folder goes by its package's name, installed or not.
    unknown = not known if not asked else any(_normal(name) not in known for name in chosen)
    local = _local_packages(project) if unknown else []
    known = {_normal(name): name for name in local} | known
    wanted = [known.get(_normal(name), name) for name in chosen] if asked else local
    if not wanted and (asked or not known):
        return ()
    return FilesystemDiscovery(tuple(dict.fromkeys(wanted))).apps()


class HostDiscovery:
    """AppDiscovery over ``host_apps``.

    Args:
        names: from ``--apps``.
        project: the project's folder.
    """

    def __init__(self, names: Sequence[str], project: Path) -> None:
        self._names = tuple(names)
        self._project = project

    def apps(self) -> tuple[App, ...]:
        """See ``host_apps``."""
        return host_apps(self._names, self._project)

    def holding(self, revision: str) -> tuple[str, ...]:
        """See the port."""
        return FilesystemDiscovery(tuple(app.package for app in self.apps())).holding(revision)


def _normal(name: str) -> str:
    return name.strip().replace("-", "_")


def _local_packages(project: Path) -> list[str]:
    """Packages under ``src`` of a project that is not installed."""
    source = project / "src"
    if not source.is_dir():
        return []
    found = sorted(folder.name for folder in source.iterdir() if (folder / "__init__.py").is_file())
    if found and str(source.resolve()) not in sys.path:
        sys.path.insert(0, str(source.resolve()))
    return found
