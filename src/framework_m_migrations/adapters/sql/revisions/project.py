"""Writes the files with which the alembic command works on the same revisions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from framework_m_migrations.adapters.sql.revisions.library import TEMPLATE_FOLDER
from framework_m_migrations.domain.errors import ConfigurationError, VersionFolderMissing
from framework_m_migrations.ports.app_discovery import App

_INI = """\
# For the alembic command. m-migrate needs neither this file nor alembic/env.py.
# The database is named by DATABASE_URL: no URL and no password belong in here.

[alembic]
script_location = %(here)s/alembic
prepend_sys_path = .
# One folder per app, by package, so that it holds on every machine.
version_locations =
{locations}
path_separator = newline
version_table = {version_table}
{schema}
[loggers]
keys = root,sqlalchemy,alembic

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARNING
handlers = console
qualname =

[logger_sqlalchemy]
level = WARNING
handlers =
qualname = sqlalchemy.engine

[logger_alembic]
level = INFO
handlers =
qualname = alembic

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
datefmt = %H:%M:%S
"""

_ENV = '''\
"""Alembic's environment. All there is to do is done by framework_m_migrations."""

from __future__ import annotations

from framework_m_migrations import alembic_env

alembic_env.run()
'''


def init_project(
    path: Path,
    apps: Sequence[App],
    *,
    version_table: str = "alembic_version",
    version_table_schema: str | None = None,
) -> tuple[Path, ...]:
    """Write alembic.ini, alembic/env.py and alembic/script.py.mako.

    Args:
        path: the project's folder.
        apps: whose version folders are listed; an app without one is listed with the folder that its first revision
            will make. Without any app the revisions are those in the project's own alembic/versions.
        version_table: Alembic's table.
        version_table_schema: its schema, None for the connection's default.

    Returns:
        The files written.

    Raises:
        ConfigurationError: one of them exists, or ``path`` is no folder. Nothing is written then.
        VersionFolderMissing: there are apps, and none has a place for revisions.
    """
    folder = path / "alembic"
    contents = {
        path / "alembic.ini": _INI.format(
            locations="\n".join(f"    {_escape(location)}" for location in _locations(path, apps)),
            version_table=_escape(version_table),
            schema=f"version_table_schema = {_escape(version_table_schema)}\n" if version_table_schema else "",
        ),
        folder / "env.py": _ENV,
        folder / "script.py.mako": (TEMPLATE_FOLDER / "script.py.mako").read_text(encoding="utf-8"),
    }
    if not path.is_dir():
        raise ConfigurationError(f"{path} is no folder.", details={"path": str(path)})
    existing = [file for file in contents if file.exists()]
    if existing:
        raise ConfigurationError(
            f"There is already {', '.join(str(file.relative_to(path)) for file in existing)} in {path}.",
            next_step="Keep it (m-migrate honours it), or move it away and run init again.",
            details={"existing": [str(file) for file in existing]},
        )
    (folder if apps else folder / "versions").mkdir(parents=True, exist_ok=True)
    for file, text in contents.items():
        with file.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    return tuple(contents)


def _locations(path: Path, apps: Sequence[App]) -> list[str]:
    """Each version folder as ``package:folder``, which Alembic looks up where the package is installed.

    Alembic takes a package by its name, so the folder is one inside it; a folder elsewhere is named relative to
    alembic.ini.
    """
    if not apps:
        return ["%(here)s/alembic/versions"]
    found: list[str] = []
    for app in apps:
        chosen = app.version_folder or app.new_version_folder
        if chosen is None:
            continue
        folder = Path(chosen)
        relative = _inside_package(folder, app.package)
        if relative is not None:
            found.append(f"{app.package}:{relative}")
        else:
            found.append("%(here)s/" + Path(os.path.relpath(folder, path)).as_posix())
    if not found:
        raise VersionFolderMissing(
            "None of the apps has a place for revisions.", details={"apps": [app.name for app in apps]}
        )
    return found


def _inside_package(folder: Path, package: str) -> str | None:
    """The folder relative to its package, judged by the names on the way: discovery has followed all links."""
    parts = package.split(".")
    for parent in folder.parents:
        if list(parent.parts[-len(parts) :]) == parts:
            return folder.relative_to(parent).as_posix()
    return None


def _escape(text: str) -> str:
    """For ConfigParser, which takes a percent sign for the beginning of an interpolation."""
    return text.replace("%", "%%").replace("%%(here)s", "%(here)s")
