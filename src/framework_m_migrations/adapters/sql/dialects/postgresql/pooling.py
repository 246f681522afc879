"""A proxy between the driver and the server that lends a server's session for one transaction at a time.

Behind one (PgBouncer in transaction mode, for instance) what belongs to a session belongs to nobody: a session's
advisory lock stays with whoever is lent that session next, and so does what SET set.

It is told by the process id: the one that the driver was given when it logged in is the proxy's invention, for its own
use when a query is to be cancelled, and not the one that the server has. A proxy that lends sessions as a whole looks
the same, and is treated the same, which costs it nothing but a heartbeat.

Prepared statements belong to a session as well. Drivers count their names, so that the statement of a name that one
knows may be another client's in the session that it is lent next: what is carried out then is the other's statement.
PgBouncer gives each client names of its own since 1.21 (max_prepared_statements); before it does not.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.domain.errors import ConfigurationError

_KNOWN = "framework_m_migrations_pooled"
_COUNTED = re.compile(r"__asyncpg_stmt_[0-9a-f]+__")
"""asyncpg's own names; one that a caller makes up (prepared_statement_name_func) is the caller's alone."""


def is_pooled(connection: sa.Connection) -> bool:
    """Whether a proxy stands between; asked of the server once for each connection.

    A transaction of the caller's is left as it was. False where the driver does not tell what it was given.
    """
    info = connection.info
    if _KNOWN not in info:
        told = _told_at_login(connection)
        if told is None:
            info[_KNOWN] = False
        else:
            idle = not connection.in_transaction()
            info[_KNOWN] = connection.exec_driver_sql("SELECT pg_catalog.pg_backend_pid()").scalar_one() != told
            if idle:
                connection.rollback()
        if info[_KNOWN]:
            mark_pooled(connection)
    return bool(info[_KNOWN])


def mark_pooled(connection: sa.Connection) -> None:
    """Somebody who knows says that there is a proxy. psycopg prepares nothing on this connection from now on."""
    connection.info[_KNOWN] = True
    driver: Any = connection.connection.driver_connection
    if hasattr(driver, "prepare_threshold"):
        driver.prepare_threshold = None


def refuse_counted_names(connection: sa.Connection) -> None:
    """Nothing is done where asyncpg's prepared statements might be taken for another client's.

    The server is asked under which name it has the very statement that asks.

    Args:
        connection: known to be pooled, in a transaction.

    Raises:
        ConfigurationError: the caller's engine keeps prepared statements, and the proxy passes on their counted names.
    """
    if not hasattr(connection.connection.driver_connection, "get_server_pid"):
        return
    mark = secrets.token_hex(8)
    sql = f"SELECT name FROM pg_catalog.pg_prepared_statements WHERE position('{mark}' IN statement) > 0"  # noqa: S608
    name = connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar()
    if name is not None and _COUNTED.fullmatch(name):
        raise ConfigurationError(
            "The engine that was handed over keeps prepared statements, and a proxy lends the server's sessions in "
            "turns without telling clients' statements apart.",
            next_step="Hand over an AsyncEngine with connect_args={'statement_cache_size': 0, "
            "'prepared_statement_cache_size': 0} and NullPool, or a PgBouncer since 1.21 with max_prepared_statements; "
            "where the proxy lends sessions as a whole, set MigrationSettings.lock to 'advisory'.",
        )


def known_to_be_pooled(connection: sa.Connection) -> bool:
    """What was found out before, without asking: False where nobody has asked."""
    return bool(connection.info.get(_KNOWN))


def _told_at_login(connection: sa.Connection) -> int | None:
    driver: Any = connection.connection.driver_connection
    if hasattr(driver, "get_server_pid"):  # asyncpg
        return int(driver.get_server_pid())
    if hasattr(driver, "get_backend_pid"):  # psycopg2
        return int(driver.get_backend_pid())
    found = getattr(getattr(driver, "info", None), "backend_pid", None)  # psycopg
    return None if found is None else int(found)
