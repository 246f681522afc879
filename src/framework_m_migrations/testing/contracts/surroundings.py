"""What schema sources, app discoveries, hook registries, event sinks and clocks must do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import PurePath

import pytest

from framework_m_migrations.domain.effects import HookPhase
from framework_m_migrations.domain.errors import AppBroken, AppNotFound, InvalidMetadata
from framework_m_migrations.domain.events import (
    Event,
    HookStarted,
    LockAwaited,
    PlanMade,
    RevisionFinished,
    RevisionStarted,
    StepFinished,
    StepRetried,
    StepStarted,
    WaitingForLock,
)
from framework_m_migrations.domain.plan import Plan, Step
from framework_m_migrations.ports.clock import Clock
from framework_m_migrations.ports.event_sink import EventSink
from framework_m_migrations.testing.contracts.base import ContractSuite, missing
from framework_m_migrations.testing.harness import DiscoveryHarness, HooksHarness, SourceHarness
from framework_m_migrations.testing.obligations import obligation


class SchemaSourceContract(ContractSuite):
    """Obligations of ports.schema_source.SchemaSource. Fixture: ``sources``, see testing.SourceHarness."""

    @pytest.fixture
    def sources(self) -> SourceHarness:
        """Definitions."""
        missing(self, "sources", "SourceHarness")

    @obligation("source.checksums.sha256")
    def test_checksums_are_sha256(self, sources: SourceHarness) -> None:
        """There is a checksum of 64 hexadecimal digits for every DocType that load returns, and for no other."""
        source = sources.plain()
        checksums = source.checksums()
        assert set(checksums) == {doctype.name for doctype in source.load()}
        assert len(checksums) >= 3
        assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in checksums.values())

    @obligation("source.reads.repeatable")
    def test_reads_are_repeatable(self, sources: SourceHarness) -> None:
        """Two calls return equal values, and so do two sources of the same definitions."""
        source, other = sources.plain(), sources.plain()
        assert source.checksums() == source.checksums() == other.checksums()
        assert source.load() == source.load() == other.load()

    @obligation("source.checksums.any-order")
    def test_the_order_of_declaration_does_not_matter(self, sources: SourceHarness) -> None:
        """Checksums do not depend on the order in which DocTypes were declared."""
        assert sources.reordered().checksums() == sources.plain().checksums()

    @obligation("source.checksums.follow-definitions")
    def test_a_changed_definition_changes_its_checksum(self, sources: SourceHarness) -> None:
        """A changed column changes the checksum of its DocType, and of no DocType that load returns equal."""
        before, after = sources.plain(), sources.changed()
        old = {doctype.name: doctype for doctype in before.load()}
        differing = {doctype.name for doctype in after.load() if old.get(doctype.name) != doctype}
        checksums = before.checksums()
        changed = {name for name, checksum in after.checksums().items() if checksums.get(name) != checksum}
        assert differing
        assert changed == differing

    @obligation("source.load.named")
    def test_named_doctypes_are_loaded(self, sources: SourceHarness) -> None:
        """``load`` returns the named DocTypes in order of declaration and passes over names that nobody declared."""
        source = sources.plain()
        everything = source.load()
        assert source.load([everything[2].name, "NoSuchDocType", everything[0].name]) == (everything[0], everything[2])
        assert source.load([]) == ()

    @obligation("source.load.distinct")
    def test_names_and_tables_are_distinct(self, sources: SourceHarness) -> None:
        """No two DocTypes share a name or a table, and every one that has tables has columns in them."""
        doctypes = sources.plain().load()
        tables = [table for doctype in doctypes for table in doctype.tables]
        assert len({doctype.name for doctype in doctypes}) == len(doctypes)
        assert len({table.name for table in tables}) == len(tables)
        assert all(table.columns for table in tables)

    @obligation("source.apps.all")
    def test_the_source_tells_its_apps(self, sources: SourceHarness) -> None:
        """``apps`` has the app of every DocType that load returns, and is the same each time."""
        source = sources.plain()
        assert source.apps() == source.apps()
        assert {doctype.app for doctype in source.load() if doctype.app is not None} <= source.apps()

    @obligation("source.contradiction.named")
    def test_a_contradiction_is_named(self, sources: SourceHarness) -> None:
        """Two DocTypes that claim one table raise InvalidMetadata before anything is planned."""
        with pytest.raises(InvalidMetadata):
            sources.contradictory().checksums()

    @obligation("source.broken-module.named")
    def test_a_broken_module_is_named(self, sources: SourceHarness) -> None:
        """A module that cannot be imported raises AppBroken; it is never taken for one without DocTypes."""

        def attempt() -> bool:
            source = sources.broken()
            if source is None:
                return False
            source.checksums()
            return True

        try:
            involved = attempt()
        except AppBroken:
            return
        assert not involved, "AppBroken was not raised"
        self.not_applicable("modules")


class AppDiscoveryContract(ContractSuite):
    """Obligations of ports.app_discovery.AppDiscovery. Fixture: ``discovery``, see testing.DiscoveryHarness."""

    LAYOUTS = ("migrations/versions", "migrations", "alembic/versions")

    @pytest.fixture
    def discovery(self) -> DiscoveryHarness:
        """Apps to be found."""
        missing(self, "discovery", "DiscoveryHarness")

    @obligation("discovery.order.stable")
    def test_the_order_is_the_one_given(self, discovery: DiscoveryHarness) -> None:
        """Apps come in the order given, and so again from call to call."""
        found = discovery.installed({"zebra": [], "ant": [], "mole": []})
        assert [app.name for app in found.apps()] == ["zebra", "ant", "mole"]
        assert found.apps() == found.apps()

    @obligation("discovery.folder.found")
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_each_layout_is_found(self, discovery: DiscoveryHarness, layout: str) -> None:
        """The version folder is found in each of the three layouts, within the app's package."""
        (app,) = discovery.installed({"shop": [layout]}).apps()
        assert app.version_folder is not None
        assert app.version_folder.as_posix().endswith(f"{app.package.replace('.', '/')}/{layout}")

    @obligation("discovery.folder.precedence")
    def test_the_first_layout_wins(self, discovery: DiscoveryHarness) -> None:
        """Where there are several version folders, migrations/versions comes before alembic/versions."""
        (app,) = discovery.installed({"shop": ["alembic/versions", "migrations/versions"]}).apps()
        assert app.version_folder is not None
        assert app.version_folder.as_posix().endswith("migrations/versions")

    @obligation("discovery.folder.none")
    def test_an_app_without_folder_has_none(self, discovery: DiscoveryHarness) -> None:
        """An app without a version folder has none, and a place where the first one would be made."""
        (app,) = discovery.installed({"bare": []}).apps()
        assert app.version_folder is None
        assert isinstance(app.new_version_folder, PurePath)

    @obligation("discovery.missing.named")
    def test_a_missing_app_is_named(self, discovery: DiscoveryHarness) -> None:
        """An app that does not exist raises AppNotFound."""
        with pytest.raises(AppNotFound):
            discovery.missing().apps()

    @obligation("discovery.broken.named")
    def test_a_broken_app_is_named(self, discovery: DiscoveryHarness) -> None:
        """An app whose package cannot be used raises AppBroken; it is never passed over."""
        with pytest.raises(AppBroken):
            discovery.broken().apps()


