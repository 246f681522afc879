"""What every versioned track must do, with the two halves of an online change too."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from framework_m_migrations.domain.changes import ColumnAdded, TableAdded
from framework_m_migrations.domain.errors import (
    RevisionCycle,
    RevisionError,
    RevisionFailed,
    RevisionFileBroken,
    UnknownRevision,
    VersionFolderMissing,
)
from framework_m_migrations.domain.operations import AddColumn
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.revisions import Phase, RevisionDraft, RevisionGraph
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract
from framework_m_migrations.testing.contracts.session import names
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, creation


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


# What every versioned track must do.


def current(session: Session) -> frozenset[str]:
    """The heads that the database is at."""
    with session.reading():
        return session.versions.current()


def draft(name: str, app: str, *down: str) -> RevisionDraft:
    """A revision to be written."""
    labels = () if down else (app,)
    return RevisionDraft(name, app, f"the {name}", tuple(down), labels)


class VersionedTrackContract(VersionedPhases):
    """Obligations of ports.versioned_track.VersionedTrack."""

    def _graph(self, harness: Harness) -> RevisionGraph:
        return harness.run(lambda session: session.versions.graph())

    @obligation("track.graph.complete")
    def test_the_graph_has_all_revisions(self, harness: Harness) -> None:
        """The graph has every revision of every app with its app, parents, dependencies and labels."""
        one, two = harness.revisions.apps
        assert self._graph(harness).revisions == ()
        harness.revisions.add("a1", one)
        harness.revisions.add("a2", one, down=["a1"])
        harness.revisions.add("b1", two, depends_on=["a1"])
        graph = self._graph(harness)
        assert {item.id: (item.app, item.down_revisions, item.depends_on) for item in graph.revisions} == {
            "a1": (one, (), ()),
            "a2": (one, ("a1",), ()),
            "b1": (two, (), ("a1",)),
        }
        assert graph.by_id["a1"].branch_labels == (one,)
        assert (graph.heads(one), graph.heads(two)) == (("a2",), ("b1",))

    @obligation("track.graph.fresh")
    def test_the_graph_sees_new_files(self, harness: Harness) -> None:
        """The graph keeps nothing between calls that a new file would make wrong."""
        app = harness.revisions.apps[0]

        def work(session: Session) -> None:
            assert session.versions.graph().order == ()
            harness.revisions.add("a1", app)
            assert session.versions.graph().order == ("a1",)
            harness.revisions.add("a2", app, down=["a1"])
            assert session.versions.graph().order == ("a1", "a2")

        harness.run(work)

    @obligation("track.graph.broken-file")
    def test_a_broken_file_is_named(self, harness: Harness) -> None:
        """A file that cannot be loaded raises RevisionFileBroken."""
        harness.revisions.add_broken(harness.revisions.apps[0])
        with pytest.raises(RevisionFileBroken):
            self._graph(harness)

    @obligation("track.graph.unknown-parent")
    def test_an_unknown_parent_is_named(self, harness: Harness) -> None:
        """A parent that no file has raises UnknownRevision, which names it."""
        harness.revisions.add("a2", harness.revisions.apps[0], down=["lost"])
        with pytest.raises(UnknownRevision, match="lost"):
            self._graph(harness)

    @obligation("track.graph.cycle")
    def test_a_circle_is_named(self, harness: Harness) -> None:
        """Revisions that wait for each other raise RevisionCycle."""
        one, two = harness.revisions.apps
        harness.revisions.add("a1", one, depends_on=["b1"])
        harness.revisions.add("b1", two, depends_on=["a1"])
        with pytest.raises(RevisionCycle):
            self._graph(harness)

    @obligation("track.current.creates-nothing")
    def test_reading_creates_no_version_table(self, harness: Harness) -> None:
        """Before the first revision current is empty, and reading it creates nothing."""
        harness.revisions.add("a1", harness.revisions.apps[0])

        def work(session: Session) -> None:
            with session.reading():
                before = session.inspector.catalog_token(), session.inspector.read().names
                session.versions.graph()
                assert session.versions.current() == frozenset()
            with session.reading():
                assert (session.inspector.catalog_token(), session.inspector.read().names) == before

        harness.run(work)

    @obligation("track.upgrade.one-revision")
    def test_upgrade_applies_exactly_one(self, harness: Harness) -> None:
        """``upgrade`` applies one revision and moves the version table with it."""
        app = harness.revisions.apps[0]
        harness.revisions.add("a1", app, creates="t_one")
        harness.revisions.add("a2", app, down=["a1"], creates="t_two")

        def work(session: Session) -> None:
            session.versions.upgrade("a1")
            assert current(session) == {"a1"}
            assert names(session) == {"t_one"}
            session.versions.upgrade("a2")
            assert current(session) == {"a2"}
            assert names(session) == {"t_one", "t_two"}

        harness.run(work)
        assert harness.run(current) == {"a2"}

    @obligation("track.upgrade.fails-whole")
    def test_a_failing_upgrade_leaves_nothing(self, harness: Harness) -> None:
        """A revision that raises is rolled back with the version table, as RevisionFailed; those before it stand."""
        app = harness.revisions.apps[0]
        harness.revisions.add("a1", app, creates="t_one")
        harness.revisions.add("a2", app, down=["a1"], creates="t_two", fails=True)

        def work(session: Session) -> None:
            session.versions.upgrade("a1")
            with pytest.raises(RevisionFailed, match="a2"):
                session.versions.upgrade("a2")
            assert current(session) == {"a1"}
            if session.capabilities.transactional_ddl:
                assert names(session) == {"t_one"}

        harness.run(work)

    @obligation("track.unfinished.until-stamped")
    def test_what_stands_of_a_failure_is_unfinished_until_it_is_stamped(self, harness: Harness) -> None:
        """``unfinished`` names what is left in its middle where DDL commits, and nothing else; ``stamp`` settles it."""
        app = harness.revisions.apps[0]
        harness.revisions.add("a1", app, creates="t_one")
        harness.revisions.add("a2", app, down=["a1"], creates="t_two", fails=True)

        def work(session: Session) -> None:
            session.versions.upgrade("a1")
            assert session.versions.unfinished() == ()
            with pytest.raises(RevisionFailed, match="a2"):
                session.versions.upgrade("a2")
            assert session.versions.unfinished() == (() if session.capabilities.transactional_ddl else ("a2",))
            session.versions.stamp(["a1"])
            assert session.versions.unfinished() == ()

        harness.run(work)

    @obligation("track.downgrade.one-revision")
    def test_downgrade_takes_back_exactly_one(self, harness: Harness) -> None:
        """``downgrade`` takes back one revision and moves the version table with it, down to nothing."""
        app = harness.revisions.apps[0]
        harness.revisions.add("a1", app, creates="t_one")
        harness.revisions.add("a2", app, down=["a1"], creates="t_two")

        def work(session: Session) -> None:
            session.versions.upgrade("a1")
            session.versions.upgrade("a2")
            session.versions.downgrade("a2")
            assert current(session) == {"a1"}
            assert names(session) == {"t_one"}
            session.versions.downgrade("a1")
            assert current(session) == frozenset()
            assert names(session) == set()
            session.versions.upgrade("a1")
            assert current(session) == {"a1"}
            assert names(session) == {"t_one"}

        harness.run(work)

    @obligation("track.downgrade.fails-whole")
    def test_a_failing_downgrade_leaves_everything(self, harness: Harness) -> None:
        """A downgrade that raises is rolled back: the revision is still applied."""
        harness.revisions.add("a1", harness.revisions.apps[0], creates="t_one", fails=True)

        def work(session: Session) -> None:
            session.versions.stamp(["a1"])
            with session.transaction(Limits(10)):
                session.executor.apply(creation(Builder(harness.types).table("t_one")))
            with pytest.raises(RevisionFailed):
                session.versions.downgrade("a1")
            assert current(session) == {"a1"}
            if session.capabilities.transactional_ddl:
                assert names(session) == {"t_one"}

        harness.run(work)

    @obligation("track.branches.independent")
    def test_branches_are_independent(self, harness: Harness) -> None:
        """Each app has its own branch; one that depends on another goes first when it is taken back."""
        one, two = harness.revisions.apps
        harness.revisions.add("a1", one, creates="t_a")
        harness.revisions.add("b1", two, depends_on=["a1"], creates="t_b")
        harness.revisions.add("a2", one, down=["a1"], creates="t_a2")

        def work(session: Session) -> None:
            for revision in ("a1", "b1", "a2"):
                session.versions.upgrade(revision)
            graph = session.versions.graph()
            assert graph.closure(current(session)) == {"a1", "b1", "a2"}
            session.versions.downgrade("a2")
            assert graph.closure(current(session)) == {"a1", "b1"}
            session.versions.downgrade("b1")
            assert graph.closure(current(session)) == {"a1"}
            assert names(session) == {"t_a"}

        harness.run(work)

    @obligation("track.stamp.exactly")
    def test_stamp_sets_the_heads(self, harness: Harness) -> None:
        """``stamp`` makes the version table hold exactly these heads and runs nothing."""
        one, two = harness.revisions.apps
        harness.revisions.add("a1", one, creates="t_one")
        harness.revisions.add("a2", one, down=["a1"], creates="t_two")
        harness.revisions.add("b1", two, creates="t_three")

        def work(session: Session) -> None:
            for heads in (["a1"], ["a2", "b1"], ["b1"], []):
                session.versions.stamp(heads)
                assert current(session) == set(heads)
            assert names(session) == set()

        harness.run(work)
        assert harness.run(current) == frozenset()

    @obligation("track.stamp.unknown")
    def test_stamping_what_nobody_has_is_refused(self, harness: Harness) -> None:
        """``stamp`` raises UnknownRevision for a head that no file has, and changes nothing."""
        harness.revisions.add("a1", harness.revisions.apps[0])

        def work(session: Session) -> None:
            session.versions.stamp(["a1"])
            with pytest.raises(UnknownRevision, match="lost"):
                session.versions.stamp(["a1", "lost"])
            assert current(session) == {"a1"}

        harness.run(work)

    @obligation("track.current.unknown-revisions")
    def test_current_tells_what_no_file_has(self, harness: Harness) -> None:
        """A revision of the database that no file has any more is told by current, never left out."""
        app = harness.revisions.apps[0]
        harness.revisions.add("a1", app)
        harness.run(lambda session: session.versions.upgrade("a1"))
        harness.revisions.remove("a1", app)
        assert harness.run(current) == {"a1"}
        assert self._graph(harness).revisions == ()

    @obligation("track.write.applies-changes")
    def test_a_written_revision_works(self, harness: Harness, build: Builder) -> None:
        """A revision that write made is in the graph; its upgrade does the changes, its downgrade the reverse."""
        app = harness.revisions.apps[0]
        table = build.table("written", build.column("note", "string(50)"))
        extra = AddColumn(table.name, build.column("extra", "integer"))
        judged = Judgement(Risk.SAFE, "contract", "a test", "create")
        changes = [
            PlannedChange("Written", app, TableAdded(table.name, table), judged, (creation(table),)),
            PlannedChange("Written", app, ColumnAdded(table.name, extra.column), judged, (extra,)),
        ]

        def work(session: Session) -> None:
            assert isinstance(session.versions.write(draft("w1", app), changes), PurePath)
            revision = session.versions.graph().by_id["w1"]
            assert (revision.app, revision.branch_labels, revision.message) == (app, (app,), "the w1")
            session.versions.upgrade("w1")
            assert names(session) == {"written"}
            with session.reading():
                assert session.inspector.read().tables[table.name].column("extra") is not None
            session.versions.downgrade("w1")
            assert names(session) == set()

        harness.run(work)

    @obligation("track.write.never-overwrites")
    def test_writing_never_overwrites(self, harness: Harness) -> None:
        """A second revision of the same id is refused or gets another file; the first stays as it was."""
        app = harness.revisions.apps[0]

        def work(session: Session) -> None:
            path = session.versions.write(draft("w1", app), [])
            before = harness.revisions.text(path)
            try:
                second = session.versions.write(draft("w1", app), [])
            except RevisionError:
                pass
            else:
                assert second != path
            assert harness.revisions.text(path) == before

        harness.run(work)

    @obligation("track.write.no-folder")
    def test_an_app_without_a_place_is_named(self, harness: Harness) -> None:
        """An app that has no place for revisions raises VersionFolderMissing."""

        def work(session: Session) -> None:
            with pytest.raises(VersionFolderMissing, match="nowhere"):
                session.versions.write(draft("w1", "nowhere"), [])

        harness.run(work)

    @obligation("track.preview.is-what-is-written")
    def test_preview_is_what_write_writes(self, harness: Harness) -> None:
        """``preview`` returns the text that write writes, and writes nothing."""
        app = harness.revisions.apps[0]

        def work(session: Session) -> None:
            shown = session.versions.preview(draft("w1", app), [])
            assert "w1" in shown
            assert session.versions.graph().revisions == ()
            written = harness.revisions.text(session.versions.write(draft("w1", app), []))
            if written is None:
                self.not_applicable("revision files")
                return
            assert written == shown

        harness.run(work)

    @obligation("track.upgrade.own-tables-hidden")
    def test_the_version_table_is_no_table_of_the_schema(self, harness: Harness) -> None:
        """The version table never shows up among the tables of the schema."""
        harness.revisions.add("a1", harness.revisions.apps[0], creates="t_one")

        def work(session: Session) -> None:
            session.versions.upgrade("a1")
            with session.reading():
                assert session.inspector.read().names == {TableName("t_one")}

        harness.run(work)
