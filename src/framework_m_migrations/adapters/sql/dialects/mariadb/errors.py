"""What a driver's error means, told by the server's number (mariadb.com: MariaDB error codes)."""

from __future__ import annotations

import re

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.engines import redact
from framework_m_migrations.domain import errors as e

_LOCKED = {
    1205: "lock timeout",
    1213: "two sessions waited for each other (deadlock)",
}
_CANCELLED = {
    1317: "another session ended it (KILL QUERY)",
    1969: "the time limit for a statement was reached (max_statement_time)",
}
_PRIVILEGES = frozenset({1044, 1142, 1143, 1227, 1370, 1410})
_READ_ONLY = frozenset({1036, 1290, 1792, 1836})
_FULL = frozenset({1021, 1114})
# These quote the operating system's number or the storage engine's: ENOSPC, and a file that cannot grow.
_OF_THE_SYSTEM = frozenset({3, 28, 1005, 1026, 1030})
_NO_ROOM = re.compile(r"\b(?:errno|errcode|error):?\s+(?:28|135)\b", re.IGNORECASE)
_UNREACHABLE = frozenset({1040, 1045, 1049, 1053, 1130, 1152, 1203, 1226, 1927, 2002, 2003, 2005, 2006, 2013, 2055})
_NEXT_STEPS = {
    1046: "Name the database in the URL: mariadb+pymysql://user@host/database.",
    1071: "Shorten the column (an index holds 3072 bytes, of which each utf8mb4 letter may take four), or index its "
    "beginning: Index(..., mariadb_length=191).",
    1118: "Make some columns TEXT: those of one row may take 65,535 bytes together.",
    1170: "Give the index a length, Index(..., mariadb_length=191), or the column a length.",
    1845: "The server would block writers for it. Do it in a revision, at a quiet time.",
    1846: "The server would block writers for it. Do it in a revision, at a quiet time.",
}


_WRONG = frozenset({
    1005, 1054, 1064, 1067, 1068, 1069, 1070, 1071, 1072, 1073, 1074, 1089, 1101, 1110, 1115, 1117, 1118, 1163,
    1170, 1171, 1253, 1273, 1283, 1286, 1291, 1293, 1294, 1425, 1426, 1427, 1439, 1470, 1478, 1901, 1904, 1906,
})  # fmt: skip
"""Of CREATE TABLE: names, types, keys, defaults and options that are wrong by themselves."""


def is_wrong(error: sa.exc.DBAPIError, unsure: bool) -> bool:
    """Whether a definition is wrong by itself."""
    del unsure
    return code_of(error) in _WRONG


def code_of(error: sa.exc.DBAPIError) -> int | None:
    """The server's or the client library's number; None where the driver gave none."""
    for candidate in (error.orig, getattr(error.orig, "__cause__", None)):
        arguments: tuple[object, ...] = getattr(candidate, "args", ())
        if arguments and isinstance(arguments[0], int):
            return arguments[0]
    return None


def message(error: sa.exc.DBAPIError) -> str:
    """The server's own words in one line, without passwords."""
    arguments: tuple[object, ...] = getattr(error.orig, "args", ())
    text = str(arguments[1]) if len(arguments) > 1 else str(error.orig)
    return redact(" ".join(text.split())).rstrip(".")


def translate(error: sa.exc.DBAPIError) -> e.MigrationError | None:
    """The error of our tree that a driver's error means, None where it is nothing in particular."""
    code, text = code_of(error), message(error)
    details = {} if code is None else {"code": code}
    if code in _LOCKED:
        return e.LockTimeout(f"The statement was taken back: {_LOCKED[code]}.", details=details)
    if code in _CANCELLED:
        return e.StatementCancelled(f"The server cancelled a statement: {_CANCELLED[code]}.", details=details)
    if code in _PRIVILEGES:
        return e.MissingPrivilege(f"The role lacks a right: {text}.", details=details)
    if code in _READ_ONLY:
        return e.DatabaseReadOnly(f"The database cannot be written: {text}.", details=details)
    if code in _FULL or (code in _OF_THE_SYSTEM and _NO_ROOM.search(text)):
        return e.StorageFull(f"The disk under the database is full: {text}.", details=details)
    if code in _UNREACHABLE or (code is None and error.connection_invalidated):
        return e.ConnectionFailed(f"The server ended or refused the connection: {text}.", details=details)
    if code in _NEXT_STEPS:
        return e.DatabaseError(
            f"The database refused a statement: {text}.", next_step=_NEXT_STEPS[code], details=details
        )
    return None
