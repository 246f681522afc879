"""What every pruner must do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import DatabaseError, MigrationError
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.schema import Check, ForeignKey, Table, TableName, Unique
from framework_m_migrations.ports.pruner import Pruner
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract, failing
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, create, differences, index

DOOMED = TableName("doomed")


def pruner_of(session: Session) -> Pruner:
    """The pruner of a session that was opened for drops."""
    assert session.pruner is not None, "Harness.run(drops=True) must open a session with a pruner"
    return session.pruner


class PrunerContract(DatabaseContract):
    """Obligations of ports.pruner.Pruner."""

    @pytest.fixture
    def doomed(self, harness: Harness, build: Builder) -> Table:
        """A table with a row and one of everything that can be dropped."""
        can = harness.run(lambda session: session.capabilities)
        keys = [ForeignKey("fk_gone", ("gone",), TableName("target"), ("id",))] if can.alter_constraints else []
        indexes = [index("ix_gone", "gone"), *([index("ix_kept", "kept")] if can.alter_under_dependents else [])]
        table = build.table(
            "doomed",
            build.column("kept", "string(50)"),
            build.column("gone", "integer"),
            build.column("other", "integer", nullable=False, default="1"),
            indexes=indexes,
            uniques=[Unique("uq_other", ("other",))],
            checks=[Check("ck_id", "id > 0")],
            foreign_keys=keys,
        )
        harness.run(lambda session: create(session, build.table("target"), table))
        harness.insert(TableName("target"), [{"id": 5}])
        harness.insert(DOOMED, [{"id": 1, "kept": "x", "gone": 5}])
        return table

    def _drop(self, harness: Harness, operation: o.DestructiveOperation) -> None:
        def work(session: Session) -> None:
            with session.transaction(Limits(10)):
                pruner_of(session).apply(operation)

        harness.run(work, drops=True)

    @staticmethod
    def _drops(session: Session) -> list[o.DestructiveOperation]:
        """A column with an index on it, where the database can drop one, and its table."""
        column = [o.DropColumn(DOOMED, "gone")] if session.capabilities.alter_under_dependents else []
        return [*column, o.DropTable(DOOMED)]

    def _left(self, harness: Harness, wanted: Table) -> None:
        def work(session: Session) -> None:
            assert differences(session, wanted) == []

        harness.run(work)

    @obligation("pruner.drop-table.gone")
    def test_a_table_is_dropped(self, harness: Harness, doomed: Table) -> None:
        """A table goes with its rows and indexes; others stay, with theirs."""
        self._drop(harness, o.DropTable(doomed.name))

        def work(session: Session) -> None:
            with session.reading():
                assert session.inspector.read().names == {TableName("target")}
            create(session, replace(doomed, foreign_keys=()))

        harness.run(work)
        assert harness.rows(DOOMED) == []
        assert harness.rows(TableName("target")) == [{"id": 5}]

    @obligation("pruner.drop-column.with-what-stands-on-it")
    def test_a_column_is_dropped_with_what_stands_on_it(self, harness: Harness, doomed: Table) -> None:
        """A column goes with the indexes and foreign keys on it; rows keep the rest, other indexes stay."""
        if not self.able(harness, "alter_constraints") or not self.able(harness, "alter_under_dependents"):
            return
        self._drop(harness, o.DropColumn(DOOMED, "gone"))
        columns = tuple(column for column in doomed.columns if column.name != "gone")
        self._left(harness, replace(doomed, columns=columns, indexes=doomed.indexes[1:], foreign_keys=()))
        assert harness.rows(DOOMED) == [{"id": 1, "kept": "x", "other": 1}]

    @obligation("pruner.drop-index.gone")
    def test_an_index_is_dropped(self, harness: Harness, doomed: Table) -> None:
        """An index goes and nothing else."""
        self._drop(harness, o.DropIndex(DOOMED, "ix_gone"))
        self._left(harness, replace(doomed, indexes=doomed.indexes[1:]))

    @obligation("pruner.drop-constraint.gone")
    @pytest.mark.parametrize("kind", ["unique", "check", "foreign_key"])
    def test_a_constraint_is_dropped(self, harness: Harness, doomed: Table, kind: str) -> None:
        """A named constraint goes and nothing else; where the database cannot do it, DatabaseError changes nothing."""
        if not self.able(harness, "alter_constraints"):
            return
        name = {"unique": "uq_other", "check": "ck_id", "foreign_key": "fk_gone"}[kind]
        try:
            self._drop(harness, o.DropConstraint(DOOMED, name, kind))
        except DatabaseError:
            self._left(harness, doomed)
            self.not_applicable(f"dropping a {kind} constraint")
            return
        left = {
            "unique": replace(doomed, uniques=()),
            "check": replace(doomed, checks=()),
            "foreign_key": replace(doomed, foreign_keys=()),
        }[kind]
        self._left(harness, left)
        assert len(harness.rows(DOOMED)) == 1

    @obligation("pruner.drop-not-null.gone")
    def test_not_null_is_dropped(self, harness: Harness, doomed: Table) -> None:
        """NULL is allowed in a column again; its default and its rows stay."""
        if not self.able(harness, "alter_column") or not self.able(harness, "alter_under_dependents"):
            return
        self._drop(harness, o.DropNotNull(DOOMED, doomed.columns[3]))
        relaxed = (*doomed.columns[:3], replace(doomed.columns[3], nullable=True))
        self._left(harness, replace(doomed, columns=relaxed))
        harness.insert(DOOMED, [{"id": 2, "other": None}])

    @obligation("pruner.missing.is-an-error")
    def test_what_does_not_exist_cannot_be_dropped(self, harness: Harness, doomed: Table) -> None:
        """Dropping what does not exist raises an error and drops nothing."""
        for operation in (
            o.DropTable(TableName("nowhere")),
            o.DropColumn(DOOMED, "nothing"),
            o.DropIndex(DOOMED, "nothing"),
        ):
            with pytest.raises(MigrationError):
                self._drop(harness, operation)
        self._left(harness, doomed)

    @obligation("pruner.apply.never-commits")
    def test_drops_belong_to_the_callers_transaction(self, harness: Harness, doomed: Table) -> None:
        """What was dropped is back, rows included, when the caller's transaction is rolled back."""

        def work(session: Session) -> None:
            if not session.capabilities.transactional_ddl:
                self.not_applicable("transactional_ddl")
                return
            with failing(session.transaction(Limits(10))):
                for operation in self._drops(session):
                    pruner_of(session).apply(operation)

        harness.run(work, drops=True)
        self._left(harness, doomed)
        assert harness.rows(DOOMED) == [{"id": 1, "kept": "x", "gone": 5, "other": 1}]

    @obligation("pruner.render.is-what-apply-sends")
    @pytest.mark.usefixtures("doomed")
    def test_render_shows_what_apply_sends(self, harness: Harness) -> None:
        """Rendering drops nothing; its statements are those that apply sends, in order."""

        def work(session: Session) -> None:
            pruner = pruner_of(session)
            for operation in self._drops(session):
                with session.transaction(Limits(10)):
                    rendered = pruner.render(operation)
                    assert any("DROP" in text.upper() for text in rendered)
                    recording = harness.recording(session)
                    if recording is None:
                        self.not_applicable("recording")
                        return
                    with recording as sent:
                        pruner.apply(operation)
                assert [text for text in sent if text in rendered] == list(rendered)

        harness.run(work, drops=True)

    @obligation("pruner.session.only-when-asked")
    def test_there_is_no_pruner_unless_asked(self, harness: Harness) -> None:
        """A session has no pruner unless the user asked for drops."""
        assert harness.run(lambda session: session.pruner) is None
        assert harness.run(lambda session: session.pruner is not None, drops=True)
