"""What a port's factory may use, and the names under which factories are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.errors import ConfigurationError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
    from framework_m_migrations.container.models import Models

PORTS = (
    "discovery",
    "hooks",
    "source",
    "inspector",
    "executor",
    "pruner",
    "ledger",
    "lock",
    "versions",
    "prover",
    "events",
    "clock",
    "persistence",
)
"""The replaceable ports. ``discovery``, ``clock`` and ``persistence`` live as long as a manager, the others as long
as a connection."""


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


def check_overrides(overrides: Mapping[str, Factory]) -> dict[str, Factory]:
    """The overrides, once it is certain that each names a port.

    Raises:
        ConfigurationError: there is no port of that name.
    """
    for name in overrides:
        if name not in PORTS:
            raise ConfigurationError(
                f"There is no port {name!r} to override.", next_step=f"The ports are {', '.join(PORTS)}."
            )
    return dict(overrides)
