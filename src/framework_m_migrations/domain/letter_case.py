"""Names that are declared in another case of letters than the database has them, to which both are one name.

Taken for a new table or column beside an old one, they would be created, which the database refuses in the middle of a
sync, and the old one with its rows would be offered to be dropped.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from framework_m_migrations.domain.errors import NameInOtherCase
from framework_m_migrations.domain.schema import TableName


def folded(name: str) -> str:
    """A name as databases compare it that fold ASCII letters, and no others."""
    return name.lower() if name.isascii() else "".join(c.lower() if c.isascii() else c for c in name)


def refuse_table(wanted: TableName, existing: frozenset[TableName]) -> None:
    """Go on where a table that is not there is not there in another case either.

    Args:
        wanted: as declared; not among ``existing``.
        existing: every table that there is.

    Raises:
        NameInOtherCase: one of them has the name.
    """
    known = _tables(existing).get((wanted.schema, folded(wanted.name)))
    if known is not None:
        raise NameInOtherCase(
            f"The table {known} is declared as {wanted}, which is the same name to this database. Nothing was changed.",
            next_step=f"Declare it as {known.name}; or rename it in a revision, by way of a third name.",
            details={"declared": str(wanted), "existing": str(known)},
        )


def refuse_column(table: TableName, wanted: str, existing: Iterable[str]) -> None:
    """Go on where a column that is not there is not there in another case either.

    Args:
        table: that it is declared for.
        wanted: as declared; not among ``existing``.
        existing: the columns of the table.

    Raises:
        NameInOtherCase: one of them has the name.
    """
    for known in existing:
        if folded(known) == folded(wanted):
            raise NameInOtherCase(
                f"The column {table}.{known} is declared as {wanted}, which is the same name to this database. "
                "Nothing was changed.",
                next_step=f"Declare it as {known}; or rename it in a revision.",
                details={"declared": f"{table}.{wanted}", "existing": f"{table}.{known}"},
            )


@functools.lru_cache(maxsize=4)
def _tables(names: frozenset[TableName]) -> Mapping[tuple[str | None, str], TableName]:
    return {(name.schema, folded(name.name)): name for name in names}
