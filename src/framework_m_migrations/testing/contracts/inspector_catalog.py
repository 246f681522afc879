"""What every inspector must read."""

from __future__ import annotations

from collections.abc import Iterable

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract
from framework_m_migrations.testing.contracts.executor_tables import add, rich_table
from framework_m_migrations.testing.harness import Harness, Meddling
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, create

ROWS = TableName("counted")


def token(session: Session) -> str | None:
    """The catalog's token now."""
    with session.reading():
        return session.inspector.catalog_token()


class InspectorCatalogContract(DatabaseContract):
    """Obligations of ports.inspector.Inspector about the catalog and its token."""

    @obligation("inspector.read.absent-tables")
    def test_tables_that_do_not_exist_are_absent(self, harness: Harness, build: Builder) -> None:
        """A table that was asked for and does not exist is in neither tables nor names."""

        def work(session: Session) -> None:
            create(session, build.table("here"))
            with session.reading():
                catalog = session.inspector.read([TableName("here"), TableName("gone")])
            assert list(catalog.tables) == [TableName("here")]
            assert TableName("gone") not in catalog.names

        harness.run(work)

    @obligation("inspector.read.names")
    def test_names_hold_all_tables(self, harness: Harness, build: Builder) -> None:
        """Catalog.names lists every table that exists, also those that were not asked for."""

        def work(session: Session) -> None:
            create(session, *(build.table(name) for name in ("one", "two", "three")))
            with session.reading():
                catalog = session.inspector.read([TableName("two")])
            assert set(catalog.tables) == {TableName("two")}
            assert {TableName("one"), TableName("two"), TableName("three")} <= catalog.names

        harness.run(work)

    @obligation("inspector.read.all")
    def test_none_reads_everything(self, harness: Harness, build: Builder) -> None:
        """Without names every table is read; an empty list of names reads none."""

        def work(session: Session) -> None:
            create(session, build.table("one"), build.table("two"))
            with session.reading():
                assert {TableName("one"), TableName("two")} == set(session.inspector.read().tables)
                assert session.inspector.read([]).tables == {}

        harness.run(work)

    @obligation("inspector.read.own-tables-left-out")
    def test_the_engines_own_tables_are_left_out(self, harness: Harness, build: Builder) -> None:
        """The ledger's tables, Alembic's version table and system tables are not in the answers."""

        def work(session: Session) -> None:
            with session.transaction(Limits(10)):
                session.ledger.prepare()
            harness.revisions.add("0001", harness.revisions.apps[0])
            session.versions.stamp(["0001"])
            create(session, build.table("mine"))
            with session.reading():
                catalog = session.inspector.read()
            assert set(catalog.tables) == catalog.names == {TableName("mine")}

        harness.run(work)

    @obligation("inspector.read.constant-statements")
    def test_the_number_of_statements_is_constant(self, harness: Harness, build: Builder) -> None:
        """Reading takes as many statements for one table as for thirty, and for all."""
        tables = [rich_table(build, f"t{number}") for number in range(30)]
        harness.run(lambda session: create(session, *tables))

        def count(names: Iterable[TableName] | None) -> int | None:
            def work(session: Session) -> int | None:
                with session.reading():
                    session.inspector.read([])  # what a connection does only once does not count
                    recording = harness.recording(session)
                    if recording is None:
                        return None
                    with recording as sent:
                        session.inspector.read(None if names is None else list(names))
                    return len(sent)

            return harness.run(work)

        counts = [count([tables[0].name]), count(table.name for table in tables), count(None)]
        if counts[0] is None:
            self.not_applicable("recording")
            return
        assert counts[0] > 0
        assert counts == [counts[0]] * 3

    @obligation("inspector.read.sees-others-changes")
    def test_changes_of_others_are_seen(self, harness: Harness) -> None:
        """What somebody else did is seen by the next read of the same session."""

        def work(session: Session) -> None:
            with session.reading():
                assert TableName("theirs") not in session.inspector.read().names
            harness.meddle(Meddling.CREATE_TABLE, "theirs")
            harness.meddle(Meddling.CREATE_INDEX, "theirs")
            with session.reading():
                found = session.inspector.read([TableName("theirs")]).tables[TableName("theirs")]
            assert [column.name for column in found.columns] == ["id", "note"]
            assert [item.name for item in found.indexes] == ["ix_theirs_note"]

        harness.run(work)

    @obligation("inspector.token.changes-with-ddl")
    def test_the_token_changes_with_every_ddl(self, harness: Harness) -> None:
        """The catalog token differs after each DDL statement, whoever runs it."""

        def work(session: Session) -> None:
            before = token(session)
            if before is None:
                self.not_applicable("catalog token")
                return
            seen = [before]
            for meddling in Meddling:
                harness.meddle(meddling, "theirs")
                after = token(session)
                assert after is not None
                assert after != seen[-1], f"the token does not tell {meddling}"
                seen.append(after)

        harness.run(work)

    @obligation("inspector.token.changes-with-own-ddl")
    def test_the_token_changes_with_own_ddl(self, harness: Harness, build: Builder) -> None:
        """The catalog token differs after the executor's own operations too, and is the same when asked again."""

        def work(session: Session) -> None:
            before = token(session)
            if before is None:
                self.not_applicable("catalog token")
                return
            assert token(session) == before
            create(session, build.table("mine"))
            after = token(session)
            add(session, o.AddColumn(TableName("mine"), build.column("note", "text")))
            assert len({before, after, token(session)}) == 3

        harness.run(work)

    @obligation("inspector.token.ignores-rows")
    def test_the_token_ignores_rows(self, harness: Harness) -> None:
        """Writing rows leaves the catalog token as it is."""
        harness.meddle(Meddling.CREATE_TABLE, "theirs")

        def work(session: Session) -> None:
            before = token(session)
            harness.insert(TableName("theirs"), [{"id": number, "note": "x"} for number in range(20)])
            assert token(session) == before

        harness.run(work)

    @obligation("inspector.token.one-statement")
    def test_the_token_costs_one_statement(self, harness: Harness) -> None:
        """The catalog token takes one statement."""

        def work(session: Session) -> None:
            token(session)
            recording = harness.recording(session)
            if recording is None:
                self.not_applicable("recording")
                return
            with session.reading(), recording as sent:
                session.inspector.catalog_token()
            assert len(sent) <= 1

        harness.run(work)
