"""The commands over many tenants: ``manager.tenants([...])``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.container.wiring import Assembly
from framework_m_migrations.domain.errors import ConfigurationError, MigrationError
from framework_m_migrations.domain.events import TenantFinished
from framework_m_migrations.domain.plan import Risk
from framework_m_migrations.domain.results import FleetResult
from framework_m_migrations.embedding.fleet_flow import Answer, FleetCommand, FleetFlow, Flow, Job, TenantPlace
from framework_m_migrations.ports.event_sink import EventSink


@dataclass(frozen=True, slots=True)
class _Tenants:
    """Which tenants, and how many of them at a time.

    Args:
        assembly: of the manager.
        names: the tenants: schemas of the manager's database, or places that say more. None for all schemas that were
            synced for a tenant before.
        jobs: how many are worked on at a time; a caller's own pool that has room for fewer sets the limit.
        shared: do the same for what all tenants share; by default when ``names`` is None.
        events: where events go, None for nowhere.

    Raises:
        ConfigurationError: ``jobs`` is less than 1.
    """

    assembly: Assembly
    names: Sequence[str | TenantPlace] | None
    jobs: int = 4
    shared: bool | None = None
    events: EventSink | None = None

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ConfigurationError("At least one tenant must be worked on at a time: jobs is less than 1.")

    @property
    def settings(self) -> MigrationSettings:
        """The settings for what all tenants share."""
        return self.assembly.settings

    @property
    def shown_url(self) -> str:
        """The URL of the database for what all tenants share, without its password."""
        return self.assembly.shown_url

    def _flow(self, command: FleetCommand) -> Flow:
        places = None
        if self.names is not None:
            places = [TenantPlace(one, one) if isinstance(one, str) else one for one in self.names]
        shared = self.names is None if self.shared is None else self.shared
        return FleetFlow(self.assembly, places, command, shared, self.events).start()

    @property
    def _at_once(self) -> int:
        return min(self.jobs, self.assembly.parallel_runs or self.jobs)


class TenantCommands(_Tenants):
    """The commands over many tenants, for programs without an event loop.

    A tenant that fails is reported in the result and keeps no other from its turn. What fails for all (there is no
    connection, a revision failed, a DocType is broken) is raised.
    """

    def sync(self, *, force: bool = False, dry_run: bool = False) -> FleetResult:
        """``sync`` for each; schemas that do not exist are made. Nothing is dropped.

        All tenants that have nothing to do are found together, in a handful of statements.
        """
        return self._run(FleetCommand("sync", force, dry_run))

    def all(self, *, force: bool = False) -> FleetResult:
        """``run`` once for each database, then ``sync`` for each tenant."""
        return self._run(FleetCommand("all", force))

    def plan(self, *, force: bool = False) -> FleetResult:
        """What ``sync`` would do for each. Changes nothing."""
        return self._run(FleetCommand("plan", force))

    def verify(self, *, fail_on: Risk = Risk.BREAKING) -> FleetResult:
        """``verify`` for each. Changes nothing.

        Schemas are compared with each other in a handful of statements; of those that are alike, one with the models.
        """
        return self._run(FleetCommand("verify", fail_on=fail_on))

    def status(self) -> FleetResult:
        """Where each stands, and in ``shared`` what they share. Changes nothing."""
        return self._run(FleetCommand("status"))

    def is_ready(self, *, tolerant: bool = False) -> bool:
        """Whether this release may serve all of them; see StatusResult.ready_for. Changes nothing."""
        return self.status().ready_for(tolerant=tolerant)

    def _run(self, command: FleetCommand) -> FleetResult:
        if self.assembly.needs_loop:
            return self.assembly.in_loop(lambda: _drive_async(self._flow(command), self._at_once, self.events))
        return _drive(self._flow(command), self._at_once, self.events)


class AsyncTenantCommands(_Tenants):
    """The methods of TenantCommands, awaited. The event loop goes on meanwhile."""

    async def sync(self, *, force: bool = False, dry_run: bool = False) -> FleetResult:
        """``sync`` for each; see TenantCommands."""
        return await self._run(FleetCommand("sync", force, dry_run))

    async def all(self, *, force: bool = False) -> FleetResult:
        """``run`` once for each database, then ``sync`` for each tenant."""
        return await self._run(FleetCommand("all", force))

    async def plan(self, *, force: bool = False) -> FleetResult:
        """What ``sync`` would do for each. Changes nothing."""
        return await self._run(FleetCommand("plan", force))

    async def verify(self, *, fail_on: Risk = Risk.BREAKING) -> FleetResult:
        """``verify`` for each; see TenantCommands."""
        return await self._run(FleetCommand("verify", fail_on=fail_on))

    async def status(self) -> FleetResult:
        """Where each stands, and in ``shared`` what they share. Changes nothing."""
        return await self._run(FleetCommand("status"))

    async def is_ready(self, *, tolerant: bool = False) -> bool:
        """Whether this release may serve all of them; see StatusResult.ready_for. Changes nothing."""
        return (await self.status()).ready_for(tolerant=tolerant)

    async def _run(self, command: FleetCommand) -> FleetResult:
        return await _drive_async(self._flow(command), self._at_once, self.events)


class _Told:
    """Counts the tenants that had their turn, and tells of each."""

    def __init__(self, events: EventSink | None) -> None:
        self._events = events
        self._left: int | None = None

    def __call__(self, job: Job, answer: Answer, turns: int) -> None:
        if job.tenant is None or self._events is None:
            return
        self._left = turns - 1 if self._left is None else self._left - 1
        self._events.emit(TenantFinished(answer.outcome(job.tenant), job.total - self._left, job.total))


def _drive(flow: Flow, jobs: int, events: EventSink | None) -> FleetResult:
    """Carry out a flow with synchronous drivers, each job that runs beside another one in a thread of its own."""
    began, tell = time.monotonic(), _Told(events)
    try:
        batch = next(flow)
        while True:
            answers: dict[int, Answer] = {}
            if jobs == 1 or len(batch) < 2:
                for number, job in enumerate(batch):
                    answers[number] = _answer(job)
                    tell(job, answers[number], len(batch))
            else:
                _in_threads(batch, jobs, answers, tell)
            batch, tell = flow.send([answers[number] for number in range(len(batch))]), _Told(events)
    except StopIteration as stop:
        result: FleetResult = stop.value
        return replace(result, seconds=time.monotonic() - began)


def _in_threads(
    batch: Sequence[Job], jobs: int, answers: dict[int, Answer], tell: Callable[[Job, Answer, int], None]
) -> None:
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="m-migrate")
    try:
        started: dict[Future[Answer], int] = {pool.submit(_answer, job): number for number, job in enumerate(batch)}
        for done in as_completed(started):
            number = started[done]
            answers[number] = done.result()
            tell(batch[number], answers[number], len(batch))
    finally:
        # After Ctrl-C, those at work finish their tenant and the others never begin.
        pool.shutdown(cancel_futures=True)


async def _drive_async(flow: Flow, jobs: int, events: EventSink | None) -> FleetResult:
    began, tell = time.monotonic(), _Told(events)
    room = asyncio.Semaphore(jobs)

    async def one(job: Job, turns: int) -> Answer:
        async with room:
            answer = await _answer_async(job)
            tell(job, answer, turns)
            return answer

    try:
        batch = next(flow)
        while True:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(job, len(batch))) for job in batch]
            batch, tell = flow.send([task.result() for task in tasks]), _Told(events)
    except StopIteration as stop:
        result: FleetResult = stop.value
        return replace(result, seconds=time.monotonic() - began)


def _answer(job: Job) -> Answer:
    began = time.monotonic()
    try:
        return Answer(job.assembly.runner().run(job.use_case), seconds=time.monotonic() - began)
    # One tenant's failure, foreseen or not, must not take the others with it.
    except Exception as error:  # noqa: BLE001
        return Answer(error=_foreseen(error), seconds=time.monotonic() - began)


async def _answer_async(job: Job) -> Answer:
    began = time.monotonic()
    try:
        value = await job.assembly.run_async(job.use_case, drops=False)
    # As above; a cancellation is no Exception and passes.
    except Exception as error:  # noqa: BLE001
        return Answer(error=_foreseen(error), seconds=time.monotonic() - began)
    return Answer(value, seconds=time.monotonic() - began)


def _foreseen(error: Exception) -> MigrationError:
    if isinstance(error, MigrationError):
        return error
    found = MigrationError(f"Unexpected {type(error).__name__}: {error}")
    found.__cause__ = error
    return found
