"""Finds apps by name, by INSTALLED_APPS or by entry point, and where each keeps its revisions."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint
from pathlib import Path, PurePosixPath

from framework_m_migrations.adapters.installed import entry_points_of
from framework_m_migrations.domain.errors import (
    AppBroken,
    AppNotFound,
    ConfigurationError,
    MigrationError,
    VersionFolderMissing,
)
from framework_m_migrations.ports.app_discovery import App

_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
_DOTTED_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Located:
    """An app's package. ``folder`` is None for a single module, which has no place for revisions."""

    package: str
    folder: Path | None


def is_module_name(name: str) -> bool:
    """True for what could be imported: no path, no relative name."""
    return _DOTTED_NAME.fullmatch(name) is not None


def locate(module: str) -> Located | None:
    """The app package that holds ``module``: its first part that is a regular package.

    For ``wms.plugin`` that is ``wms``; where ``suite`` is a namespace package, ``suite.shop.app`` belongs to
    ``suite.shop``. None when there is no such module.

    Raises:
        AppBroken: the package lies in an archive, or is a namespace package alone, so that it has no folder.
        AppNotFound: ``module`` is no module name, or a part of Python itself, whose folders are not ours to write to.
    """
    if not is_module_name(module):
        raise AppNotFound(f"{module!r} is not the name of an app or of a package.")
    parts = module.split(".")
    spec = _top_level(parts[0])
    name = parts[0]
    for part in parts[1:]:
        if spec is None or not _is_namespace(spec):
            break
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations)
    if spec is None:
        return None
    if _is_namespace(spec):
        raise AppBroken(
            f"{name!r} is a namespace package: it has no folder of its own.",
            next_step=f"Name the package inside it ({name}.something), or give it an __init__.py.",
            details={"package": name},
        )
    folder = _folder(name, spec)
    if folder is not None and parts[0] in sys.stdlib_module_names and folder.is_relative_to(_STANDARD_LIBRARY):
        raise AppNotFound(f"{name!r} is a part of Python, not an app.", details={"package": name})
    return Located(name, folder)


