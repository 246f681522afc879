"""Revision files: where a project keeps them; loaded once and checked as they are loaded."""

from __future__ import annotations

import importlib.util
import os
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from configparser import RawConfigParser
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import alembic.util as alembic_util
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError as AlembicRevisionError

from framework_m_migrations.adapters.sql.engines import redact
from framework_m_migrations.adapters.sql.revisions.failures import failing_line
from framework_m_migrations.domain.errors import (
    RevisionCycle,
    RevisionFileBroken,
    UnknownRevision,
    VersionFolderMissing,
)
from framework_m_migrations.domain.revisions import Position, Revision, RevisionGraph
from framework_m_migrations.ports.app_discovery import App

_REVISION = re.compile(r"^(\w+\s*,\s*)*down_revision\b\s*([:,][^=\n]+)?=", re.MULTILINE)
_TOML_TABLE = re.compile(r"^\s*\[tool\.alembic[\].]", re.MULTILINE)
_PASSED_OVER = {"__pycache__", "node_modules", "site-packages"}


@dataclass(frozen=True, slots=True)
class ProjectLayout:
    """What a project's folder has of Alembic.

    Attributes:
        ini: the configuration whose env.py is run, None where there is none, or where it cannot run by itself.
        folders: version folders that belong to no such configuration.
    """

    ini: Path | None = None
    folders: tuple[Path, ...] = ()


def layout_of(project: Path) -> ProjectLayout:
    """Alembic's own layout (alembic.ini or pyproject.toml), or that of Flask-Migrate.

    Flask-Migrate keeps alembic.ini beside the revisions, in ``migrations``, and gives it the script location when it
    runs; its env.py works inside the application only, so the revisions are run without it.

    Args:
        project: the folder.
    """
    ini = project / "alembic.ini"
    if ini.is_file() or toml_of(project) is not None:
        return ProjectLayout(ini)
    inner = project / "migrations" / "alembic.ini"
    if not inner.is_file():
        return ProjectLayout()
    parser = RawConfigParser()
    parser.read(inner, encoding="utf-8")
    if parser.has_option("alembic", "script_location"):
        return ProjectLayout(inner)
    return ProjectLayout(None, (inner.parent / "versions",))


def toml_of(project: Path) -> Path | None:
    """The project's pyproject.toml where it configures Alembic."""
    file = project / "pyproject.toml"
    if file.is_file() and _TOML_TABLE.search(file.read_text(encoding="utf-8", errors="replace")):
        return file
    return None


def holds_revisions(folder: Path) -> bool:
    """Whether a file in it is a revision; nothing is run to find out."""
    if not folder.is_dir():
        return False
    files = sorted(folder.glob("*.py"))
    return any(_REVISION.search(file.read_text(encoding="utf-8", errors="replace")) for file in files)


def refuse_hidden_history(app: App, known: Collection[Path], others: Collection[App]) -> None:
    """Make sure that an app without a version folder has no revisions elsewhere in its package.

    Args:
        app: the app.
        known: folders that are looked at, resolved.
        others: the apps that are looked at; what lies in the package of one of them is its own affair.

    Raises:
        VersionFolderMissing: it has; to go on would pass them over in silence.
    """
    package = package_folder(app)
    if package is None:
        return
    apart = {folder for other in others if other != app and (folder := package_folder(other)) is not None}
    apart.discard(package)
    found = [folder for folder in _version_folders(package, apart) if folder.resolve() not in known]
    if found:
        shown = ", ".join(str(folder) for folder in found)
        owner = _owner(app, package, found[0])
        named = f"Name the package that has them, `--apps {owner}`, or list" if owner != app.package else "List"
        raise VersionFolderMissing(
            f"App {app.name!r} has no revisions where they are looked for (migrations/versions, migrations and "
            f"alembic/versions of its package), but there are some in {shown}.",
            next_step=f"{named} the folder in version_locations of the project's alembic.ini.",
            details={"app": app.name, "folders": [str(folder) for folder in found]},
        )


def package_folder(app: App) -> Path | None:
    """The folder of the app's package; None for a single module, and where its new revisions go to another place."""
    chosen = None if app.new_version_folder is None else Path(app.new_version_folder)
    if chosen is None or chosen.parts[-2:] not in {("migrations", "versions"), ("alembic", "versions")}:
        return None
    package = chosen.parents[1]
    # Without this, a folder that somebody else's projects lie in too could be taken for the package.
    return package if (package / "__init__.py").is_file() else None


