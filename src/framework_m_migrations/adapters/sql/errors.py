"""Driver errors become errors of our tree here, once, with their cause kept and their secrets taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.engines import redact
from framework_m_migrations.domain.errors import ConnectionFailed, DatabaseError, MigrationError

type Translate = Callable[[sa.exc.DBAPIError], MigrationError | None]
"""SqlDialect.translate."""

FOLLOWS = "follows"
"""Among the details of an error: an earlier one, which the caller's code caught, is the reason for it."""
_LONGEST = 2000


@contextmanager
def translated(translate: Translate, sql: str | None = None) -> Iterator[None]:
    """Turn what a driver raises within into the error that it means.

    Args:
        translate: SqlDialect.translate, for the errors that a dialect knows.
        sql: the statement, as it is shown; where None, the one that SQLAlchemy noted.

    Raises:
        DatabaseError: or what the dialect makes of it; the driver's error is its cause.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise from_driver(error, translate, sql) from error
    except (ConnectionError, TimeoutError) as error:
        raise ConnectionFailed(f"The connection broke: {redact(str(error) or type(error).__name__)}.") from error


def from_driver(error: sa.exc.DBAPIError, translate: Translate, sql: str | None = None) -> MigrationError:
    """The error to raise in the place of a driver's."""
    known = translate(error)
    statement = shortened(redact(sql if sql is not None else error.statement or ""))
    if known is None:
        reason = redact(str(error.orig).strip()).rstrip(".")
        kind = ConnectionFailed if error.connection_invalidated else DatabaseError
        known = kind(f"The database refused a statement: {reason}.")
    if statement:
        known.details.setdefault("statement", statement)
        if type(known) is DatabaseError and statement not in known.what:
            known.what = f"{known.what} The statement: {statement}"
    return known


def shortened(sql: str) -> str:
    """A statement for a message: one too long to be read is cut."""
    return sql if len(sql) <= _LONGEST else f"{sql[:_LONGEST]} ... ({len(sql)} characters)"
