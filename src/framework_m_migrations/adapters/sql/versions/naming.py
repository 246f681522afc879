"""Names that a revision file needs where the model has none: file names, and names to drop constraints by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from framework_m_migrations.domain.naming import Constraint, Place, known_as, standard_name
from framework_m_migrations.domain.schema import TableName

SLUG_LENGTH = 40


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


def constraint_name(table: TableName, constraint: Constraint, columns: Collection[str] = ()) -> str:
    """The name by which a revision drops a constraint; ``columns`` are those of the table."""
    return known_as(constraint) or standard_name(constraint, Place(table, columns))
