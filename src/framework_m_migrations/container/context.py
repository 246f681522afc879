"""What a port's factory may use, and what gives the factories of a manager."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.errors import ConfigurationError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
    from framework_m_migrations.container.models import Models


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to each factory.

    Attributes:
        settings: the caller's choices.
        mode: the runtime mode.
        make: makes another port by name, so that a factory can build on one that was replaced.
        connection: of the session; None for ports that need none.
        dialect: of the connection.
        drops: the caller asked for drops.
        models: of the session: its MetaData, for revisions.
    """

    settings: MigrationSettings
    mode: RuntimeMode
    make: Callable[[str], Any]
    connection: sa.Connection | None = None
    dialect: SqlDialect | None = None
    drops: bool = False
    models: Models | None = None

    @property
    def live(self) -> sa.Connection:
        """The connection, for factories that cannot do without."""
        if self.connection is None:
            raise ConfigurationError("This port needs a connection.")
        return self.connection

    @property
    def sql(self) -> SqlDialect:
        """The dialect, for factories that cannot do without."""
        if self.dialect is None:
            raise ConfigurationError("This port needs a connection.")
        return self.dialect


Factory = Callable[[Context], Any]


class Container(Protocol):
    """What a manager builds from: container.di.MigrationContainer, or anything with these two."""

    def settings(self) -> MigrationSettings:
        """What to migrate."""

    def ports(self) -> Mapping[str, Factory]:
        """Factories of ports by name."""
