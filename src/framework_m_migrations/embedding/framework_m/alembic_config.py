"""Alembic's Config for the host's own use of it, such as its readiness check."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from alembic.config import Config

from framework_m_migrations.adapters.sql.versions.scripts import TEMPLATE_FOLDER
from framework_m_migrations.ports.app_discovery import App


def alembic_config(
    project: Path,
    apps: Sequence[App],
    *,
    database_url: str,
    version_table: str | None,
    x_args: Sequence[str],
) -> Config:
    """A Config that finds the revisions of the project and of all its apps; it works without an alembic folder.

    Args:
        project: the project's folder.
        apps: whose version folders are listed.
        database_url: kept in memory only; percent signs are written as ConfigParser wants them.
        version_table: Alembic's table, None for what the project's files say.
        x_args: for env.py.
    """
    ini = project / "alembic.ini"
    home = project / "alembic"
    config = Config(str(ini) if ini.is_file() else None, cmd_opts=Namespace(x=list(x_args)))
    _set(config, "script_location", str(home if (home / "env.py").is_file() else TEMPLATE_FOLDER))
    folders = [home / "versions", *(Path(app.version_folder) for app in apps if app.version_folder is not None)]
    found = dict.fromkeys(str(folder.resolve()) for folder in folders if folder.is_dir())
    _set(config, "version_locations", os.pathsep.join(found))
    _set(config, "path_separator", "os")
    if version_table:
        _set(config, "version_table", version_table)
    if database_url:
        _set(config, "sqlalchemy.url", database_url)
    return config


def _set(config: Config, name: str, value: str) -> None:
    config.set_main_option(name, value.replace("%", "%%"))
