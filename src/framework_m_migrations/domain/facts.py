"""Questions about rows, asked of the database only where the answer decides a risk."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from framework_m_migrations.domain.schema import TableName


class FactKind(StrEnum):
    """What can be asked."""

    HAS_ROWS = "has_rows"
    """1 when the table holds a row, else 0."""
    NULLS = "nulls"
    """1 when a row has NULL in the column, else 0."""
    DUPLICATES = "duplicates"
    """1 when two rows agree in all the columns (NULLs are distinct unless ``nulls_agree``), else 0."""
    LONGEST = "longest"
    """The longest value of the column in characters, 0 when there is none."""
    VIOLATIONS = "violations"
    """1 when a row breaks the check expression in ``detail``, else 0."""
    ORPHANS = "orphans"
    """1 when a row has no partner in the table named by ``target`` over ``target_columns``, else 0."""


class Question(NamedTuple):
    """One question about the rows of a table.

    ``detail`` is the check expression of VIOLATIONS, or the predicate of a partial unique index for DUPLICATES.
    ``assuming`` lists columns that do not exist yet as (name, type, SQL constant): the question is answered as if each
    row had them with that value, i.e. over ``(SELECT t.*, CAST(constant AS type) AS name FROM t)``.
    ``nulls_agree`` is asked for a rule that is NULLS NOT DISTINCT: two rows with NULL agree too.
    """

    kind: FactKind
    table: TableName
    columns: tuple[str, ...] = ()
    detail: str | None = None
    target: TableName | None = None
    target_columns: tuple[str, ...] = ()
    assuming: tuple[tuple[str, str, str], ...] = ()
    nulls_agree: bool = False


Facts = Mapping[Question, int]
"""Answers. A question that could not be answered cheaply is absent, and the careful class stands."""
