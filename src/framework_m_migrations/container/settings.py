"""MigrationSettings: everything a caller can choose, from arguments and environment variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.container.project_file import read_project_file, split_names
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.options import LockOptions

if TYPE_CHECKING:
    from sqlalchemy import MetaData

type MetadataItem = str | MetaData | type[Any]
type MetadataGiven = MetadataItem | Iterable[MetadataItem]
"""MetaData, a class with one (a declarative Base), or ``package.module:attribute``; or several of them."""

_LOCKS = {
    "lock_wait": "wait",
    "lock_timeout": "lock_timeout",
    "lock_retries": "retries",
    "statement_timeout": "statement_timeout",
}

DEFAULT_DATABASE = "dev.db"


@dataclass(frozen=True, slots=True)
class MigrationSettings:
    """What to migrate, and how.

    Attributes:
        database_url: of the database; empty for the SQLite file ``dev.db`` in the project.
        apps: names of the installed apps, None to look at INSTALLED_APPS and then at entry points.
        installed_apps: the value of INSTALLED_APPS.
        metadata: SQLAlchemy MetaData, each as an object, as a declarative Base or as ``package.module:attribute``; one
            alone needs no tuple. When given, no DocTypes are looked for.
        path: the project's folder: alembic.ini is looked for in it, and modules are imported from it.
        mode: the runtime mode, None to detect it.
        schema: the database schema to work in, None for the connection's default.
        tenant: the schema is a tenant's: it gets the tables that each tenant has for itself, and no others.
        version_table: Alembic's version table.
        version_folders: folders of revisions beside those of the apps' packages.
        allow_empty: accept metadata without any table, as of a project that has none yet.
        online: use non-blocking DDL.
        locks: how long to wait for locks.
        exclude: patterns of what is not ours; see domain.exclusion.
        include_object: a function like Alembic's hook of that name, as an object or as ``package.module:attribute``;
            what it answers False for is left out as well.
        connect_wait: seconds for which a refused connection is tried again, for servers that start at the same time.
        lock: on PostgreSQL, how one migrator keeps others away: ``auto`` (an advisory lock, or a lease where a pooling
            proxy is seen), ``advisory`` or ``lease``.
    """

    database_url: str = ""
    apps: tuple[str, ...] | None = None
    installed_apps: str = ""
    metadata: MetadataGiven = ()
    path: Path = Path()
    mode: RuntimeMode | None = None
    schema: str | None = None
    tenant: bool = False
    version_table: str = "alembic_version"
    version_folders: tuple[Path, ...] = ()
    allow_empty: bool = False
    online: bool = True
    locks: LockOptions = field(default_factory=LockOptions)
    connect_wait: float = 0.0
    lock: str = "auto"
    exclude: tuple[str, ...] = ()
    include_object: str | Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        """Take metadata, apps and path as people write them: one value for a sequence of one, a text for a path.

        Raises:
            ConfigurationError: a value of another kind.
        """
        object.__setattr__(self, "metadata", _as_metadata_names(self.metadata))
        object.__setattr__(self, "apps", _as_app_names(self.apps))
        object.__setattr__(self, "path", Path(self.path))

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, *, environment: str | None = None, **chosen: Any
    ) -> MigrationSettings:
        """Settings from the project's file, from the environment, and the ``chosen`` ones that are not None.

        Each of these wins over the ones before it. The file is ``m-migrate.toml`` or ``pyproject.toml`` in the
        project's folder (see container.project_file). Read from the environment are DATABASE_URL, INSTALLED_APPS,
        FRAMEWORK_M_MIGRATIONS_METADATA and FRAMEWORK_M_MIGRATIONS_EXCLUDE (comma separated),
        FRAMEWORK_M_MIGRATIONS_LOCK and FRAMEWORK_M_MIGRATIONS_ENV. Patterns of ``exclude`` add up.

        Args:
            environ: environment variables, ``os.environ`` when None.
            environment: the environment of the project's file, FRAMEWORK_M_MIGRATIONS_ENV when None.
            **chosen: fields of this class; lock_wait, lock_timeout, lock_retries and statement_timeout stand for
                those of ``locks``.

        Raises:
            ConfigurationError: a field that does not exist, or what the project's file says is wrong.
        """
        return resolve_settings(environ, environment=environment, **chosen).settings

    @property
    def named_metadata(self) -> tuple[str | MetaData, ...]:
        """The metadata as it was taken, one by one."""
        return cast("tuple[str | MetaData, ...]", self.metadata)

    @property
    def url(self) -> str:
        """The database URL, the default one included."""
        return self.database_url or f"sqlite:///{(self.path / DEFAULT_DATABASE).as_posix()}"


@dataclass(frozen=True, slots=True)
class ResolvedSettings:
    """Settings, and by field where each value that is no default comes from."""

    settings: MigrationSettings
    origins: Mapping[str, str]


def resolve_settings(
    environ: Mapping[str, str] | None = None, *, environment: str | None = None, **chosen: Any
) -> ResolvedSettings:
    """As MigrationSettings.from_environment, with the origin of each value."""
    variables = os.environ if environ is None else environ
    given = {name: value for name, value in chosen.items() if value is not None}
    named = variables.get("FRAMEWORK_M_MIGRATIONS_ENV", "") if environment is None else environment
    file = read_project_file(Path(given.get("path", ".")), named)
    from_variables: dict[str, tuple[str, Any]] = {
        "database_url": ("DATABASE_URL", str),
        "installed_apps": ("INSTALLED_APPS", str),
        "lock": ("FRAMEWORK_M_MIGRATIONS_LOCK", str),
        "metadata": ("FRAMEWORK_M_MIGRATIONS_METADATA", split_names),
        "exclude": ("FRAMEWORK_M_MIGRATIONS_EXCLUDE", split_names),
    }
    values, origins = dict(file.values), dict(file.origins)
    for name, (variable, read) in from_variables.items():
        if variables.get(variable):
            values[name], origins[name] = read(variables[variable]), f"the environment variable {variable}"
    if "installed_apps" in origins and "apps" in file.origins:
        # The apps of the file would otherwise win over the variable.
        del values["apps"], origins["apps"]
    # What is not ours in one place is not ours in another.
    excluded = (pattern for place in (file.values, values, given) for pattern in place.get("exclude", ()))
    values |= given | {"exclude": tuple(dict.fromkeys(excluded))}
    origins |= dict.fromkeys(given, "an option")
    waits = {_LOCKS[name]: values.pop(name) for name in _LOCKS if name in values}
    values["locks"] = replace(values.get("locks", LockOptions()), **waits)
    try:
        return ResolvedSettings(replace(MigrationSettings(), **values), origins)
    except TypeError as error:
        raise ConfigurationError(f"Unknown setting: {error}.") from error


def _as_metadata_names(given: Any) -> tuple[str | MetaData, ...]:
    several = isinstance(given, Iterable) and not isinstance(given, str | type) and not hasattr(given, "tables")
    return tuple(_as_metadata_item(item) for item in (given if several else (given,)))


def _as_metadata_item(item: Any) -> str | MetaData:
    # SQLAlchemy is not imported for this: whoever hands over MetaData has imported it.
    found = getattr(item, "metadata", item)
    if not isinstance(item, str) and not (hasattr(found, "tables") and hasattr(found, "create_all")):
        raise ConfigurationError(
            f"The setting metadata takes MetaData, a declarative Base or a text, not {type(item).__name__}.",
            next_step='Give `Base.metadata`, `Base` or "package.module:attribute", or a list of them.',
        )
    return item if isinstance(item, str) else found


def _as_app_names(given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = split_names(given) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(name, str) for name in names):
        raise ConfigurationError(
            "The setting apps takes names of apps.", next_step='Give a list such as ["shop"], or "shop, billing".'
        )
    return names
