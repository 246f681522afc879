"""Where a project keeps a history of its own, and where an app does that nobody looks at."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from configparser import RawConfigParser
from dataclasses import dataclass
from pathlib import Path

from framework_m_migrations.domain.errors import VersionFolderMissing
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