def _top_level(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ValueError:
        # A module made by hand, such as __main__, has no spec; it cannot be an installed app.
        return None
    except ImportError as error:
        raise AppBroken(f"The package {name!r} cannot be looked up: {error}", details={"package": name}) from error


def _is_namespace(spec: ModuleSpec) -> bool:
    return spec.origin is None and spec.submodule_search_locations is not None


def _folder(name: str, spec: ModuleSpec) -> Path | None:
    if spec.submodule_search_locations is None:
        return None
    folder = Path(next(iter(spec.submodule_search_locations), ""))
    if not folder.is_dir():
        raise AppBroken(
            f"The package {name!r} is at {folder}, which is no folder; revisions and hooks are read from folders only.",
            next_step="Install the package unpacked, not as a zip archive.",
            details={"package": name, "location": str(folder)},
        )
    return folder.resolve()


def error_place(error: BaseException) -> str:
    """``file, line n`` where an import failed, as near to the cause as can be told; empty when nowhere."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    place = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith("<frozen") and code.co_filename != _IMPORTLIB:
            place = f" ({code.co_filename}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


_IMPORTLIB = sys.modules["importlib"].__file__


# Where an app keeps its revisions: three layouts, in a fixed order, never outside its package.


VERSIONS = "migrations/versions"
FLAT = "migrations"
ALEMBIC = "alembic/versions"

_REVISION_LINE = re.compile(r"^(\w+\s*,\s*)*revision\b\s*([:,][^=\n]+)?=", re.MULTILINE)


def declares_revision(file: Path) -> bool:
    """True for a file that says ``revision = ...`` on its top level; nothing is run to find out."""
    try:
        return _REVISION_LINE.search(file.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        # What cannot be read may well be a revision: the track then reports it with its cause.
        return True


def declares(folder: Path, revision: str) -> bool:
    """True where a file of the folder has this revision, as far as its text shows."""
    quoted = re.compile(rf"""["']{re.escape(revision)}["']""")
    for file in folder.glob("*.py"):
        text = file.read_text(encoding="utf-8", errors="replace")
        line = _REVISION_LINE.search(text)
        if line is not None and quoted.search(text, line.start(), text.find("\n", line.end())):
            return True
    return False


def version_folder(package_folder: Path, app: str, configured: str | None = None) -> Path | None:
    """The folder with an app's revisions, None when it has none.

    Args:
        package_folder: of the app's package, resolved.
        app: its name, for messages.
        configured: a folder relative to the package, when the settings name one.

    Raises:
        ConfigurationError: ``configured`` leads out of the package.
        VersionFolderMissing: ``configured`` does not exist.
        AppBroken: the folder, or a file in it, is a link to one outside of the package, or to nothing.
    """
    if configured is not None:
        return without_foreign_links(_configured(package_folder, app, configured), package_folder, app)
    for layout in (VERSIONS, FLAT, ALEMBIC):
        folder = package_folder / layout
        refuse_dangling(folder.parent, app)
        refuse_dangling(folder, app)
        if not folder.is_dir():
            continue
        if layout == FLAT and not _holds_revision(folder):
            continue
        if not is_inside(folder, package_folder):
            raise AppBroken(
                f"{folder} of app {app!r} leads to {folder.resolve()}, outside of its package; it was not used.",
                next_step="Put the folder itself there; or remove the link, and list its target in version_locations "
                "of the project's alembic.ini.",
                details={"app": app, "folder": str(folder), "target": str(folder.resolve())},
            )
        return without_foreign_links(folder.resolve(), package_folder, app)
    return None


def without_foreign_links(folder: Path, package_folder: Path, app: str) -> Path:
    """The same folder, once it is certain that no Python file in it is a link to somewhere else.

    Code is run from the folders of installed apps only. A package whose own ``__init__.py`` is a link was installed as
    a tree of links (setuptools' strict editable mode, Bazel), and where that one leads the others may lead too.

    Raises:
        AppBroken: there is such a link.
    """
    links = [Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(".py") and entry.is_symlink()]
    homes = (package_folder.resolve(), (package_folder / "__init__.py").resolve().parent)
    for link in sorted(links):
        refuse_dangling(link, app)
        target = link.resolve()
        if not any(target.is_relative_to(home) for home in homes):
            raise AppBroken(
                f"{link} of app {app!r} is a link to {target}, outside of its package; it was not run.",
                next_step="Put the file itself there.",
                details={"app": app, "file": str(link), "target": str(target)},
            )
    return folder


def refuse_dangling(path: Path, app: str) -> None:
    """Make sure that a path is no symbolic link to what does not exist, or to itself.

    Raises:
        AppBroken: it is.
    """
    if path.is_symlink() and not path.exists():
        raise AppBroken(
            f"{path} of app {app!r} is a link to {path.readlink()}, which does not exist or leads back to the link.",
            next_step="Correct the link, or put the file or folder itself there.",
            details={"app": app, "file": str(path), "target": str(path.readlink())},
        )


def new_version_folder(package_folder: Path, configured: str | None = None) -> Path | None:
    """Where the first revision of an app would go; None when something stands in the way there."""
    folder = package_folder / (configured or VERSIONS)
    return folder if is_inside(folder, package_folder) else None


def _configured(package_folder: Path, app: str, configured: str) -> Path:
    relative = PurePosixPath(configured.replace("\\", "/"))
    folder = package_folder / relative
    if relative.is_absolute() or ".." in relative.parts or not is_inside(folder, package_folder):
        raise ConfigurationError(
            f"The version folder {configured!r} of app {app!r} leads out of its package.",
            details={"app": app, "folder": configured},
        )
    if not _is_folder(folder):
        raise VersionFolderMissing(
            f"App {app!r} is to keep its revisions in {configured}, but {folder} does not exist.",
            next_step="Create the folder, or correct the setting.",
            details={"app": app, "folder": str(folder)},
        )
    return folder.resolve()


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # Too long for a name, for example: what cannot be looked at is not there.
        return False


def is_inside(folder: Path, package_folder: Path) -> bool:
    """True when the folder, with its symbolic links followed, lies in the package."""
    try:
        return folder.resolve().is_relative_to(package_folder.resolve())
    except (ValueError, OSError):
        # No file system has such a name: a NUL, or what is no text.
        return False


def _holds_revision(folder: Path) -> bool:
    return any(file.name != "__init__.py" and declares_revision(file) for file in sorted(folder.glob("*.py")))


# Finds apps by name, by INSTALLED_APPS, or by entry point.


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
        self._installed = installed or _apps

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
                has = app.version_folder is not None and declares(Path(app.version_folder), revision)
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
        if folder is None or not inner or version_folder(folder, located.package) is not None:
            return located
        parts = inner.split(".")
        for length in range(len(parts), 0, -1):
            package = folder.joinpath(*parts[:length])
            refuse_dangling(package, name)
            if (package / "__init__.py").is_file() and version_folder(package, name) is not None:
                if not is_inside(package, folder):
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
            version_folder(located.folder, name, configured),
            new_version_folder(located.folder, configured),
        )


def _same(module: str, package: str) -> bool:
    """True when the module is in the package."""
    return module == package or module.startswith(f"{package}.")


def _apps() -> Iterable[EntryPoint]:
    return entry_points_of(ENTRY_POINT_GROUP)
