"""What a step does to the version table.

Alembic stores heads only, and works out from the graph which rows a step replaces. With dependencies between apps its
answer can be wrong: a revision whose parent is already implied by another of its dependencies fails with a KeyError,
or leaves a row that others imply (seen with Alembic 1.20; tests/versions/test_bookkeeping.py). So the rows are worked
out here, from the rule itself: the table holds the applied revisions on which no other applied one stands. That is
what Alembic stores where it is right, so its own command goes on working.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.runtime.migration import RevisionStep
from alembic.script import Script

from framework_m_migrations.adapters.sql.versions.scripts import ID_LENGTH, Library
from framework_m_migrations.domain.revisions import Position, RevisionGraph

ALEMBIC_WIDTH = 32
"""Characters of an id in a version table as Alembic makes it."""
COLUMN = "version_num"


def heads_of(applied: frozenset[str], graph: RevisionGraph) -> frozenset[str]:
    """The applied revisions on which no other applied one stands."""
    implied = {parent for revision in applied for parent in graph.by_id[revision].parents}
    return applied - implied


def make_room(context: MigrationContext, *revisions: str) -> None:
    """Widen the version table's column where an id is longer than what it holds.

    Alembic makes it for 32 characters. SQLite holds to no length.

    Args:
        context: whose version table exists.
        revisions: ids that are about to be stored.

    Raises:
        DBAPIError: the role may not change the table.
    """
    connection, length = context.connection, max(map(len, revisions), default=0)
    if length <= ALEMBIC_WIDTH or connection is None or connection.dialect.name == "sqlite":
        return
    columns = sa.inspect(connection).get_columns(context.version_table, schema=context.version_table_schema)
    width = next((getattr(column["type"], "length", None) for column in columns if column["name"] == COLUMN), None)
    if width is None or width >= length:
        return
    quote = connection.dialect.identifier_preparer
    table = quote.format_table(sa.table(context.version_table, schema=context.version_table_schema))
    wider = f"VARCHAR({max(length, ID_LENGTH)})"
    if connection.dialect.name == "postgresql":
        change = f"ALTER COLUMN {COLUMN} TYPE {wider}"
    else:
        change = f"MODIFY {COLUMN} {wider} NOT NULL"
    connection.exec_driver_sql(f"ALTER TABLE {table} {change}")


class ExactStep(RevisionStep):
    """A step that tells Alembic's HeadMaintainer which rows to replace.

    Args:
        library: all revisions.
        script: the one to be applied or taken back.
        is_upgrade: which of both.
        position: where the database is.
    """

    def __init__(self, library: Library, script: Script, *, is_upgrade: bool, position: Position) -> None:
        super().__init__(library.revision_map, script, is_upgrade)
        self._position = position

    def _rows(self, heads: set[str]) -> tuple[list[str], list[str]]:
        """(rows to go, rows to come), each sorted."""
        after = self._position.at(heads).after(self.revision.revision, is_upgrade=self.is_upgrade)
        return sorted(heads - after), sorted(after - heads)

    def should_delete_branch(self, heads: set[str]) -> bool:
        """A row goes and none comes."""
        return not self._rows(heads)[1]

    def should_create_branch(self, heads: set[str]) -> bool:
        """A row comes and none goes."""
        return not self._rows(heads)[0]

    def should_merge_branches(self, heads: set[str]) -> bool:
        """One row takes the place of several."""
        return len(self._rows(heads)[0]) > 1

    def should_unmerge_branches(self, heads: set[str]) -> bool:
        """Several rows take the place of one."""
        return len(self._rows(heads)[1]) > 1

    def merge_branch_idents(self, heads: set[str]) -> tuple[list[str], str, str]:
        """Rows to delete, the row to update, and to what."""
        gone, come = self._rows(heads)
        return gone[:-1], gone[-1], come[0]

    def unmerge_branch_idents(self, heads: set[str]) -> tuple[str, str, tuple[str, ...]]:
        """The row to update, to what, and rows to insert."""
        gone, come = self._rows(heads)
        return gone[0], come[-1], tuple(come[:-1])

    def update_version_num(self, heads: set[str]) -> tuple[str, str]:
        """The row to update, and to what."""
        gone, come = self._rows(heads)
        return gone[0], come[0]
