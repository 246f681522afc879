"""Finds apps by name, by INSTALLED_APPS, or by entry point."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from framework_m_migrations.adapters.filesystem import folders
from framework_m_migrations.adapters.filesystem.packages import Located, is_module_name, locate
from framework_m_migrations.domain.errors import AppBroken, AppNotFound, MigrationError
from framework_m_migrations.ports.app_discovery import App

ENTRY_POINT_GROUP = "framework_m.apps"


class FilesystemDiscovery:
    """AppDiscovery over installed packages. Imports none of them.

    Args:
        names: apps asked for, each by the name of its entry point or of its package.
        installed_apps: the value of INSTALLED_APPS (separated by commas or white space), used when ``names`` is empty.
        version_folders: app name to the folder of its revisions relative to its package, where it is none of the
            three that are looked for.
        installed: what gives the entry points; by default those of the running Python.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        installed_apps: str | None = None,
        *,
        version_folders: Mapping[str, str] | None = None,
        installed: Callable[[], Iterable[EntryPoint]] | None = None,
    ) -> None:
        self._names = tuple(names) or tuple(
            re.split(r"[,\s]+", installed_apps.strip(", \t\n")) if installed_apps else ()
        )
        self._names = tuple(name for name in self._names if name)
        self._version_folders = dict(version_folders or {})
        self._installed = installed or _entry_points

    def apps(self) -> tuple[App, ...]:
        """All apps: in the order given, or that of their names when the entry points decide.

        Raises:
            AppNotFound: a name is neither an entry point's nor a package's; the known ones are listed.
            AppBroken: a package has no folder that could be read.
            VersionFolderMissing, ConfigurationError: a configured version folder is not there, or not in the package.
        """
        known = self._known()
        found: dict[str, App] = {}
        for name in self._names or sorted(known):
            app = self._app(*self._resolve(name, known))
            found.setdefault(app.name, app)
        return tuple(found.values())

    def holding(self, revision: str) -> tuple[str, ...]:
        """See the port: looked for among the entry points, and among the packages beside those that were asked for."""
        asked = self.apps()
        known = self._known()
        places = {located.folder.parent for app in asked if (located := locate(app.package)) and located.folder}
        beside = [init.parent.name for place in sorted(places) for init in sorted(place.glob("*/__init__.py"))]
        found: list[str] = []
        for name in (*sorted(known), *beside):
            with suppress(MigrationError, OSError):
                app = self._app(*self._resolve(name, known))
                has = app.version_folder is not None and folders.declares(Path(app.version_folder), revision)
                if has and app.name not in {*found, *(one.name for one in asked)}:
                    found.append(app.name)
        return tuple(found)

    def _known(self) -> dict[str, str]:
        """Entry point name to the module it names."""
        known: dict[str, str] = {}
        for entry in self._installed():
            module = entry.value.split(":", 1)[0].strip()
            if known.setdefault(entry.name, module) != module:
                raise AppBroken(
                    f"Two installed packages call their app {entry.name!r}: {known[entry.name]} and {module}.",
                    next_step="Uninstall one of them, or rename its entry point.",
                    details={"app": entry.name, "modules": [known[entry.name], module]},
                )
        return known

    def _resolve(self, name: str, known: Mapping[str, str]) -> tuple[str, Located]:
        """The app's own name and its place."""
        if name in known:
            located = locate(known[name])
            if located is None:
                raise AppNotFound(
                    f"The entry point {name!r} names the module {known[name]!r}, which is not there.",
                    next_step="Install the app again: its entry point and its package do not fit together.",
                    details={"app": name, "module": known[name]},
                )
            return name, located
        located = locate(name) if is_module_name(name) else None
        if located is None or (located.package != name and not name.startswith(f"{located.package}.")):
            raise self._not_found(name, known)
        located = self._innermost(name, located)
        # An app keeps one name however it is asked for: revisions carry it as their branch label.
        aliases = [entry for entry, module in known.items() if _same(module, located.package)]
        return (aliases[0] if len(aliases) == 1 else located.package), located

    def _innermost(self, name: str, located: Located) -> Located:
        """The package inside the app's that was named and keeps revisions, where the app itself keeps none."""
        folder = located.folder
        inner = name[len(located.package) + 1 :]
        if folder is None or not inner or folders.version_folder(folder, located.package) is not None:
            return located
        parts = inner.split(".")
        for length in range(len(parts), 0, -1):
            package = folder.joinpath(*parts[:length])
            folders.refuse_dangling(package, name)
            if (package / "__init__.py").is_file() and folders.version_folder(package, name) is not None:
                if not folders.is_inside(package, folder):
                    raise AppBroken(
                        f"The package {package} of app {name!r} is a link to {package.resolve()}, outside of "
                        f"{located.package}; its revisions were not read.",
                        next_step="Put the package itself there, or install it by a name of its own.",
                        details={"app": name, "folder": str(package), "target": str(package.resolve())},
                    )
                return Located(".".join((located.package, *parts[:length])), package)
        return located

    def _not_found(self, name: str, known: Mapping[str, str]) -> AppNotFound:
        listed = ", ".join(sorted(known)) or "none"
        return AppNotFound(
            f"There is no app {name!r}: neither an entry point of the group {ENTRY_POINT_GROUP} nor a package. "
            f"Installed apps: {listed}.",
            next_step="Install the app or correct its name.",
            details={"app": name, "known": sorted(known)},
        )

    def _app(self, name: str, located: Located) -> App:
        if located.folder is None:
            return App(name, located.package)
        configured = self._version_folders.get(name)
        return App(
            name,
            located.package,
            folders.version_folder(located.folder, name, configured),
            folders.new_version_folder(located.folder, configured),
        )


def _same(module: str, package: str) -> bool:
    """True when the module is in the package."""
    return module == package or module.startswith(f"{package}.")


def _entry_points() -> Iterable[EntryPoint]:
    return entry_points(group=ENTRY_POINT_GROUP)