class HookRegistryContract(ContractSuite):
    """Obligations of ports.hooks.HookRegistry. Fixture: ``declared_hooks``, see testing.HooksHarness."""

    @pytest.fixture
    def declared_hooks(self) -> HooksHarness:
        """Hooks to be found."""
        missing(self, "declared_hooks", "HooksHarness")

    @obligation("hooks.found.in-order")
    def test_hooks_come_in_the_order_of_apps(self, declared_hooks: HooksHarness) -> None:
        """Hooks of each phase come in the order of apps; an app without hooks has none."""
        declared = {"zebra": ["before_sync", "after_sync"], "bare": [], "ant": ["after_sync"], "mole": ["before_sync"]}
        hooks = declared_hooks.declared(declared).hooks()
        for phase in HookPhase:
            expected = [app for app, names in declared.items() if phase.value in names]
            assert [hook.app for hook in hooks if hook.phase is phase] == expected
        assert len(hooks) == 4

    @obligation("hooks.found.not-called")
    def test_hooks_are_not_called(self, declared_hooks: HooksHarness) -> None:
        """Finding hooks calls none; what is found can be called."""
        (hook,) = declared_hooks.declared({"shop": ["before_sync"]}).hooks()
        assert declared_hooks.calls() == []
        hook.function()
        assert declared_hooks.calls() == ["shop.before_sync"]

    @obligation("hooks.none.empty")
    def test_no_apps_have_no_hooks(self, declared_hooks: HooksHarness) -> None:
        """Without apps there are no hooks."""
        assert declared_hooks.declared({}).hooks() == ()

    @obligation("hooks.broken.named")
    def test_a_broken_hook_module_is_named(self, declared_hooks: HooksHarness) -> None:
        """A hook module that cannot be imported raises AppBroken; it is never passed over."""
        with pytest.raises(AppBroken):
            declared_hooks.broken().hooks()


