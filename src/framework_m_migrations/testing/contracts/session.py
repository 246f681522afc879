"""What every session must do with its transactions."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain.errors import LockTimeout
from framework_m_migrations.domain.operations import AddColumn
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.risk.facts import FactKind, Question
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract, Deliberate, failing
from framework_m_migrations.testing.harness import Harness, Meddling
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, create, creation, expect_columns


def names(session: Session) -> set[str]:
    """The names of all tables."""
    with session.reading():
        return {name.name for name in session.inspector.read().names}


def make(session: Session, build: Builder, name: str) -> None:
    """Create a table within the scope that is open."""
    session.executor.apply(creation(build.table(name)))


class SessionContract(DatabaseContract):
    """Obligations of ports.session.Session."""

    @obligation("session.capabilities.declared")
    def test_capabilities_are_declared(self, harness: Harness) -> None:
        """A session tells what its database can do, the same each time."""

        def work(session: Session) -> None:
            assert session.capabilities.dialect
            assert session.capabilities.step_weight > 0
            assert session.capabilities == session.capabilities

        harness.run(work)

    @obligation("session.ports.one-database")
    def test_ports_share_one_transaction(self, harness: Harness, build: Builder) -> None:
        """Executor, inspector and ledger see each other's uncommitted work within one transaction."""

        def work(session: Session) -> None:
            with session.transaction(Limits(10)):
                make(session, build, "fresh")
                session.ledger.prepare()
                session.ledger.store({"Fresh": "a" * 64})
                assert TableName("fresh") in session.inspector.read().names
                assert session.ledger.snapshot().checksums == {"Fresh": "a" * 64}

        harness.run(work)

    @obligation("session.transaction.commits")
    def test_a_transaction_commits_at_its_end(self, harness: Harness, build: Builder) -> None:
        """What a transaction did stands at its end, for this and for other sessions, and not before for those."""

        def work(session: Session) -> None:
            with harness.second() as other:
                with session.transaction(Limits(10)):
                    make(session, build, "done")
                assert names(session) == names(other) == {"done"}

        harness.run(work)
        assert harness.run(names) == {"done"}

    @obligation("session.transaction.rolls-back")
    def test_an_exception_rolls_back(self, harness: Harness, build: Builder) -> None:
        """An exception undoes everything, is raised unchanged, and leaves the session usable."""

        def work(session: Session) -> None:
            if not session.capabilities.transactional_ddl:
                self.not_applicable("transactional_ddl")
                return
            with failing(session.transaction(Limits(10))):
                make(session, build, "one")
                make(session, build, "two")
            assert names(session) == set()
            create(session, build.table("after"))
            assert names(session) == {"after"}

        harness.run(work)

    @obligation("session.transaction.rolls-back-on-interrupt")
    def test_an_interrupt_rolls_back(self, harness: Harness, build: Builder) -> None:
        """Ctrl-C undoes everything too."""

        def work(session: Session) -> None:
            if not session.capabilities.transactional_ddl:
                self.not_applicable("transactional_ddl")
                return

            def attempt() -> None:
                with session.transaction(Limits(10)):
                    make(session, build, "one")
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                attempt()
            assert names(session) == set()

        harness.run(work)

    @obligation("session.transaction.after-refusal")
    def test_a_refused_statement_leaves_the_session_usable(self, harness: Harness, build: Builder) -> None:
        """After a statement that the database refused the transaction is gone and the next one works."""

        def work(session: Session) -> None:
            create(session, build.table("taken"))
            for _ in range(2):
                with pytest.raises(Exception, match=r"."):
                    create(session, build.table("taken"))
            create(session, build.table("next"))
            assert names(session) == {"taken", "next"}

        harness.run(work)

    @obligation("session.transaction.nested")
    def test_a_nested_transaction_is_a_savepoint(self, harness: Harness, build: Builder) -> None:
        """A transaction within another can fail alone; the outer one takes it along when it fails itself."""
        if not self.able(harness, "transactional_ddl") or not self.able(harness, "savepoints"):
            return

        def work(session: Session) -> None:
            with session.transaction(Limits(10)):
                make(session, build, "outer")
                with failing(session.transaction(Limits(10))):
                    make(session, build, "inner")
                with session.transaction(Limits(10)):
                    make(session, build, "second")
            assert names(session) == {"outer", "second"}
            with failing(session.transaction(Limits(10))), session.transaction(Limits(10)):
                make(session, build, "third")
            assert names(session) == {"outer", "second"}

        harness.run(work)

    @obligation("session.transaction.after-read")
    def test_a_read_before_does_not_swallow_the_commit(self, harness: Harness, build: Builder) -> None:
        """A transaction that follows a read outside of any scope still commits."""

        def work(session: Session) -> None:
            session.inspector.read()
            with session.transaction(Limits(10)):
                make(session, build, "kept")

        harness.run(work)
        assert harness.run(names) == {"kept"}

    @obligation("session.autocommit.each-stands")
    def test_autocommit_lets_each_statement_stand(self, harness: Harness, build: Builder) -> None:
        """In autocommit each statement stands for itself, whatever comes after it."""

        def work(session: Session) -> None:
            with harness.second() as other, failing(session.autocommit()):
                make(session, build, "first")
                assert names(other) == {"first"}
            assert names(session) == {"first"}
            with failing(session.transaction(Limits(10))):
                make(session, build, "second")
            if session.capabilities.transactional_ddl:
                assert names(session) == {"first"}

        harness.run(work)

    @obligation("session.reading.leaves-nothing")
    def test_reading_leaves_no_lock(self, harness: Harness, build: Builder) -> None:
        """At the end of reading no transaction and no lock is left: others change and drop what was read."""

        def work(session: Session) -> None:
            harness.meddle(Meddling.CREATE_TABLE, "read")
            with session.reading():
                session.inspector.read()
                session.ledger.snapshot()
            with harness.second() as other, other.transaction(Limits(0.5)):
                other.executor.apply(AddColumn(TableName("read"), build.column("extra", "integer")))
            harness.meddle(Meddling.DROP_TABLE, "read")
            assert names(session) == set()
            with failing(session.reading()):
                session.inspector.read()
            create(session, build.table("after"))
            assert names(session) == {"after"}

        harness.run(work)

    @obligation("session.transaction.lock-timeout")
    def test_a_lock_that_is_not_had_times_out(self, harness: Harness, build: Builder) -> None:
        """Where another session holds the table, LockTimeout comes in time, nothing is left, and a retry works."""

        def work(session: Session) -> None:
            create(session, build.table("busy"))
            with harness.second() as other:
                with other.transaction(Limits(10)):
                    other.executor.apply(AddColumn(TableName("busy"), build.column("theirs", "integer")))
                    # Statements may wait for each other until something is asked; and where the change is committed
                    # at once, it holds nothing, but a transaction that has read the table does.
                    other.inspector.ask([Question(FactKind.HAS_ROWS, TableName("busy"))])
                    with pytest.raises(LockTimeout):
                        _alter(session, build)
                _alter(session, build)
            with session.reading():
                busy = session.inspector.read().tables[TableName("busy")]
            expect_columns(session, busy, "id", "theirs", "ours")

        harness.run(work)

    @obligation("session.end.rolls-back")
    def test_an_error_of_the_use_case_ends_the_session_cleanly(self, harness: Harness, build: Builder) -> None:
        """A use case that raises within a transaction leaves nothing behind and nothing locked."""

        def work(session: Session) -> None:
            with session.transaction(Limits(10)):
                make(session, build, "half")
                raise Deliberate

        with pytest.raises(Deliberate):
            harness.run(work)
        harness.run(lambda session: create(session, build.table("whole")))
        assert "whole" in harness.run(names)


def _alter(session: Session, build: Builder) -> None:
    with session.transaction(Limits(0.3)):
        session.executor.apply(AddColumn(TableName("busy"), build.column("ours", "integer")))