def _version_folders(package: Path, apart: Collection[Path]) -> Iterator[Path]:
    for at, folders, _ in os.walk(package):
        here = Path(at)
        folders[:] = sorted(
            name for name in folders if name not in _PASSED_OVER and name[0] != "." and here / name not in apart
        )
        if (here.name == "versions" or (here.parent / "script.py.mako").is_file()) and holds_revisions(here):
            yield here
        # os.walk does not follow links: they could lead in a circle, or through the whole machine.
        for link in (here / name for name in folders if (here / name).is_symlink()):
            yield from (place for place in (link, link / "versions") if holds_revisions(place))


def _owner(app: App, package: Path, folder: Path) -> str:
    """The innermost package of the app round the folder, less Alembic's own folders."""
    name, at = app.package, package
    for part in folder.relative_to(package).parts:
        at = at / part
        if not (at / "__init__.py").is_file() or part in {"migrations", "alembic", "versions"}:
            break
        name = f"{name}.{part}"
    return name


# Revision files, loaded once and checked as they are loaded.
#
# Alembic warns, or fails with a KeyError, where files do not fit together; here each such case has its own
# error that names the files. What Alembic gets is a ScriptDirectory of its own kind, so that all of its
# commands go on working.


TEMPLATE_FOLDER = Path(__file__).with_name("template")
"""The package's own script location: Alembic wants a folder with a script.py.mako, and a project need not have one."""

SQUASHED = "squashed"
"""The folder beside a squashed revision that has the files which it replaced."""

_REVISION_FILE = re.compile(r"(?!\.#|__init__)[^.].*\.py$")
_REVISION_LINE = re.compile(r"^(\w+\s*,\s*)*revision\b\s*([:,][^=\n]+)?=", re.MULTILINE)
ID_LENGTH = 255
"""The longest id: a version table is widened to it where one does not fit into what Alembic makes."""


@dataclass(frozen=True, slots=True)
class Location:
    """A version folder and the app it belongs to. ``strict``: every Python file in it must be a revision."""

    folder: Path
    app: str | None = None
    strict: bool = True


type Signature = tuple[tuple[str, int, int], ...]


def files_of(locations: Iterable[Location]) -> Iterator[tuple[Location, Path]]:
    """Every revision file once, in order of folders and names."""
    seen: set[Path] = set()
    for location in locations:
        if not location.folder.is_dir():
            continue
        for file in sorted(location.folder.iterdir()):
            real = file.resolve()
            if real in seen or not _REVISION_FILE.fullmatch(file.name) or not file.is_file():
                continue
            seen.add(real)
            yield location, real


def signature_of(locations: Sequence[Location]) -> Signature:
    """What tells whether the files have changed since they were loaded."""
    stats = ((file, file.stat()) for _, file in files_of(locations))
    return tuple((str(file), stat.st_mtime_ns, stat.st_size) for file, stat in stats)


