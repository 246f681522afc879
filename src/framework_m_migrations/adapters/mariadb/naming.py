"""The names that MariaDB gives to constraints without one."""

from __future__ import annotations

import re

from framework_m_migrations.domain.naming import Constraint, Naming, Place
from framework_m_migrations.domain.schema import Check, TableName, Unique


def chosen_name(constraint: Constraint, place: Place) -> str:
    """As the server: ``a``, ``a_2`` (unique), ``CONSTRAINT_1`` (check), ``t_ibfk_1`` (foreign key)."""
    taken = {name.lower() for name in place.own}
    if isinstance(constraint, Unique):
        first = constraint.columns[0]
        # PRIMARY is the primary key's name.
        if first.lower() not in {*taken, "primary"}:
            return first
        number = next(n for n in range(2, len(taken) + 3) if f"{first}_{n}".lower() not in taken)
        return f"{first}_{number}"
    if isinstance(constraint, Check):
        number = next(n for n in range(1, len(taken) + 2) if f"constraint_{n}" not in taken)
        return f"CONSTRAINT_{number}"
    numbers = [int(found[1]) for name in place.own if (found := _foreign_key(place.table).fullmatch(name))]
    return f"{place.table.name}_ibfk_{max(numbers, default=0) + 1}"


def is_chosen(table: TableName, foreign_key: str) -> bool:
    """Whether a foreign key of a table has a name that the server chose."""
    return _foreign_key(table).fullmatch(foreign_key) is not None


def _foreign_key(table: TableName) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(table.name)}_ibfk_(\d+)", re.IGNORECASE)


NAMING = Naming(chosen_name, written=(Unique, Check))
"""A foreign key whose DDL has a name gives it to its index too."""
