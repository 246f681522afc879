"""Names that a revision file needs where the model has none: file names and names of constraints.

A constraint must have a name, or no downgrade could take it back.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from framework_m_migrations.domain.schema import Check, ForeignKey, TableName, Unique

SLUG_LENGTH = 40
IDENTIFIER_LIMIT = 63
"""PostgreSQL's NAMEDATALEN - 1, in bytes; kept on every database, so that one file fits all."""

CONVENTION = {
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
}
"""The same names in the form that a batch operation takes to find a constraint that SQLite keeps without a name."""


def slug(message: str) -> str:
    """A message as part of a file name: ASCII letters and digits, at most 40 characters, never empty."""
    plain = unicodedata.normalize("NFKD", message).encode("ascii", "ignore").decode().lower()
    text = "_".join(re.findall(r"[a-z0-9]+", plain))
    if len(text) > SLUG_LENGTH:
        text = text[:SLUG_LENGTH].rsplit("_", 1)[0]
    return text or "revision"


def file_name(revision: str, message: str) -> str:
    """The name of a revision file: its id, then what it is about."""
    return f"{revision}_{slug(message)}.py"


def unique_name(table: str, columns: Sequence[str]) -> str:
    """A name for a unique constraint, the same for the same table and columns."""
    return _fit("_".join(("uq", table, *columns)))


def foreign_key_name(table: str, columns: Sequence[str], target: str) -> str:
    """A name for a foreign key."""
    return _fit("_".join(("fk", table, *columns, target)))


def check_name(table: str, expression: str) -> str:
    """A name for a check constraint: it has no columns to be named after, so its expression is hashed."""
    return _fit(f"ck_{table}_{hashlib.sha256(expression.encode()).hexdigest()[:8]}")


def constraint_name(table: TableName, constraint: Unique | Check | ForeignKey) -> str:
    """A constraint's own name, or the one that a revision gives it: without one no downgrade could find it."""
    if constraint.name is not None:
        return constraint.name
    match constraint:
        case Unique():
            return unique_name(table.name, constraint.columns)
        case Check():
            return check_name(table.name, constraint.expression)
        case ForeignKey():
            return foreign_key_name(table.name, constraint.columns, constraint.target.name)


def _fit(name: str) -> str:
    """Cut to the limit in bytes with a hash at the end, so that long names stay distinct."""
    encoded = name.encode()
    if len(encoded) <= IDENTIFIER_LIMIT:
        return name
    tail = f"_{hashlib.sha256(encoded).hexdigest()[:8]}"
    return encoded[: IDENTIFIER_LIMIT - len(tail)].decode(errors="ignore") + tail
