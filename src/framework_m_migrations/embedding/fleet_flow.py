"""What a command over many tenants does, as jobs in an order; who carries them out, and how many at once, is fleet.py.

The flow is a generator: it yields lists of jobs that may run side by side, and is sent their answers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from framework_m_migrations.container.context import Factory
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.container.tenancy import passed_on
from framework_m_migrations.container.wiring import Assembly, tenants_of
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import ConfigurationError, MigrationError
from framework_m_migrations.domain.events import Event, FleetSurveyed, TenantEvent
from framework_m_migrations.domain.plan import Plan, Risk
from framework_m_migrations.domain.results import (
    FleetResult,
    PlanResult,
    RunResult,
    StatusResult,
    SyncResult,
    TenantAnswer,
    TenantOutcome,
    VerifyResult,
)
from framework_m_migrations.embedding.commands import Command, Commands
from framework_m_migrations.ports.event_sink import EventSink
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.use_cases.fleet import Survey, survey
from framework_m_migrations.services.use_cases.run import RunOptions


@dataclass(frozen=True, slots=True)
class TenantPlace:
    """Where a tenant's tables are.

    Attributes:
        name: of the tenant.
        schema: its schema; None where it has a whole database.
        database_url: of its database; None for the manager's own.
    """

    name: str
    schema: str | None
    database_url: str | None = None


@dataclass(frozen=True, slots=True)
class FleetCommand:
    """One of sync, all, plan, verify and status, with its options; see the methods of MigrationManager."""

    name: str
    force: bool = False
    dry_run: bool = False
    fail_on: Risk = Risk.BREAKING


@dataclass(frozen=True, slots=True)
class Job:
    """A use case to be run. ``tenant`` is set where it is one of the tenants' turns, of which there are ``total``."""

    assembly: Assembly
    use_case: Callable[[Session], UseCase[Any]]
    tenant: str | None = None
    total: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a job came to; ``value`` is what its use case returned, unless it failed."""

    value: Any = None
    error: MigrationError | None = None
    seconds: float = 0.0

    def outcome(self, tenant: str | None) -> TenantOutcome:
        """As the outcome of a tenant."""
        return TenantOutcome(tenant, self.value, self.error, self.seconds)


type Flow = Generator[Sequence[Job], Sequence[Answer], FleetResult]


@dataclass(slots=True)
class _Group:
    """The tenants of one database: schema to tenant; None before they are known."""

    assembly: Assembly
    schemas: dict[str, str] | None
    survey: Survey | None = None
    shared: Answer | None = None
    error: MigrationError | None = None

    @property
    def tenants(self) -> Iterable[str]:
        return (self.schemas or {}).values()


@dataclass(slots=True)
class FleetFlow:
    """One command over many tenants.

    Args:
        base: of the manager, in the default schema.
        places: the tenants; None for all that the database knows.
        command: what to do.
        shared: do it for what the tenants share too.
        events: where events go, None for nowhere.
    """

    base: Assembly
    places: Sequence[TenantPlace] | None
    command: FleetCommand
    shared: bool
    events: EventSink | None
    _groups: list[_Group] = field(default_factory=list)
    _alone: list[tuple[str, Assembly]] = field(default_factory=list)
    _found: dict[str, TenantOutcome] = field(default_factory=dict)

    def start(self) -> Flow:
        """The flow.

        Raises:
            MigrationError: nothing could be done for any tenant.
        """
        self._sort()
        runs: list[RunResult] = []
        if self.command.name == "all":
            answers = yield [
                Job(one.assembly, self._commands(one.assembly).run(RunOptions()).use_case) for one in self._groups
            ]
            for group, answer in zip(self._groups, answers, strict=True):
                group.error = answer.error
                runs.extend([] if answer.error else [answer.value])
            self._give_up_if_alone()
        yield from self._survey()
        self._give_up_if_alone()
        for group in self._groups:
            self._conclude(group)
        turns, followers = self._turns()
        answers = yield turns
        rest: list[Job] = []
        for turn, answer in zip(turns, answers, strict=True):
            self._found[turn.tenant or ""] = answer.outcome(turn.tenant)
            alike = followers.get(turn.tenant, ())
            if isinstance(answer.value, VerifyResult) and answer.value.agrees:
                self._found.update({one.tenant: TenantOutcome(one.tenant, answer.value) for one in alike if one.tenant})
            else:
                rest += alike
        for turn, answer in zip(rest, (yield rest) if rest else (), strict=True):
            self._found[turn.tenant or ""] = answer.outcome(turn.tenant)
        shared = tuple(group.shared.outcome(None) for group in self._groups if group.shared is not None)
        order = [place.name for place in self.places] if self.places is not None else sorted(self._found)
        return FleetResult(self.command.name, tuple(self._found[name] for name in order), shared, tuple(runs))

    def _sort(self) -> None:
        if self.places is None:
            self._groups = [_Group(self.base, None)]
            return
        groups: dict[str | None, dict[str, str]] = {}
        assemblies: dict[str | None, Assembly] = {}
        names: set[str] = set()
        for place in self.places:
            url = None if place.database_url == self.base.settings.url else place.database_url
            assembly = self.base if url is None else self._within(replace(self.base.settings, database_url=url))
            if place.name in names:
                raise ConfigurationError(f"The tenant {place.name} is named twice.")
            names.add(place.name)
            if place.schema is None:
                self._alone.append((place.name, assembly))
                continue
            schemas = groups.setdefault(url, {})
            assemblies[url] = assembly
            other = schemas.setdefault(place.schema, place.name)
            if other != place.name:
                raise ConfigurationError(f"The tenants {other} and {place.name} have one schema: {place.schema}.")
        if not names:
            raise ConfigurationError("No tenant was named.", next_step="Name them: --tenant a,b,c.")
        self._groups = [_Group(assemblies[url], schemas) for url, schemas in groups.items()]

    def _survey(self) -> Generator[Sequence[Job], Sequence[Answer], None]:
        """One look at the tenants of each database, and the command for what they share."""
        alive = [group for group in self._groups if group.error is None]
        with_shared = self.shared or self.command.name == "status"
        jobs: list[Job] = []
        for group in alive:
            jobs.append(Job(self._for_tenants(group.assembly), self._look(group.schemas)))
            if with_shared:
                jobs.append(Job(group.assembly, self._ask(group.assembly).use_case))
        answers = iter((yield jobs))
        for group in alive:
            looked = next(answers)
            group.error, group.survey = looked.error, looked.value
            if with_shared:
                group.shared = next(answers)
            if group.survey is not None and group.schemas is None:
                group.schemas = {name: name for name in group.survey.tenants}

    def _look(self, schemas: dict[str, str] | None) -> Callable[[Session], UseCase[Survey]]:
        # verify judges by a full comparison, whatever the checksums say.
        full = self.command.name == "verify"
        names = None if schemas is None else tuple(schemas)
        return lambda session: survey(session, tenants_of(session), names, force=self.command.force or full, alike=full)

    def _give_up_if_alone(self) -> None:
        """Where the only database cannot be worked on, the failure is the command's and not each tenant's."""
        if len(self._groups) == 1 and not self._alone and self._groups[0].error is not None:
            raise self._groups[0].error

    def _conclude(self, group: _Group) -> None:
        """Outcomes that are known without a turn of their own."""
        if group.error is not None:
            for tenant in group.tenants:
                self._found[tenant] = TenantOutcome(tenant, error=group.error)
        elif group.survey is not None and group.schemas is not None:
            for schema, token in group.survey.unchanged.items():
                tenant = group.schemas[schema]
                answer, error = self._unchanged(group, token)
                self._found[tenant] = TenantOutcome(tenant, answer, error)

    def _unchanged(self, group: _Group, token: str | None) -> tuple[TenantAnswer | None, MigrationError | None]:
        plan = PlanResult(Plan(token=token))
        match self.command.name:
            case "plan":
                return plan, None
            case "status":
                both = group.shared or Answer()
                if not isinstance(both.value, StatusResult) or group.survey is None:
                    return None, both.error
                number = group.survey.doctypes
                return replace(both.value, ledger="current", doctypes=number, matching=number, plan=plan.plan), None
            case _:
                return SyncResult(plan, applied=not self.command.dry_run, up_to_date=True), None

    def _turns(self) -> tuple[list[Job], Mapping[str | None, Sequence[Job]]]:
        """The tenants' turns; and, by the tenant that has one, those whose schemas are like its own."""
        turns: list[tuple[str, Assembly]] = list(self._alone)
        leaders: dict[str, str] = {}
        for group in self._groups:
            if group.error is None and group.survey is not None and group.schemas is not None:
                overrides = passed_on(group.survey.source)
                first: dict[Hashable, str] = {}
                for schema in group.survey.others:
                    tenant = group.schemas[schema]
                    settings = replace(group.assembly.settings, schema=schema, tenant=True)
                    turns.append((tenant, self._within(settings, group.assembly, tenant=tenant, overrides=overrides)))
                    if schema in group.survey.alike:
                        leaders[tenant] = first.setdefault(group.survey.alike[schema], tenant)
        total = len(self._found) + len(turns)
        jobs = [
            Job(assembly, self._ask(assembly, alone=not assembly.settings.tenant).use_case, tenant, total)
            for tenant, assembly in turns
        ]
        followers: dict[str | None, list[Job]] = {}
        for job in jobs:
            leader = leaders.get(job.tenant or "", job.tenant)
            if leader != job.tenant:
                followers.setdefault(leader, []).append(job)
        own = [job for job in jobs if leaders.get(job.tenant or "", job.tenant) == job.tenant]
        if self.events is not None:
            self.events.emit(FleetSurveyed(total, total - len(own)))
        return own, followers

    def _ask(self, assembly: Assembly, *, alone: bool = False) -> Command[Any]:
        """The command in one schema, or (``alone``) in a tenant's whole database."""
        commands, command = self._commands(assembly), self.command
        match command.name:
            case "plan":
                return commands.plan(force=command.force)
            case "verify":
                return commands.verify(command.fail_on)
            case "status":
                return commands.status(assembly.shown_url)
            case "all" if alone:
                return commands.all(force=command.force, allow_drop=False)
            case _:
                return commands.sync(force=command.force, dry_run=command.dry_run, allow_drop=False)

    @staticmethod
    def _commands(assembly: Assembly) -> Commands:
        return Commands(assembly.settings, assembly.apps)

    def _for_tenants(self, assembly: Assembly) -> Assembly:
        return self._within(replace(assembly.settings, schema=None, tenant=True), assembly)

    def _within(
        self,
        settings: MigrationSettings,
        assembly: Assembly | None = None,
        *,
        tenant: str | None = None,
        overrides: Mapping[str, Factory] | None = None,
    ) -> Assembly:
        events = None if self.events is None or tenant is None else _TenantSink(tenant, self.events)
        return (assembly or self.base).within(settings, events=events, overrides=overrides or {})


@dataclass(frozen=True, slots=True)
class _TenantSink:
    """Passes a tenant's events on with its name."""

    tenant: str
    events: EventSink

    def emit(self, event: Event) -> None:
        """Take one event."""
        self.events.emit(TenantEvent(self.tenant, event))
