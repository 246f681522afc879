"""Where an app keeps its revisions: three layouts, in a fixed order, never outside its package."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from framework_m_migrations.domain.errors import ConfigurationError, VersionFolderMissing

VERSIONS = "migrations/versions"
FLAT = "migrations"
ALEMBIC = "alembic/versions"

_REVISION_LINE = re.compile(r"^revision\b\s*(:[^=\n]+)?=", re.MULTILINE)


def declares_revision(file: Path) -> bool:
    """True for a file that says ``revision = ...`` on its top level; nothing is run to find out."""
    try:
        return _REVISION_LINE.search(file.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        # What cannot be read may well be a revision: the track then reports it with its cause.
        return True


def version_folder(package_folder: Path, app: str, configured: str | None = None) -> Path | None:
    """The folder with an app's revisions, None when it has none.

    Args:
        package_folder: of the app's package, resolved.
        app: its name, for messages.
        configured: a folder relative to the package, when the settings name one.

    Raises:
        ConfigurationError: ``configured`` leads out of the package.
        VersionFolderMissing: ``configured`` does not exist.
    """
    if configured is not None:
        return _configured(package_folder, app, configured)
    for layout in (VERSIONS, FLAT, ALEMBIC):
        folder = package_folder / layout
        if not folder.is_dir() or not _is_inside(folder, package_folder):
            continue
        if layout == FLAT and not _holds_revision(folder):
            continue
        return folder.resolve()
    return None


def new_version_folder(package_folder: Path, configured: str | None = None) -> Path | None:
    """Where the first revision of an app would go; None when something stands in the way there."""
    folder = package_folder / (configured or VERSIONS)
    return folder if _is_inside(folder, package_folder) else None


def _configured(package_folder: Path, app: str, configured: str) -> Path:
    relative = PurePosixPath(configured.replace("\\", "/"))
    folder = package_folder / relative
    if relative.is_absolute() or ".." in relative.parts or not _is_inside(folder, package_folder):
        raise ConfigurationError(
            f"The version folder {configured!r} of app {app!r} leads out of its package.",
            details={"app": app, "folder": configured},
        )
    if not folder.is_dir():
        raise VersionFolderMissing(
            f"App {app!r} is to keep its revisions in {configured}, but {folder} does not exist.",
            next_step="Create the folder, or correct the setting.",
            details={"app": app, "folder": str(folder)},
        )
    return folder.resolve()


def _is_inside(folder: Path, package_folder: Path) -> bool:
    """True when the folder, with its symbolic links followed, lies in the package."""
    return folder.resolve().is_relative_to(package_folder.resolve())


def _holds_revision(folder: Path) -> bool:
    return any(file.name != "__init__.py" and declares_revision(file) for file in sorted(folder.glob("*.py")))
