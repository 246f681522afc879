"""A proxy between the driver and the server that lends a server's session for one transaction at a time.

Behind one (PgBouncer in transaction mode, for instance) what belongs to a session belongs to nobody: a session's
advisory lock stays with whoever is lent that session next, and so does what SET set.

It is told by the process id: the one that the driver was given when it logged in is the proxy's invention, for its own
use when a query is to be cancelled, and not the one that the server has. A proxy that lends sessions as a whole looks
the same, and is treated the same, which costs it nothing but a heartbeat.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_KNOWN = "framework_m_migrations_pooled"


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
    return bool(info[_KNOWN])


def mark_pooled(connection: sa.Connection) -> None:
    """Somebody who knows says that there is a proxy."""
    connection.info[_KNOWN] = True


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