class Library(ScriptDirectory):
    """All revisions of all apps.

    Args:
        locations: version folders in the order of apps.
        home: the project's own script location (with its env.py), or None for the package's.
        skip: files that are passed over.

    Raises:
        RevisionFileBroken: a file cannot be loaded, or two have one id.
        UnknownRevision: a file names a parent that no file has.
        RevisionCycle: files wait for each other.
    """

    def __init__(
        self, locations: Sequence[Location], home: Path | None = None, *, skip: frozenset[Path] = frozenset()
    ) -> None:
        self.locations = tuple(locations)
        self.signature = signature_of(self.locations)
        self._stats = {file: (modified, size) for file, modified, size in self.signature}
        self._scripts, self._apps = _load(self.locations, skip)
        super().__init__(
            str(home or TEMPLATE_FOLDER),
            version_locations=[str(location.folder) for location in self.locations],
            messaging_opts={"quiet": True},
        )
        labels = {label: one.revision for one in self._scripts.values() for label in _declared_labels(one)}
        self.graph = RevisionGraph(tuple(self._revision(script, labels) for script in self._scripts.values()))
        self.position = Position(self.graph)
        self._check_map()

    def _load_revisions(self) -> Iterator[Script]:
        yield from self._scripts.values()

    def script(self, revision: str) -> Script:
        """The file of a revision; raises UnknownRevision."""
        if revision not in self._scripts:
            raise UnknownRevision(f"No installed app has revision {revision!r}.", details={"revision": revision})
        return self._scripts[revision]

    def holds(self, revision: str) -> bool:
        """Whether it has the revision, as its file is now."""
        script = self._scripts.get(revision)
        if script is None:
            return False
        try:
            stat = Path(script.path).stat()
        except OSError:
            return False
        return self._stats.get(script.path) == (stat.st_mtime_ns, stat.st_size)

    def app_of(self, revision: str) -> str | None:
        """The app whose folder holds the revision."""
        return self._apps.get(revision)

    def _revision(self, script: Script, labels: dict[str, str]) -> Revision:
        depends_on = tuple(
            self._resolve(script, name, labels) for name in alembic_util.to_tuple(script.dependencies, ())
        )
        # Alembic knows ids and labels; what is shortened is spelled out before it looks.
        script.dependencies = depends_on or None
        down = tuple(name for name in alembic_util.to_tuple(script.down_revision, ()) if name)
        return Revision(
            script.revision,
            self._apps[script.revision],
            down,
            depends_on,
            _declared_labels(script),
            script.doc,
            script.path,
            getattr(script.module, "contract_of", None),
            getattr(script.module, "new_database", None) == "sync",
            tuple(getattr(script.module, "replaces", ())),
            tuple((table, name) for table, name in getattr(script.module, "drops", ())),
        )

    @property
    def squashes(self) -> tuple[Revision, ...]:
        """Revisions that replaced others whose files are still there."""
        return tuple(
            one for one in self.graph.revisions if one.replaces and one.path and _squashed_folder(one.path).is_dir()
        )

    def unsquashed(self, squashes: Sequence[Revision]) -> Library:
        """The same revisions, with the files that some of them replaced in their place."""
        files = [Path(one.path) for one in squashes if one.path]
        more = tuple(Location(_squashed_folder(one.path), one.app) for one in squashes if one.path)
        skip = frozenset(file.resolve() for file in files)
        return Library((*self.locations, *more), Path(self.dir), skip=skip)

    def _resolve(self, script: Script, name: str, labels: dict[str, str]) -> str:
        if name in self._scripts:
            return name
        if name in labels:
            return labels[name]
        label, _, suffix = name.rpartition("@")
        if suffix in {"head", "heads", "base"}:
            raise RevisionFileBroken(
                f"{script.path}: depends_on names {name!r}; a dependency must be a fixed revision.",
                next_step=f"Write the id of the revision of {label or 'the other app'} that it needs.",
                details={"file": script.path, "depends_on": name},
            )
        matches = [one for one in self._scripts if one.startswith(name)] if len(name) >= 4 else []
        if len(matches) == 1:
            return matches[0]
        raise UnknownRevision(
            f"Revision {script.revision!r} ({script.path}) depends on {name!r}, "
            + (f"which could be any of {', '.join(matches)}." if matches else "which no installed app has."),
            next_step="Install the app that has it, or correct depends_on.",
            details={"revision": script.revision, "missing": name},
        )

    def _check_map(self) -> None:
        """Let Alembic build its own map now, so that what it alone objects to is known before anything is done."""
        try:
            with warnings.catch_warnings():
                # A reference to nothing, such as down_revision = "", is only warned of.
                warnings.simplefilter("error", UserWarning)
                _ = self.revision_map.heads
        except (alembic_util.CommandError, UserWarning) as error:
            raise RevisionFileBroken(f"The revisions do not fit together: {error}") from error
        except Exception as error:
            # Cycles and labels used twice come as RevisionError, which is no CommandError.
            if type(error).__module__ != "alembic.script.revision":
                raise
            kind = RevisionCycle if "Cycle" in type(error).__name__ else RevisionFileBroken
            raise kind(f"The revisions do not fit together: {error}") from error


def offline_config() -> Config:
    """For revisions that look at ``context.config``: it knows of no database."""
    config = Config()
    config.set_main_option("script_location", str(TEMPLATE_FOLDER).replace("%", "%%"))
    return config


def _declared_labels(script: Script) -> tuple[str, ...]:
    """The labels written in the file itself; Alembic later adds those that it inherits."""
    return tuple(alembic_util.to_tuple(getattr(script.module, "branch_labels", None), ()))


def _squashed_folder(path: str) -> Path:
    return Path(path).parent / SQUASHED


