"""MigrationSettings: everything a caller can choose, from arguments and environment variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.options import LockOptions

if TYPE_CHECKING:
    from sqlalchemy import MetaData

DEFAULT_DATABASE = "dev.db"


@dataclass(frozen=True, slots=True)
class MigrationSettings:
    """What to migrate, and how.

    Attributes:
        database_url: of the database; empty for the SQLite file ``dev.db`` in the project.
        apps: names of the installed apps, None to look at INSTALLED_APPS and then at entry points.
        installed_apps: the value of INSTALLED_APPS.
        metadata: SQLAlchemy MetaData, each as an object or as ``package.module:attribute``; when given, no DocTypes are
            looked for.
        path: the project's folder: alembic.ini is looked for in it, and modules are imported from it.
        mode: the runtime mode, None to detect it.
        schema: the database schema to work in, None for the connection's default.
        tenant: the schema is a tenant's: it gets the tables that each tenant has for itself, and no others.
        version_table: Alembic's version table.
        online: use the forms of DDL that hold nobody up.
        locks: how long to wait for locks.
        exclude: patterns of what is not ours; see domain.exclusion.
        include_object: a function like Alembic's hook of that name, as an object or as ``package.module:attribute``;
            what it answers False for is left out as well.
        lock: on PostgreSQL, how one migrator keeps others away: ``auto`` (an advisory lock, or a lease where a pooling
            proxy is seen), ``advisory`` or ``lease``.
    """

    database_url: str = ""
    apps: tuple[str, ...] | None = None
    installed_apps: str = ""
    metadata: tuple[str | MetaData, ...] = ()
    path: Path = Path()
    mode: RuntimeMode | None = None
    schema: str | None = None
    tenant: bool = False
    version_table: str = "alembic_version"
    online: bool = True
    locks: LockOptions = field(default_factory=LockOptions)
    lock: str = "auto"
    exclude: tuple[str, ...] = ()
    include_object: str | Callable[..., Any] | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **chosen: Any) -> MigrationSettings:
        """Settings from the environment, with ``chosen`` fields on top where they are not None.

        Read are DATABASE_URL, INSTALLED_APPS, FRAMEWORK_M_MIGRATIONS_METADATA and FRAMEWORK_M_MIGRATIONS_EXCLUDE (comma
        separated) and FRAMEWORK_M_MIGRATIONS_LOCK. ``exclude`` adds to the environment's.

        Args:
            environ: environment variables, ``os.environ`` when None.
            **chosen: fields of this class.

        Raises:
            ConfigurationError: a field that does not exist.
        """
        variables = os.environ if environ is None else environ
        metadata = variables.get("FRAMEWORK_M_MIGRATIONS_METADATA", "")
        exclude = variables.get("FRAMEWORK_M_MIGRATIONS_EXCLUDE", "")
        base = cls(
            database_url=variables.get("DATABASE_URL", ""),
            installed_apps=variables.get("INSTALLED_APPS", ""),
            lock=variables.get("FRAMEWORK_M_MIGRATIONS_LOCK") or "auto",
            metadata=tuple(part.strip() for part in metadata.split(",") if part.strip()),
        )
        base = replace(base, exclude=tuple(part.strip() for part in exclude.split(",") if part.strip()))
        given = {name: value for name, value in chosen.items() if value is not None}
        if "exclude" in given:
            given["exclude"] = (*base.exclude, *given["exclude"])
        try:
            return replace(base, **given)
        except TypeError as error:
            raise ConfigurationError(f"Unknown setting: {error}.") from error

    @property
    def url(self) -> str:
        """The database URL, the default one included."""
        return self.database_url or f"sqlite:///{(self.path / DEFAULT_DATABASE).as_posix()}"
