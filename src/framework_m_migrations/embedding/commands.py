"""The commands, each as the use case that carries it out, shared by the synchronous and the asynchronous facade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.graph import Graph
from framework_m_migrations.domain.options import SyncOptions
from framework_m_migrations.domain.plan import Risk
from framework_m_migrations.domain.renames import Rename
from framework_m_migrations.domain.results import (
    AllResult,
    Check,
    CreateResult,
    HistoryResult,
    LogResult,
    PlanResult,
    ProveResult,
    RepairResult,
    RunResult,
    StatusResult,
    SyncResult,
    VerifyResult,
    approved_steps,
)
from framework_m_migrations.domain.revisions import PreviewResult, ShowResult, SquashResult
from framework_m_migrations.ports.app_discovery import App
from framework_m_migrations.ports.session import Session
from framework_m_migrations.ports.tenants import Tenants
from framework_m_migrations.services.use_cases import create as creating
from framework_m_migrations.services.use_cases import fleet as fleets
from framework_m_migrations.services.use_cases import inspect as inspecting
from framework_m_migrations.services.use_cases import repair as repairing
from framework_m_migrations.services.use_cases import revisions as previewing
from framework_m_migrations.services.use_cases import revisions as proving
from framework_m_migrations.services.use_cases import revisions as squashing
from framework_m_migrations.services.use_cases import run as running
from framework_m_migrations.services.use_cases import sync as syncing


@dataclass(frozen=True, slots=True)
class Command[T]:
    """A use case ready to be run. ``drops``: its session gets a pruner; ``looks``: it leaves the database as it is."""

    use_case: Callable[[Session], UseCase[T]]
    drops: bool = False
    looks: bool = False


@dataclass(frozen=True, slots=True)
class Commands:
    """Builds commands from settings.

    Args:
        settings: defaults of every command.
        apps: finds the installed apps, for status.
    """

    settings: MigrationSettings
    apps: Callable[[], tuple[App, ...]]

    def _options(self, *, force: bool = False, dry_run: bool = False, allow_drop: bool = False) -> SyncOptions:
        settings = self.settings
        return SyncOptions(force, dry_run, allow_drop, settings.online, settings.locks, schema=settings.schema)

    @property
    def _tenant(self) -> str | None:
        """The schema, where it is a tenant's."""
        return self.settings.schema if self.settings.tenant else None

    def plan(self, *, force: bool = False) -> Command[PlanResult]:
        """See services.use_cases.sync.plan. It renders drops too, so it has a pruner; it applies nothing."""
        return Command(partial(syncing.plan, options=self._options(force=force)), drops=True, looks=True)

    def sync(
        self,
        *,
        force: bool,
        dry_run: bool,
        allow_drop: bool,
        reviewed: PlanResult | None = None,
        expected: Mapping[str, Any] | None = None,
    ) -> Command[SyncResult]:
        """See services.use_cases.sync.sync."""
        options = self._options(force=force, dry_run=dry_run, allow_drop=allow_drop)
        if reviewed is not None:
            options = replace(options, reviewed=tuple(planned.change for planned in reviewed.plan.changes))
        if expected is not None:
            options = replace(options, expected=approved_steps(expected))
        if (schema := self._tenant) is not None:
            return Command(partial(_in_tenant, fleets.sync_tenant, schema, options), drops=allow_drop, looks=dry_run)
        return Command(partial(syncing.sync, options=options), drops=allow_drop, looks=dry_run)

    def run(self, options: running.RunOptions) -> Command[RunResult]:
        """See services.use_cases.run.run."""
        return Command(partial(running.run, locks=self.settings.locks, options=options))

    def preview_run(self, options: running.RunOptions) -> Command[PreviewResult]:
        """See services.use_cases.preview.preview_run."""
        return Command(partial(previewing.preview_run, options=options), looks=True)

    def preview_rollback(self, *, steps: int | None, app: str | None, to: str | None) -> Command[PreviewResult]:
        """See services.use_cases.preview.preview_rollback."""
        return Command(partial(previewing.preview_rollback, steps=steps, app=app, to=to), looks=True)

    def squash(
        self, *, app: str, to: str, message: str | None, dry_run: bool, scratch: str | None
    ) -> Command[SquashResult]:
        """See services.use_cases.squash.squash."""
        use_case = partial(squashing.squash, app=app, to=to, message=message, dry_run=dry_run, scratch=scratch)
        return Command(use_case, looks=True)

    def show(self, revision: str) -> Command[ShowResult]:
        """See services.use_cases.preview.show."""
        return Command(partial(previewing.show, text=revision), looks=True)

    def all(self, *, force: bool, allow_drop: bool) -> Command[AllResult]:
        """See services.use_cases.run.run_all."""
        options = self._options(force=force, allow_drop=allow_drop)
        if (schema := self._tenant) is not None:
            return Command(partial(_in_tenant, fleets.run_all_tenant, schema, options), drops=allow_drop)
        return Command(partial(running.run_all, options=options), drops=allow_drop)

    def verify(self, fail_on: Risk) -> Command[VerifyResult]:
        """See services.use_cases.inspect.verify."""
        return Command(partial(inspecting.verify, fail_on=fail_on), looks=True)

    def status(self, database: str) -> Command[StatusResult]:
        """See services.use_cases.inspect.status."""
        return Command(partial(inspecting.status, apps=self.apps(), database=database), looks=True)

    def doctor(self) -> Command[tuple[Check, ...]]:
        """See services.use_cases.inspect.diagnose."""
        return Command(inspecting.diagnose, looks=True)

    def history(self, app: str | None) -> Command[HistoryResult]:
        """See services.use_cases.inspect.history."""
        return Command(partial(inspecting.history, app=app), looks=True)

    def log(self, limit: int) -> Command[LogResult]:
        """See services.use_cases.inspect.log."""
        return Command(partial(inspecting.log, limit=limit), looks=True)

    def schema_graph(self) -> Command[Graph]:
        """See services.use_cases.inspect.schema."""
        return Command(inspecting.schema, looks=True)

    def create(self, options: creating.CreateOptions) -> Command[CreateResult]:
        """See services.use_cases.create.create."""
        return Command(partial(creating.create, options=options), looks=True)

    def possible_renames(self, app: str) -> Command[tuple[Rename, ...]]:
        """See services.use_cases.create.possible_renames."""
        return Command(partial(creating.possible_renames, app=app), looks=True)

    def prove(self, options: proving.ProveOptions) -> Command[ProveResult]:
        """See services.use_cases.prove.prove."""
        return Command(partial(proving.prove, options=options), looks=True)

    def rollback(self, *, steps: int | None, app: str | None, to: str | None) -> Command[RunResult]:
        """See services.use_cases.run.rollback."""
        return Command(partial(running.rollback, locks=self.settings.locks, steps=steps, app=app, to=to))

    def stamp(self, heads: tuple[str, ...], *, dry_run: bool) -> Command[RepairResult]:
        """See services.use_cases.run.stamp."""
        return Command(partial(running.stamp, locks=self.settings.locks, heads=heads, dry_run=dry_run), looks=dry_run)

    def repair(self, *, dry_run: bool) -> Command[RepairResult]:
        """See services.use_cases.repair.repair."""
        if (schema := self._tenant) is not None:
            locks = self.settings.locks
            return Command(partial(fleets.repair_tenant, schema=schema, locks=locks, dry_run=dry_run), looks=dry_run)
        return Command(partial(repairing.repair, locks=self.settings.locks, dry_run=dry_run), looks=dry_run)


def _in_tenant[T](
    use_case: Callable[[Session, Tenants, str, SyncOptions], UseCase[T]],
    schema: str,
    options: SyncOptions,
    session: Session,
) -> UseCase[T]:
    from framework_m_migrations.container.wiring import tenants_of

    return use_case(session, tenants_of(session), schema, options)
