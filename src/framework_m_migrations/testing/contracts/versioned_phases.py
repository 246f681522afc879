"""What every versioned track must do with the two halves of an online change."""

from __future__ import annotations

from framework_m_migrations.domain.changes import ColumnAdded
from framework_m_migrations.domain.operations import AddColumn
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.revisions import Phase, RevisionDraft
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder


class VersionedPhases(DatabaseContract):
    """Obligations of ports.versioned_track.VersionedTrack that concern expand and contract."""

    @obligation("track.write.phases")
    def test_two_halves_make_the_change(self, harness: Harness, build: Builder) -> None:
        """The halves of an online change are revisions, the second of which says what it ends; both can be undone."""
        app = harness.revisions.apps[0]
        harness.revisions.add("a1", app, creates="t_one")
        table, added = TableName("t_one"), build.column("extra", "integer")
        judged = Judgement(Risk.WARNING, "contract", "a test", "create")
        changes = [PlannedChange("One", app, ColumnAdded(table, added), judged, (AddColumn(table, added),))]
        expand = RevisionDraft("e1", app, "one", ("a1",), (), phase=Phase.EXPAND, beside_sync=True)
        contract = RevisionDraft("e2", app, "two", ("e1",), (), phase=Phase.CONTRACT, contract_of="e1")

        def has_column(session: Session) -> bool:
            with session.reading():
                return session.inspector.read().tables[table].column("extra") is not None

        def work(session: Session) -> None:
            session.versions.upgrade("a1")
            session.versions.write(expand, changes)
            session.versions.write(contract, changes)
            by_id = session.versions.graph().by_id
            assert {name: by_id[name].contract_of for name in by_id} == {"a1": None, "e1": None, "e2": "e1"}
            assert {name for name in by_id if by_id[name].beside_sync} == {"e1"}
            assert not session.versions.serves_others()
            session.versions.upgrade("e1")
            assert has_column(session)
            session.versions.upgrade("e2")
            assert has_column(session)
            session.versions.downgrade("e2")
            assert has_column(session)
            session.versions.downgrade("e1")
            assert not has_column(session)

        harness.run(work)
