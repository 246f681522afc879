"""What SQLite's errors mean; https://www.sqlite.org/rescode.html."""

from __future__ import annotations

import re

import sqlalchemy as sa

from framework_m_migrations.domain.errors import (
    ConnectionFailed,
    DatabaseCorrupt,
    DatabaseError,
    DatabaseReadOnly,
    LockTimeout,
    MigrationError,
    MissingPrivilege,
    StorageFull,
)

# Primary codes: the low byte of what sqlite3 calls sqlite_errorcode.
_PERM, _BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _AUTH, _NOTADB = (
    3,
    5,
    6,
    8,
    10,
    11,
    13,
    14,
    23,
    26,
)

_NO_SPACE_NAMES = frozenset({"SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_NOMEM"})
_MALFORMED_SCHEMA = "malformed database schema"

_NOT_WRITABLE_SCHEMA = re.compile(r"table sqlite_(?:master|schema) may not be modified")

_MEANINGS: dict[int, tuple[type[MigrationError], str]] = {
    _BUSY: (LockTimeout, "Another connection holds the database's lock"),
    _LOCKED: (LockTimeout, "Another statement of this process holds a lock on the table"),
    _READONLY: (DatabaseReadOnly, "The database cannot be written"),
    _FULL: (StorageFull, "The disk or the database's own limit is full"),
    _CORRUPT: (DatabaseCorrupt, "The database file is damaged"),
    _NOTADB: (DatabaseCorrupt, "The file is no SQLite database"),
    _CANTOPEN: (ConnectionFailed, "The database file cannot be opened"),
    _PERM: (MissingPrivilege, "The operating system denies access to the database file"),
    _AUTH: (MissingPrivilege, "The connection's authorizer denies the statement"),
}


def is_wrong(error: sa.exc.DBAPIError, unsure: bool) -> bool:
    """Whether a definition is wrong: SQLITE_ERROR, and not for a function that may be registered first."""
    found = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == 1
    return found and not (unsure and str(error.orig).startswith(("no such function", "no such collation")))


def translate(error: sa.exc.DBAPIError) -> MigrationError | None:
    """The error of our tree that a driver's error means, None where it is nothing in particular."""
    original = error.orig
    text = str(original).rstrip(".")
    if _NOT_WRITABLE_SCHEMA.search(text):
        return DatabaseError(
            "This connection does not allow edits of table definitions: it is in SQLite's defensive mode.",
            next_step="Switch the defensive mode off for migrations, or change the table with a revision.",
        )
    code = getattr(original, "sqlite_errorcode", None)
    name = str(getattr(original, "sqlite_errorname", None))
    if not isinstance(code, int):
        return None
    primary = code & 0xFF
    if primary == _IOERR:
        return StorageFull(f"The disk refused to write: {text}.") if name in _NO_SPACE_NAMES else None
    if primary == _CORRUPT and text.startswith(_MALFORMED_SCHEMA):
        # The text of a definition is wrong, not the file: what an edit of it brings before it is rolled back.
        return DatabaseError(f"SQLite does not accept the schema: {text}.")
    # Within DDL SQLite tells the authorizer's refusal by its words only.
    meaning = _MEANINGS.get(_AUTH if text == "not authorized" else primary)
    if meaning is None:
        return None
    kind, what = meaning
    return kind(f"{what}: {text}.")
