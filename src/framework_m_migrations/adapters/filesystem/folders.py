"""Where an app keeps its revisions: three layouts, in a fixed order, never outside its package."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from framework_m_migrations.domain.errors import AppBroken, ConfigurationError, VersionFolderMissing

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