def _load(locations: Sequence[Location], skip: frozenset[Path]) -> tuple[dict[str, Script], dict[str, str | None]]:
    scripts: dict[str, Script] = {}
    apps: dict[str, str | None] = {}
    for location, file in files_of(locations):
        if file in skip:
            continue
        script = _load_file(location, file)
        if script is None:
            continue
        other = scripts.get(script.revision)
        if other is not None:
            raise RevisionFileBroken(
                f"Two files have the revision {script.revision!r}: {other.path} and {script.path}.",
                next_step="Give one of them another id, or remove the copy.",
                details={"revision": script.revision, "files": [str(other.path), str(script.path)]},
            )
        scripts[script.revision] = script
        apps[script.revision] = location.app
    return scripts, apps


def _load_file(location: Location, file: Path) -> Script | None:
    try:
        module = _module(file)
    # A revision file is the user's own code: it can raise anything, and must not be passed over.
    except (Exception, SystemExit) as error:
        if not location.strict and not _REVISION_LINE.search(file.read_text(encoding="utf-8", errors="replace")):
            return None
        line = failing_line(error, file)
        raise _broken(location, file, f"{type(error).__name__}: {error}", line) from error
    revision = getattr(module, "revision", None)
    if revision is None and not location.strict:
        return None
    _check_header(location, file, module, revision)
    try:
        return Script(module, str(revision), os.fspath(file))
    except AlembicRevisionError as error:
        # It names itself as its own parent or dependency.
        raise RevisionCycle(
            f"Revision {revision!r} waits for itself: {file}.", details={"revision": revision, "file": str(file)}
        ) from error


class _FileAsItIs(SourceFileLoader):
    """Compiles the file each time.

    Python tells compiled code that it keeps from the source by its second and its size: what was edited within a second
    and has as many letters as before would not be run.
    """

    def path_stats(self, path: str) -> Mapping[str, Any]:
        raise OSError(f"nothing compiled is kept of {path}")


def _module(file: Path) -> ModuleType:
    name = re.sub(r"\W", "_", file.name)
    loader = _FileAsItIs(name, str(file))
    module = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=str(file)))
    module.__file__ = str(file)
    loader.exec_module(module)
    return module


def _check_header(location: Location, file: Path, module: ModuleType, revision: object) -> None:
    if not isinstance(revision, str) or not revision:
        raise _broken(location, file, 'it has no `revision = "..."`')
    if len(revision) > ID_LENGTH:
        raise _broken(location, file, f"its id has {len(revision)} characters; the longest one has {ID_LENGTH}")
    illegal = set(revision).intersection("@-+:'\"\\")
    if illegal:
        raise _broken(location, file, f"its id {revision!r} holds {', '.join(sorted(illegal))}")
    if not hasattr(module, "down_revision"):
        raise _broken(location, file, "it has no `down_revision = ...` (None for the first one)")
    if not isinstance(getattr(module, "contract_of", None), str | None):
        raise _broken(location, file, "its contract_of is neither None nor the id of a revision")
    if getattr(module, "new_database", None) not in (None, "sync"):
        raise _broken(location, file, 'its new_database is neither None nor "sync"')
    replaces = getattr(module, "replaces", ())
    if not isinstance(replaces, tuple | list) or not all(isinstance(name, str) for name in replaces):
        raise _broken(location, file, "its replaces is no sequence of ids of revisions")
    drops = getattr(module, "drops", ())
    if not isinstance(drops, tuple | list) or not all(isinstance(one, tuple) and len(one) == 2 for one in drops):
        raise _broken(location, file, "its drops is no sequence of pairs of a table and a name")
    for name in ("down_revision", "depends_on", "branch_labels"):
        value = getattr(module, name, None)
        entries = value if isinstance(value, tuple | list | set) else (value,)
        if not all(entry is None or isinstance(entry, str) for entry in entries):
            raise _broken(location, file, f"its {name} is neither None, a string nor a sequence of strings")
    if not callable(getattr(module, "upgrade", None)):
        raise _broken(location, file, "it has no function upgrade()")


def _broken(location: Location, file: Path, cause: str, line: int | None = None) -> RevisionFileBroken:
    owner = f" of app {location.app!r}" if location.app else ""
    place = f", line {line}" if line else ""
    return RevisionFileBroken(
        f"The revision file {file}{place}{owner} cannot be loaded: {redact(cause)}.",
        details={"file": str(file), "line": line, "app": location.app},
    )
