"""What every inspector must know before anything is dropped."""

from __future__ import annotations

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.schema import ForeignKey, TableName
from framework_m_migrations.ports.session import Session
from framework_m_migrations.testing.contracts.base import DatabaseContract
from framework_m_migrations.testing.harness import Harness
from framework_m_migrations.testing.obligations import obligation
from framework_m_migrations.testing.tables import Builder, create, index

PARENT, CHILD = TableName("parent"), TableName("child")
KEY = ForeignKey("fk_child", ("ref",), PARENT, ("id",))


class InspectorDependentsContract(DatabaseContract):
    """Obligations of ports.inspector.Inspector about what stands on a table or a column."""

    @staticmethod
    def _told(session: Session, *drops: c.Change) -> set[c.Change]:
        with session.reading():
            before = session.inspector.catalog_token()
            found = session.inspector.dependents(drops)
            assert session.inspector.catalog_token() == before
        assert all(one.reason.endswith(".") and one.table is None for one in found.values())
        return set(found)

    @obligation("inspector.dependents.foreign-keys")
    def test_a_foreign_key_that_stays_is_told(self, harness: Harness, build: Builder) -> None:
        """A table that another one's foreign key points at is told of, unless the key, its column or its table goes."""

        def work(session: Session) -> None:
            ref = build.column("ref", "integer")
            create(session, build.table("parent"), build.table("child", ref, foreign_keys=[KEY]))
            parent, child = c.TableRemoved(PARENT, owned=True), c.TableRemoved(CHILD, owned=True)
            assert self._told(session, parent) == {parent}
            assert self._told(session, child, parent) == set()
            assert self._told(session, c.ForeignKeyRemoved(CHILD, KEY), parent) == set()
            assert self._told(session, c.ColumnRemoved(CHILD, ref, owned=True), parent) == set()
            assert self._told(session, child) == set()

        harness.run(work)

    @obligation("inspector.dependents.its-own")
    def test_what_belongs_to_a_table_or_a_column_goes_with_it(self, harness: Harness, build: Builder) -> None:
        """A table's own key to itself, and indexes over a column, keep neither; about no drops nothing is told."""

        def work(session: Session) -> None:
            ref = build.column("ref", "integer")
            key = ForeignKey("fk_self", ("ref",), PARENT, ("id",))
            create(session, build.table("parent", ref, foreign_keys=[key], indexes=[index("ix_ref", "ref")]))
            assert self._told(session, c.TableRemoved(PARENT, owned=True)) == set()
            assert self._told(session, c.ColumnRemoved(PARENT, ref, owned=True)) == set()
            assert self._told(session, c.IndexRemoved(PARENT, index("ix_ref", "ref"))) == set()
            assert self._told(session) == set()

        harness.run(work)
