"""What a driver's error means, told by its SQLSTATE (appendix A of PostgreSQL's manual)."""

from __future__ import annotations

import re

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.engines import redact
from framework_m_migrations.adapters.sql.errors import FOLLOWS
from framework_m_migrations.domain import errors as e

_LOCKED = {"55P03": "lock timeout", "40P01": "two sessions waited for each other (deadlock)"}
_ENDED = frozenset({"3D000", "57P01", "57P02", "57P03", "57P05", "53300", "25P03", "25P04", "57P04"})
"""No database, shutdown, crash, start, idle session, too many connections, idle in transaction, transaction timeout."""
_OF_THE_SERVER = frozenset({"53000", "53200", "53400", "XX001", "XX002"})
"""No resources, no memory, a limit of its configuration, damaged data, a damaged index; class 58 are system errors."""
_OF_THE_DRIVER = re.compile(
    r"cannot (perform|call|use)\b|connection (is|was) closed|another operation|unexpected(ly)? (eof|closed)"
)
_ABORTED = "25P02"
_OUT_OF_LOCKS = "53200"
_MIXED_UP = {"26000", "42P05"}
"""invalid_sql_statement_name and duplicate_prepared_statement: the engine's SQL prepares nothing by name itself."""

_UNDEFINED = "42704"
_ABSENT = re.compile(r'(?:type|operator class) "(?:[^".]+\.)?([^"(]+)(?:\([^"]*\))?" does not exist')
_NO_CLASS = re.compile(r'no default operator class for access method "(gist|gin)"')
_EXTENSIONS: dict[str, tuple[str, ...]] = {
    "citext": ("citext",),
    "hstore": ("hstore",),
    "ltree": ("ltree", "lquery", "ltxtquery"),
    "cube": ("cube",),
    "pg_trgm": ("gin_trgm_ops", "gist_trgm_ops"),
    "postgis": ("geometry", "geography"),
    "postgis_raster": ("raster",),
    "vector": ("vector", "halfvec", "sparsevec", "vector_l2_ops", "vector_ip_ops", "vector_cosine_ops"),
}
"""The types and operator classes of well-known extensions, by the extension."""


_SURE = frozenset({"42703", "42601", "42P17", "0A000"})
"""An unknown column, syntax, a volatile function, what the place does not allow."""


def is_wrong(error: sa.exc.DBAPIError, unsure: bool) -> bool:
    """Whether a definition is wrong: not a missing right, a lost connection, or what the plan creates first."""
    state = sqlstate(error) or ""
    if state == _UNDEFINED and _missing_extension(str(error.orig)) is not None:
        return False  # It is right once the extension is there, which the error of the statement itself says.
    # A table that a default names may be one of the plan.
    return state in _SURE if unsure else state not in {"42501", "42P01"} and state[:2] in {"42", "22", "0A", "54"}


def sqlstate(error: sa.exc.DBAPIError) -> str | None:
    """The five characters that every driver keeps in a place of its own; None where it is no error of the server."""
    origin: object = error.orig
    for candidate in (origin, getattr(origin, "__cause__", None)):
        for name in ("sqlstate", "pgcode"):
            value = getattr(candidate, name, None)
            if isinstance(value, str) and value:
                return value
    arguments = getattr(origin, "args", ())
    if arguments and isinstance(arguments[0], dict):  # pg8000
        value = arguments[0].get("C")
        return value if isinstance(value, str) else None
    return None


def message(error: sa.exc.DBAPIError) -> str:
    """The server's own words in one line, without passwords."""
    origin: object = error.orig
    arguments = getattr(origin, "args", ())
    if arguments and isinstance(arguments[0], dict):
        text = str(arguments[0].get("M", origin))
    else:
        cause = getattr(origin, "__cause__", None)
        text = str(cause if cause is not None else origin)
    text = re.sub(r"^<class '[^']*'>: ", "", text)
    return redact(" ".join(text.split())).rstrip(".")


def translate(error: sa.exc.DBAPIError) -> e.MigrationError | None:
    """The error of our tree that a driver's error means, None where it is nothing in particular."""
    state = sqlstate(error)
    text = message(error)
    details = {} if state is None else {"sqlstate": state}
    if state is None:
        if error.connection_invalidated or _OF_THE_DRIVER.search(text):
            # What a driver says of its own state is no reason.
            reason = "the server closed it" if _OF_THE_DRIVER.search(text) else text
            return e.ConnectionFailed(f"The connection broke: {reason}.")
        return None
    if state in _LOCKED:
        return e.LockTimeout(f"The step was rolled back: {_LOCKED[state]}.", details=details)
    if state in _MIXED_UP:
        return e.PreparedStatementLost(
            f"A connection pooler moved this connection to another server session: {text}.", details=details
        )
    if state == _ABORTED:
        return e.DatabaseError(
            f"An earlier statement of the transaction failed, and its error was caught: {text}.",
            next_step="Let the error through, or run the statement that may fail in a savepoint (begin_nested).",
            details={**details, FOLLOWS: True},
        )
    if state == _UNDEFINED and (extension := _missing_extension(text)) is not None:
        return e.DatabaseError(
            f"The extension {extension} is missing: {text}.",
            next_step=f"Let a role that may do so run CREATE EXTENSION {extension}; then run the same command again.",
            details={**details, "extension": extension},
        )
    if state == "57014":
        return e.StatementCancelled(f"The server cancelled a statement: {text}.", details=details)
    if state == "42501":
        return e.MissingPrivilege(f"The role lacks a right: {text}.", details=details)
    if state == "25006":
        return e.DatabaseReadOnly(
            f"The database cannot be written: {text}.",
            next_step="Connect to the primary server if this one is a standby, or make the database writable; then run "
            "the same command: it resumes where it stopped.",
            details=details,
        )
    if state == "53100":
        return e.StorageFull(f"The disk under the database is full: {text}.", details=details)
    if state == _OUT_OF_LOCKS and "max_locks_per_transaction" in str(error.orig):
        return e.DatabaseError(
            f"The server's lock table is full: {text}.",
            next_step="Raise max_locks_per_transaction, or wait until other sessions have ended; then run it again.",
            details=details,
        )
    if state in _OF_THE_SERVER or state[:2] == "58":
        return e.ServerFailed(f"The server failed: {text}.", details=details)
    if state[:2] in {"08", "28"} or state in _ENDED:
        return e.ConnectionFailed(f"The server ended or refused the connection: {text}.", details=details)
    return None


def _missing_extension(text: str) -> str | None:
    if (found := _NO_CLASS.search(text)) is not None:
        return f"btree_{found[1]}"
    found = _ABSENT.search(text)
    name = found[1].lower() if found is not None else None
    return next((extension for extension, names in _EXTENSIONS.items() if name in names), None)
