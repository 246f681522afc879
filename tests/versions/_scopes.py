from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa


class StandIn:
    @contextmanager
    def transaction(self, connection: sa.Connection, *, lock_timeout: float | None) -> Iterator[None]:
        if connection.dialect.name == "sqlite":
            driver = connection.connection.dbapi_connection
            assert driver is not None
            before = driver.isolation_level
            driver.isolation_level = None
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
            finally:
                driver.isolation_level = before
            return
        with connection.begin():
            yield

    @contextmanager
    def autocommit(self, connection: sa.Connection) -> Iterator[None]:
        level = connection.get_isolation_level()
        connection.rollback()
        connection.execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield
        finally:
            connection.rollback()
            connection.execution_options(isolation_level=level)
