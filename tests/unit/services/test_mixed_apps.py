"""To which databases an app is new, and which of its revisions count as applied there, in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import PurePath

import pytest

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import RevisionUnfinished
from framework_m_migrations.domain.events import RevisionFinished, RevisionStarted
from framework_m_migrations.domain.options import LockOptions, SyncOptions
from framework_m_migrations.domain.results import RunResult, SyncResult
from framework_m_migrations.domain.revisions import Revision
from framework_m_migrations.domain.schema import Column, DocTypeSchema, PrimaryKey, Table, TableName
from framework_m_migrations.ports.app_discovery import App
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.mixed_apps import apps_with_tables, sync_has_built
from framework_m_migrations.services.use_cases.run import RunOptions, run
from framework_m_migrations.services.use_cases.sync import sync
from tests.fakes.memory import (
    CAPABILITIES,
    ListSink,
    MemoryConnection,
    MemoryDatabase,
    MemoryRevision,
    MemoryRevisions,
    MemoryRunner,
    MemorySession,
    MemorySource,
    MemoryWorld,
    memory_type,
)
from tests.fakes.memory.track import MemoryTrack

KEY = Column("id", memory_type("integer"), nullable=False)


def doctype(name: str, app: str | None = "shop", *, was: str | None = None) -> DocTypeSchema:
    table = Table(TableName(name), (KEY,), PrimaryKey(("id",)), renamed_from=was)
    return DocTypeSchema(name.title(), (table,), app=app)


def nothing(_: MemoryConnection) -> None:
    """A revision that changes nothing."""


SHOP = (
    Revision("s1", "shop", (), (), ("shop",)),
    Revision("s2", "shop", ("s1",), (), beside_sync=True),
    Revision("s3", "shop", ("s2",), contract_of="s2"),
)


class Others(MemoryTrack):
    """Revisions of a database that other tenants use as well."""

    def serves_others(self) -> bool:
        return True


class Asked(MemorySource):
    """A source that was asked for more apps than declare something."""

    def __init__(self, doctypes: Iterable[DocTypeSchema], apps: Collection[str]) -> None:
        super().__init__(doctypes)
        self._asked = frozenset(apps)

    def apps(self) -> frozenset[str]:
        return super().apps() | self._asked


def look[T](ask: Callable[[Session], T]) -> Callable[[Session], UseCase[T]]:
    def use_case(session: Session) -> UseCase[T]:
        yield from ()
        return ask(session)

    return use_case


class Site:
    """A memory database, and what is declared and written for it."""

    def __init__(self, *revisions: Revision, transactional: bool = True) -> None:
        self.database = MemoryDatabase(replace(CAPABILITIES, transactional_ddl=transactional))
        self.revisions = [MemoryRevision(one, nothing, nothing) for one in revisions]
        self.events = ListSink()

    def runner(self, *wanted: DocTypeSchema, apps: Collection[str] = ()) -> MemoryRunner:
        self.events = ListSink()
        known = tuple(App(name, name, new_version_folder=PurePath(name)) for name in ("shop", "crm"))
        source = Asked(wanted, apps)
        world = MemoryWorld(source, apps=known, revisions=MemoryRevisions(self.revisions), events=self.events)
        return MemoryRunner(self.database, world)

    def run(self, *wanted: DocTypeSchema, contract: bool = False) -> RunResult:
        return self.runner(*wanted).run(lambda session: run(session, LockOptions(), RunOptions(contract=contract)))

    def sync(self, *wanted: DocTypeSchema, apps: Collection[str] = ()) -> SyncResult:
        return self.runner(*wanted, apps=apps).run(lambda session: sync(session, SyncOptions()))

    def with_tables(self, *wanted: DocTypeSchema) -> set[str | None]:
        return set(self.runner(*wanted).run(look(lambda session: apps_with_tables(session, ["shop", "crm", None]))))

    def told(self) -> list[tuple[str, str, str | None, str]]:
        kinds = (RevisionStarted, RevisionFinished)
        return [(type(e).__name__, e.revision, e.app, e.direction) for e in self.events.events if isinstance(e, kinds)]


def test_an_app_has_tables_by_their_names_by_those_they_had_and_by_the_ledger() -> None:
    site = Site()
    assert site.with_tables(doctype("order"), doctype("lead", "crm")) == set()
    site.sync(doctype("order"))
    assert site.with_tables(doctype("order"), doctype("lead", "crm")) == {"shop", None}
    assert site.with_tables(doctype("bill", was="order")) == {"shop", None}
    assert site.with_tables(doctype("lead", "crm")) == {"shop", None}, "by the ledger"
    assert site.with_tables(doctype("order", "crm")) == {"shop", "crm", None}
    others = Site()
    others.sync(doctype("order", "crm"))
    assert others.with_tables(doctype("bill", was="order")) == {"shop", "crm", None}, "by the name it had"
    assert others.with_tables(doctype("bill")) == {"crm", None}
    free = Site()
    free.sync(doctype("order", None))
    assert free.with_tables() == {"shop", "crm", None}, "no app's in particular"


def test_what_a_tenant_may_have_counts_for_every_app_that_seems_to_have_nothing() -> None:
    site = Site()
    site.sync(doctype("order"))

    def ask(session: Session, *, others: bool) -> frozenset[str | None]:
        assert isinstance(session, MemorySession)
        session.versions = Others(session.connection, MemoryRevisions(()), ()) if others else session.versions
        return apps_with_tables(session, ["shop", "crm", None])

    assert site.runner().run(look(lambda session: ask(session, others=False))) == {"shop", None}
    assert site.runner().run(look(lambda session: ask(session, others=True))) == {"shop", "crm", None}


def test_sync_has_built_what_the_ledger_says_that_it_made() -> None:
    site = Site()
    built = look(lambda session: [sync_has_built(session, app) for app in ("shop", "crm")])
    assert site.runner().run(built) == [False, False]
    site.sync(doctype("order"))
    assert site.runner().run(built) == [True, False]
    free = Site()
    free.sync(doctype("order", None))
    assert free.runner().run(built) == [True, True]


def test_run_records_on_a_database_without_tables_and_tells_it() -> None:
    site = Site(Revision("c1", "crm", (), (), ("crm",)), *SHOP)
    result = site.run(doctype("order"))
    assert (result.revisions, result.recorded, result.held) == (("c1",), ("s1", "s2", "s3"), ())
    assert result.heads == ("c1", "s3")
    assert site.told() == [
        (kind, name, app, way)
        for name, app, way in (
            ("c1", "crm", "upgrade"), ("s1", "shop", "stamp"), ("s2", "shop", "stamp"), ("s3", "shop", "stamp"),
        )
        for kind in ("RevisionStarted", "RevisionFinished")
    ]  # fmt: skip
    assert site.run(doctype("order")).recorded == ()


def test_run_runs_where_there_is_a_table() -> None:
    site = Site()
    site.sync(doctype("order"))
    site.revisions = [MemoryRevision(one, nothing, nothing) for one in SHOP]
    result = site.run(doctype("order"))
    assert (result.revisions, result.recorded, result.held) == (("s1", "s2"), (), ("s3",))
    assert site.run(doctype("order"), contract=True).revisions == ("s3",)


def test_sync_records_before_it_makes_the_first_tables_of_an_app_and_only_then() -> None:
    site = Site(*SHOP)
    first = site.sync(doctype("order"))
    assert first.recorded == ("s1", "s2", "s3")
    assert [told[1:] for told in site.told()] == [(name, "shop", "stamp") for name in first.recorded for _ in range(2)]
    assert site.run(doctype("order")).heads == ("s3",)
    site.revisions.append(MemoryRevision(Revision("s4", "shop", ("s3",)), nothing, nothing))
    assert site.sync(doctype("order"), doctype("line")).recorded == ()
    assert site.run(doctype("order"), doctype("line")).revisions == ("s4",)


def test_sync_counts_nothing_for_apps_that_it_makes_no_table_of() -> None:
    site = Site(*SHOP)
    assert site.sync(doctype("lead", "crm")).recorded == ()
    assert site.sync(doctype("note", None)).recorded == (), "nobody was asked for"
    other = Site(*SHOP)
    assert other.sync(doctype("note", None), apps=["shop"]).recorded == ("s1", "s2", "s3")


def test_sync_counts_no_revision_whose_parent_in_another_app_is_not_applied() -> None:
    first, second, third = SHOP
    waiting = replace(second, depends_on=("c1",))
    site = Site(Revision("c1", "crm", (), (), ("crm",)), first, waiting, third)
    assert site.sync(doctype("order")).recorded == ("s1",)


def test_a_revision_that_was_cut_off_is_not_forgotten_for_it() -> None:
    site = Site(*SHOP, Revision("c1", "crm", (), (), ("crm",)), transactional=False)
    site.database.unfinished = ("c1",)
    assert site.sync(doctype("order")).recorded == ()
    assert site.database.unfinished == ("c1",)
    fresh = Site(*SHOP, transactional=False)
    fresh.database.unfinished = ("s1",)
    with pytest.raises(RevisionUnfinished):
        fresh.run(doctype("order"))
    assert fresh.database.unfinished == ("s1",)
