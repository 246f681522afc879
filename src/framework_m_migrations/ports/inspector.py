"""How the database's own state is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from framework_m_migrations.domain.changes import Change
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.risk.conflicts import Obstacle
from framework_m_migrations.domain.risk.facts import Facts, Question, Size
from framework_m_migrations.domain.risk.facts import TypeChange as TypeChange
from framework_m_migrations.domain.schema import Catalog, Column, SchemaObject, Table, TableName


class Inspector(Protocol):
    """Reads catalog and rows; never writes anything that outlives the call.

    Obligations:
        - ``read`` takes a constant number of statements, however many tables there are or are asked for.
        - Spellings equal those of the session's SchemaSource where the meaning is equal, after ``normalise``.
        - The engine's own tables (the ledger's, Alembic's version table) and the database's system tables are not in
          the answers.
    """

    def catalog_token(self) -> str | None:
        """A short text that changes with every DDL statement anyone runs in the schemas looked at; one statement.

        Writes to rows leave it as it is. None where the database has no such thing.
        """
        ...

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """The named tables (all when None), as they are.

        Tables that do not exist are absent from ``Catalog.tables``. ``Catalog.names`` lists all that exist in the
        schemas looked at: the default one and those of the tables named.
        """
        ...

    def normalise(self, pairs: Sequence[tuple[Table, Table]]) -> list[Table]:
        """Spell wanted tables as the database itself would, given (wanted, actual) pairs that look different.

        Returns the wanted tables in order, each with types, defaults, checks, index expressions and predicates in the
        database's own spelling; with what the database cannot be asked about left as it was. This is what keeps
        phantom differences out, so when in doubt the adapter asks the database, in a transaction that it rolls back.
        """
        ...

    def type_change(self, table: TableName, before: Column, after: Column) -> TypeChange:
        """What turning ``before`` into ``after`` would do. Never changes anything."""
        ...

    def ask(self, questions: Collection[Question]) -> Facts:
        """Answers about rows. A question that cannot be answered cheaply may be left out."""
        ...

    def obstacles(self, changes: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """What else would make the database refuse a change, for each such change.

        That is a name which an index or a new table shall have and something else has, in the tables that were not
        read as well; a name that an earlier one of these changes takes (see ``rivals``); a trigger of the application
        on rows that the change would write; or what stands on a column and lets nobody change its type, such as a view.
        A constant number of statements, whatever is asked.

        Args:
            changes: all that sync or a revision would make of one plan, in its order, removals left out; the indexes
                and unique constraints of added tables are among them.
        """
        ...

    def dependents(self, drops: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """What stands on something that is to be dropped, for each such drop that must not be made for it.

        That is what makes the database refuse a drop, and what a drop would leave broken behind: views and triggers
        that name what goes, foreign keys that point at it, columns that are computed of it; as far as the database
        keeps account of them. What goes with an earlier one of the drops, and a foreign key between tables that go
        together, is not in the answer. Nothing is locked, and a constant number of statements is taken.

        Args:
            drops: removed tables, columns, indexes and constraints, in the order in which they would be dropped.
        """
        ...

    def objects(self, wanted: Sequence[SchemaObject]) -> Sequence[tuple[SchemaObject, SchemaObject | None]]:
        """Each wanted object in the database's own spelling, and as it is; None where it does not exist.

        A constant number of statements, none for no object.
        """
        ...

    def surplus(
        self, pairs: Sequence[tuple[Table, Table]], objects: Collection[SchemaObject] = ()
    ) -> Mapping[TableName, tuple[str, ...]]:
        """What tables have beside columns, indexes and constraints, and no model names; by table, in words.

        Triggers, rules, policies, and options of the table or of its parts; ``pairs`` are the tables as they are
        wanted and as they are. What the server gives every table is left out.

        Beside them, by its own name, what exists and is not declared of a kind of which ``objects`` are declared as
        all there are: views, functions, procedures.

        What belongs to an extension, to the engine's own online changes or to the database itself is left out. A
        constant number of statements.
        """
        ...

    def sizes(self, tables: Collection[TableName]) -> Mapping[TableName, Size]:
        """Estimates of how large tables are; those that do not exist, or that it cannot tell of cheaply, are left out.

        One statement at most, which waits for nobody's lock longer than a few seconds and reads no rows.
        """
        ...

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        """Rights that the role lacks, as sentences that say how to grant them; empty when it has them.

        It takes a constant number of statements. A database that cannot be written at all is found by the lock or by
        the first statement, as DatabaseReadOnly, and need not be told of here when ``needed`` is given.

        Args:
            needed: what is about to be done; None asks for everything: to change every table in the schemas looked at,
                and to make others.
        """
        ...