class EventSinkContract(ContractSuite):
    """Obligations of ports.event_sink.EventSink. Fixture: ``sink``."""

    EVENTS: Sequence[Event] = (
        PlanMade(Plan()),
        StepStarted(1, 2, Step(())),
        StepRetried(1, 1, 0.5, "a lock"),
        StepFinished(1, 2, Step(())),
        RevisionStarted("a1", "app", "upgrade"),
        RevisionFinished("a1", None, "downgrade"),
        WaitingForLock(None),
        LockAwaited(2.0, ()),
        WaitingForLock("it's [red]somebody[/red] 100%"),
        HookStarted("app", "before_sync"),
    )

    @pytest.fixture
    def sink(self) -> EventSink:
        """A new sink."""
        missing(self, "sink", "the port ports.event_sink.EventSink")

    def received(self, sink: EventSink) -> list[Event] | None:
        """What a sink took so far; None, as here, where it does not keep events."""
        del sink
        return None

    @obligation("events.emit.never-raises")
    @pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
    def test_every_event_is_taken(self, sink: EventSink, event: Event) -> None:
        """Every kind of event is taken, alone and again, without raising."""
        sink.emit(event)
        sink.emit(event)

    @obligation("events.emit.in-order")
    def test_events_arrive_in_order(self, sink: EventSink) -> None:
        """Events arrive in the order in which they were sent."""
        for event in self.EVENTS:
            sink.emit(event)
        received = self.received(sink)
        if received is None:
            self.not_applicable("keeping events")
            return
        assert received == list(self.EVENTS)


class ClockContract(ContractSuite):
    """Obligations of ports.clock.Clock. Fixture: ``clock``."""

    @pytest.fixture
    def clock(self) -> Clock:
        """A clock."""
        missing(self, "clock", "the port ports.clock.Clock")

    @obligation("clock.now.utc")
    def test_now_is_utc(self, clock: Clock) -> None:
        """``now`` has the time zone UTC."""
        assert clock.now().utcoffset() == timedelta(0)

    @obligation("clock.monotonic.never-back")
    def test_monotonic_never_goes_back(self, clock: Clock) -> None:
        """``monotonic`` never goes back."""
        drawn = [clock.monotonic() for _ in range(1000)]
        assert drawn == sorted(drawn)

    @obligation("clock.jitter.range")
    def test_jitter_is_in_range(self, clock: Clock) -> None:
        """``jitter`` is in [0, 1)."""
        assert all(0 <= clock.jitter() < 1 for _ in range(1000))
