"""What every ledger must do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from framework_m_migrations.domain.errors import LedgerCorrupt, MigrationError
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.ownership import LedgerForm, LedgerSnapshot, LogEntry, OwnedTable, WorkState
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.ledger import Ledger
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation

OLD, NEW = "a" * 64, "b" * 64
TASK, NOTE = TableName("tab_task"), TableName("tab note")


def owned(table: TableName = TASK, *columns: str, doctype: str = "Task", origin: str = "created") -> OwnedTable:
    """A record of ownership."""
    return OwnedTable(table, doctype, origin, frozenset(columns), frozenset({"ix it's"}), frozenset({"unique(a, b)"}))


def snapshot(session: Session) -> LedgerSnapshot:
    """The ledger as it is now."""
    with session.reading():
        return session.ledger.snapshot()


def write(session: Session, *writes: Callable[[Ledger], None]) -> None:
    """Prepare the ledger and write, in one transaction."""
    with session.transaction(Limits(10)):
        session.ledger.prepare()
        for each in writes:
            each(session.ledger)


WRITES: dict[str, Callable[[Ledger], None]] = {
    "store": lambda ledger: ledger.store({"Task": NEW}),
    "forget": lambda ledger: ledger.forget(["Task"]),
    "record": lambda ledger: ledger.record([owned(TASK, "new")]),
    "replace": lambda ledger: ledger.replace([owned(TASK)]),
    "disown": lambda ledger: ledger.disown([TASK]),
    "set_state": lambda ledger: ledger.set_state({"key": None}),
    "clear": lambda ledger: ledger.clear(),
}


class LedgerContract(DatabaseContract):
    """Obligations of ports.ledger.Ledger."""

    @obligation("ledger.absent.reads-as-empty")
    def test_an_absent_ledger_reads_as_empty(self, harness: Harness) -> None:
        """Without a ledger the snapshot is empty, its form ABSENT, and nothing is ours."""

        def work(session: Session) -> None:
            assert snapshot(session) == LedgerSnapshot(LedgerForm.ABSENT)
            with session.reading():
                assert dict(session.ledger.objects()) == {}
                assert dict(session.ledger.objects([TASK])) == {}

        harness.run(work)

    @obligation("ledger.read.creates-nothing")
    def test_reading_creates_nothing(self, harness: Harness) -> None:
        """Reading creates nothing: the ledger stays absent and the catalog as it was."""

        def work(session: Session) -> None:
            with session.reading():
                before = session.inspector.catalog_token()
                session.ledger.snapshot()
                session.ledger.objects()
            with session.reading():
                assert session.inspector.catalog_token() == before
            assert snapshot(session).form is LedgerForm.ABSENT

        harness.run(work)

    @obligation("ledger.write.needs-prepare")
    @pytest.mark.parametrize("name", sorted(WRITES))
    def test_writing_needs_preparation(self, harness: Harness, name: str) -> None:
        """Writing before prepare raises an error and creates nothing."""

        def work(session: Session) -> None:
            with pytest.raises(MigrationError), session.transaction(Limits(10)):
                WRITES[name](session.ledger)
            assert snapshot(session).form is LedgerForm.ABSENT

        harness.run(work)

    @obligation("ledger.prepare.idempotent")
    def test_preparing_twice_does_nothing(self, harness: Harness) -> None:
        """``prepare`` makes the ledger CURRENT; a second time, also by another session, it keeps what is there."""

        def work(session: Session) -> None:
            write(session, lambda ledger: ledger.store({"Task": OLD}), lambda ledger: ledger.set_state({"key": "x"}))
            write(session)
            assert snapshot(session) == LedgerSnapshot(LedgerForm.CURRENT, {"Task": OLD}, {"key": "x"})

        harness.run(work)
        harness.run(write)
        assert harness.run(snapshot) == LedgerSnapshot(LedgerForm.CURRENT, {"Task": OLD}, {"key": "x"})

    @obligation("ledger.checksums.stored")
    def test_checksums_are_stored_and_forgotten(self, harness: Harness) -> None:
        """``store`` sets and overwrites, forget removes and passes over unknown names, whatever the names look like."""
        names = ["Task", "it's 100% :odd", "Größe", "N" * 400, "N" * 399 + "M", "task"]

        def work(session: Session) -> None:
            write(session, lambda ledger: ledger.store(dict.fromkeys(names, OLD)))
            write(session, lambda ledger: ledger.store({"Task": NEW, "N" * 400: NEW}))
            assert snapshot(session).checksums == {**dict.fromkeys(names, OLD), "Task": NEW, "N" * 400: NEW}
            write(session, lambda ledger: ledger.forget(["N" * 400, "unknown", "Größe"]))
            write(session, lambda ledger: ledger.store({}), lambda ledger: ledger.forget([]))
            assert set(snapshot(session).checksums) == {*names} - {"N" * 400, "Größe"}

        harness.run(work)

    @obligation("ledger.state.single-values")
    def test_state_values_are_set_and_removed(self, harness: Harness) -> None:
        """``set_state`` sets values, overwrites them, and removes those set to None."""

        def work(session: Session) -> None:
            write(session, lambda ledger: ledger.set_state({"a": "1", "b": "it's 5% :x", "c": "x" * 5000}))
            write(session, lambda ledger: ledger.set_state({"a": "2", "c": None, "unknown": None}))
            assert snapshot(session).state == {"a": "2", "b": "it's 5% :x"}

        harness.run(work)

    @obligation("ledger.record.merges")
    def test_records_are_merged(self, harness: Harness) -> None:
        """``record`` adds to what is ours of a table, as OwnedTable.merge says, also twice in one call."""
        first, second = owned(TASK, "a"), owned(TASK, "b", doctype="Job", origin="adopted")
        third = owned(TASK, "c")

        def work(session: Session) -> None:
            write(session, lambda ledger: ledger.record([first]))
            write(
                session,
                lambda ledger: ledger.record([second, third, owned(NOTE, "x")]),
                lambda ledger: ledger.record([]),
            )
            with session.reading():
                assert dict(session.ledger.objects()) == {
                    TASK: first.merge(second).merge(third),
                    NOTE: owned(NOTE, "x"),
                }

        harness.run(work)

    @obligation("ledger.replace.exactly")
    def test_records_are_replaced(self, harness: Harness) -> None:
        """``replace`` sets what is ours of the tables named to exactly this; other tables are left alone."""

        def work(session: Session) -> None:
            write(session, lambda ledger: ledger.record([owned(TASK, "a", "b"), owned(NOTE, "x")]))
            write(session, lambda ledger: ledger.replace([owned(TASK, "b")]))
            with session.reading():
                assert dict(session.ledger.objects()) == {TASK: owned(TASK, "b"), NOTE: owned(NOTE, "x")}

        harness.run(work)

    @obligation("ledger.disown.forgets")
    def test_tables_are_disowned(self, harness: Harness) -> None:
        """``disown`` forgets the tables named, passes over unknown ones and keeps the others."""

        def work(session: Session) -> None:
            write(session, lambda ledger: ledger.record([owned(TASK, "a"), owned(NOTE, "x")]))
            write(session, lambda ledger: ledger.disown([TASK, TableName("unknown")]))
            with session.reading():
                assert dict(session.ledger.objects()) == {NOTE: owned(NOTE, "x")}

        harness.run(work)

    @obligation("ledger.objects.subset")
    def test_objects_of_named_tables(self, harness: Harness) -> None:
        """``objects`` answers for the tables named only; names that differ in their schema are different tables."""
        twin = TableName("tab_task", "tenant")

        def work(session: Session) -> None:
            write(session, lambda ledger: ledger.record([owned(TASK, "a"), owned(twin, "t"), owned(NOTE, "x")]))
            with session.reading():
                assert dict(session.ledger.objects([TASK, TableName("unknown")])) == {TASK: owned(TASK, "a")}
                assert dict(session.ledger.objects([])) == {}
                assert set(session.ledger.objects()) == {TASK, twin, NOTE}

        harness.run(work)

    @obligation("ledger.clear.keeps-tables")
    def test_clearing_forgets_everything(self, harness: Harness) -> None:
        """``clear`` forgets checksums, objects and state; the ledger stays CURRENT and writable."""

        def work(session: Session) -> None:
            write(session, *(WRITES[name] for name in ("store", "record")), lambda ledger: ledger.set_state({"a": "1"}))
            write(session, lambda ledger: ledger.clear())
            assert snapshot(session) == LedgerSnapshot(LedgerForm.CURRENT)
            with session.reading():
                assert dict(session.ledger.objects()) == {}
            write(session, WRITES["store"])
            assert snapshot(session).checksums == {"Task": NEW}

        harness.run(work)

    @obligation("ledger.write.rolls-back")
    @pytest.mark.parametrize("name", sorted(WRITES))
    def test_writes_vanish_with_the_transaction(self, harness: Harness, name: str) -> None:
        """Every write vanishes with the caller's transaction."""

        def state_of(session: Session) -> object:
            with session.reading():
                return session.ledger.snapshot(), dict(session.ledger.objects())

        def work(session: Session) -> None:
            write(
                session,
                lambda ledger: ledger.store({"Task": OLD}),
                lambda ledger: ledger.record([owned(TASK, "a")]),
                lambda ledger: ledger.set_state({"key": "x"}),
            )
            before = state_of(session)

            def attempt() -> None:
                with session.transaction(Limits(10)):
                    WRITES[name](session.ledger)
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                attempt()
            assert state_of(session) == before
            with session.transaction(Limits(10)):
                WRITES[name](session.ledger)
            assert state_of(session) != before

        harness.run(work)

    @obligation("ledger.prepare.rolls-back")
    def test_preparing_vanishes_with_the_transaction(self, harness: Harness) -> None:
        """A ledger prepared and filled in a transaction that fails is absent afterwards, and can be prepared again."""

        def work(session: Session) -> None:
            if not session.capabilities.transactional_ddl:
                self.not_applicable("transactional_ddl")
                return

            def attempt() -> None:
                with session.transaction(Limits(10)):
                    session.ledger.prepare()
                    session.ledger.store({"Task": OLD})
                    assert session.ledger.snapshot().checksums == {"Task": OLD}
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                attempt()
            assert snapshot(session).form is LedgerForm.ABSENT
            write(session, WRITES["store"])
            assert snapshot(session).checksums == {"Task": NEW}

        harness.run(work)

    @obligation("ledger.write.seen-after-commit")
    def test_others_see_writes_after_the_commit(self, harness: Harness) -> None:
        """Another session sees writes after the commit, and not before."""

        def work(session: Session) -> None:
            write(session)
            with harness.second() as other:
                with session.transaction(Limits(10)):
                    session.ledger.store({"Task": OLD})
                    assert snapshot(other).checksums == {}
                assert snapshot(other).checksums == {"Task": OLD}

        harness.run(work)

    @obligation("ledger.snapshot.one-statement")
    def test_the_snapshot_takes_one_statement(self, harness: Harness) -> None:
        """A snapshot of a ledger that exists takes one statement, also the first one of a session."""
        harness.run(lambda session: write(session, WRITES["store"]))

        def work(session: Session) -> None:
            recording = harness.recording(session)
            if recording is None:
                self.not_applicable("recording")
                return
            with session.reading(), recording as sent:
                session.ledger.snapshot()
            assert len(sent) == 1

        harness.run(work)

    @obligation("ledger.legacy.adopted")
    def test_framework_ms_ledger_is_adopted(self, harness: Harness) -> None:
        """Framework M's two-column table reads as LEGACY; prepare makes it CURRENT and keeps its rows."""
        harness.legacy_ledger({"Task": "c" * 64})

        def work(session: Session) -> None:
            assert snapshot(session).form is LedgerForm.LEGACY
            write(session, lambda ledger: ledger.store({"Note": OLD}))
            found = snapshot(session)
            assert found.form is LedgerForm.CURRENT
            assert found.checksums["Note"] == OLD

        harness.run(work)
        assert harness.legacy_checksums() == {"Task": "c" * 64, "Note": OLD}

    @obligation("ledger.snapshot.corrupt")
    def test_a_corrupt_ledger_is_told(self, harness: Harness) -> None:
        """Tables of the ledger's names in another form raise LedgerCorrupt, reading and preparing; none is changed."""
        if not harness.corrupt_ledger():
            self.not_applicable("tables")
            return

        def prepare(session: Session) -> None:
            with session.transaction(Limits(10)):
                session.ledger.prepare()

        for _ in range(2):
            for work in (snapshot, prepare):
                with pytest.raises(LedgerCorrupt):
                    harness.run(work)

    @obligation("ledger.legacy.writable")
    def test_framework_m_can_go_on_writing(self, harness: Harness) -> None:
        """Framework M can still write its two columns into a ledger of ours, and what it wrote is seen."""
        harness.run(lambda session: write(session, lambda ledger: ledger.store({"Task": OLD})))
        harness.legacy_ledger({"Note": NEW})
        assert harness.run(snapshot).checksums == {"Task": OLD, "Note": NEW}

    @obligation("ledger.log.keeps-what-was-done")
    def test_the_log_keeps_what_was_done(self, harness: Harness) -> None:
        """Entries come back newest first; one written again is one entry; a rebuild spares them."""
        began = "2026-01-01T00:00:00.000001+00:00"
        entry = LogEntry("sync", "it's new", "safe", "CREATE TABLE t", began, "", WorkState.RUNNING)

        def work(session: Session) -> None:
            with session.reading():
                assert session.ledger.logged(5) == ()
            with session.transaction(Limits(10)):
                session.ledger.prepare()
                session.ledger.log(entry)
                assert session.ledger.logged(5) == ()
                assert session.ledger.open_log() is None
                key = session.ledger.log(entry)
                session.ledger.log(replace(entry, outcome=WorkState.DONE, ended=entry.began), key)
                session.ledger.log(replace(entry, what="second", began="2026-01-02T00:00:00.000001+00:00"))
            with session.transaction(Limits(10)):
                session.ledger.rebuild()
            with session.reading():
                second, first = session.ledger.logged(5)
                assert session.ledger.logged(1) == (second,)
            assert (first.what, first.outcome, first.ended) == ("it's new", WorkState.DONE, entry.began)
            assert (second.what, second.outcome, second.ended) == ("second", WorkState.RUNNING, "")
            with session.transaction(Limits(10)):
                assert session.ledger.open_log() is None
            with session.reading():
                assert [one.outcome for one in session.ledger.logged(5)] == [WorkState.INTERRUPTED, WorkState.DONE]

        harness.run(work)
