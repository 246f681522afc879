"""MigrationManager: every command for programs without an event loop.

Written by scripts/make_sync.py from aio.py: change that file, and run the script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from framework_m_migrations.container.context import Container, Factory
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.container.wiring import Assembly
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.graph import Graph
from framework_m_migrations.domain.lint import LintResult
from framework_m_migrations.domain.plan import Risk
from framework_m_migrations.domain.renames import Rename
from framework_m_migrations.domain.results import (
    AllResult,
    Check,
    CreateResult,
    HistoryResult,
    InitResult,
    LogResult,
    PlanResult,
    ProveResult,
    RepairResult,
    RunResult,
    StatusResult,
    SyncResult,
    VerifyResult,
)
from framework_m_migrations.domain.revisions import PreviewResult, ShowResult, SquashResult
from framework_m_migrations.embedding.commands import Command, Commands
from framework_m_migrations.ports.event_sink import EventSink
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.use_cases.create import CreateOptions
from framework_m_migrations.services.use_cases.inspect import failed
from framework_m_migrations.services.use_cases.revisions import ProveOptions
from framework_m_migrations.services.use_cases.run import RunOptions

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import AsyncEngine

    from framework_m_migrations.embedding.fleet import TenantCommands
    from framework_m_migrations.embedding.fleet_flow import TenantPlace


class MigrationManager:
    """Both tracks over one database, synchronously.

    With an asynchronous driver it runs an event loop of its own for each command; inside a running loop use
    AsyncMigrationManager. Every method raises MigrationError, and nothing else, for what can go wrong.

    Args:
        settings: what to migrate; from the environment when None.
        engine: an engine to use instead of the URL; it is left open.
        connection: a connection to use instead; it is left open, and its transaction, if it is in one, stays the
            caller's to commit.
        events: receives what happens, for progress displays.
        overrides: factories for ports by name (container.factories.PORTS), to replace an adapter.
        container: gives settings and ports where the two arguments do not: a MigrationContainer of container.di.
    """

    def __init__(
        self,
        settings: MigrationSettings | None = None,
        *,
        engine: sa.Engine | AsyncEngine | None = None,
        connection: sa.Connection | None = None,
        events: EventSink | None = None,
        overrides: Mapping[str, Factory] | None = None,
        container: Container | None = None,
    ) -> None:
        given = MigrationSettings.from_environment if container is None else container.settings
        ports = {} if container is None else container.ports()
        self.settings = settings or given()
        self._assembly = Assembly(self.settings, engine or connection, events, {**ports, **(overrides or {})})
        self._events = events
        self._commands = Commands(self.settings, self._assembly.apps)

    @property
    def shown_url(self) -> str:
        """The database's URL without its password."""
        return self._assembly.shown_url

    def _run[T](self, command: Command[T]) -> T:
        return self._assembly.run(command.use_case, drops=command.drops, looks=command.looks)

    def perform[T](self, use_case: Callable[[Session], UseCase[T]], *, drops: bool = False) -> T:
        """Run a use case of a host program's own, with the session of this manager's database.

        Args:
            use_case: called with the session; what it raises is raised.
            drops: give the session a pruner.
        """
        return self._assembly.run(use_case, drops=drops)

    def plan(self, *, force: bool = False) -> PlanResult:
        """What ``sync`` would do: each change with risk, reason and exact SQL. Changes nothing.

        Args:
            force: compare everything, whatever the ledger says.
        """
        return self._run(self._commands.plan(force=force))

    def sync(
        self,
        *,
        force: bool = False,
        dry_run: bool = False,
        allow_drop: bool = False,
        reviewed: PlanResult | None = None,
    ) -> SyncResult:
        """Apply the additive difference between the DocTypes and the database.

        Args:
            force: compare everything, whatever the ledger says.
            dry_run: plan only: write nothing, call no hook.
            allow_drop: also drop what no model declares and the ledger records as ours.
            reviewed: the plan that somebody was shown. PlanOutdated is raised, and nothing changed, where something
                would be dropped that is not in it.
        """
        return self._run(self._commands.sync(force=force, dry_run=dry_run, allow_drop=allow_drop, reviewed=reviewed))

    def apply(self, document: Mapping[str, Any]) -> SyncResult:
        """Apply exactly the plan of a document; see domain.plan_file.plan_document.

        Args:
            document: the plan. Nothing of it is withheld from sync's own rules: what sync withholds stays withheld.

        Raises:
            ConfigurationError: it is no such document.
            PlanOutdated: sync would do something else now; nothing was changed.
        """
        command = self._commands.sync(force=False, dry_run=False, allow_drop=False, expected=document)
        return self._run(command)

    def run(
        self,
        revision: str | None = None,
        *,
        contract: bool = False,
        app: str | None = None,
        steps: int | None = None,
    ) -> RunResult:
        """Apply pending revisions: all, up to ``revision``, of an app, or the first few.

        Args:
            revision: an id or its beginning, an app's name, ``head``, or a form relative to one of these as Alembic
                has it: ``+1``, ``ae10+1``, ``shop@head``, ``shop@+1``.
            contract: also those that end an online change by taking away what only old code needs.
            app: only what this app's revisions need.
            steps: only so many; with an app, so many of its own.
        """
        return self._run(self._commands.run(RunOptions(revision, contract, app, steps)))

    def preview_run(
        self,
        revision: str | None = None,
        *,
        contract: bool = False,
        app: str | None = None,
        steps: int | None = None,
    ) -> PreviewResult:
        """What ``run`` would do with the same arguments: revisions with SQL, risk and locks. Changes nothing."""
        return self._run(self._commands.preview_run(RunOptions(revision, contract, app, steps)))

    def preview_rollback(
        self, *, steps: int | None = None, app: str | None = None, to: str | None = None
    ) -> PreviewResult:
        """What ``rollback`` would do with the same arguments: revisions with SQL, risk and locks. Changes nothing."""
        return self._run(self._commands.preview_rollback(steps=steps, app=app, to=to))

    def show(self, revision: str) -> ShowResult:
        """One revision with its SQL and whether it is applied. Changes nothing.

        Args:
            revision: an id, its beginning, ``shop@head``, or a form relative to one of these.

        Raises:
            UnknownRevision: it names no revision, or several.
        """
        return self._run(self._commands.show(revision))

    def all(self, *, force: bool = False, allow_drop: bool = False) -> AllResult:
        """``run``, then ``sync``."""
        return self._run(self._commands.all(force=force, allow_drop=allow_drop))

    def verify(self, *, fail_on: Risk = Risk.BREAKING) -> VerifyResult:
        """Judge both tracks, read-only.

        Args:
            fail_on: the least risk of a change that makes the schema dirty.
        """
        return self._run(self._commands.verify(fail_on))

    def status(self) -> StatusResult:
        """Where each app and each DocType stands."""
        return self._run(self._commands.status(self._assembly.shown_url))

    def doctor(self) -> tuple[Check, ...]:
        """What is wrong, and the way out of each trouble: connection, rights, lock, ledger, revisions, schema.

        Changes nothing, and raises nothing that concerns the database.
        """
        try:
            found = self._run(self._commands.doctor())
        except MigrationError as error:
            return (failed("connection", error),)
        return (Check("connection", True, self._assembly.shown_url), *found)

    def is_ready(self, *, tolerant: bool = False) -> bool:
        """Whether this release may serve, for readiness probes; see StatusResult.ready_for. Changes nothing."""
        return self.status().ready_for(tolerant=tolerant)

    def history(self, app: str | None = None) -> HistoryResult:
        """Revisions in order of application, of one app or of all."""
        return self._run(self._commands.history(app))

    def log(self, limit: int = 100) -> LogResult:
        """What was done on both tracks, newest first: when, by whom, the SQL and what became of it."""
        return self._run(self._commands.log(limit))

    def schema_graph(self) -> Graph:
        """The tables of the models with their foreign keys and what is pending, for a picture. Changes nothing."""
        return self._run(self._commands.schema_graph())

    def create(  # noqa: PLR0913 - the options of the command
        self,
        message: str,
        *,
        app: str,
        autogenerate: bool = True,
        dry_run: bool = False,
        depends_on: tuple[str, ...] = (),
        merge: bool = False,
        online: bool = False,
        renames: tuple[str, ...] = (),
        asked: bool = False,
        prove: bool = True,
        scratch: str | None = None,
    ) -> CreateResult:
        """Write a revision in the app's own folder and try it out; see CreateOptions for the arguments."""
        options = CreateOptions(
            app, message, autogenerate, dry_run, depends_on, merge, online, renames, asked, prove, scratch
        )
        return self._run(self._commands.create(options))

    def prove(self, *revisions: str, scratch: str | None = None, store: bool = True) -> ProveResult:
        """Run revisions forwards, backwards and forwards on a scratch database, with generated rows.

        Args:
            revisions: ids or their beginnings; the pending ones where none is named.
            scratch: URL of an empty database to use; None to make one.
            store: write each outcome into the revision's file.
        """
        return self._run(self._commands.prove(ProveOptions(revisions, scratch, store)))

    def possible_renames(self, app: str) -> tuple[Rename, ...]:
        """What ``create`` would write as a removal beside an addition and what may be a rename; see ``renames``."""
        return self._run(self._commands.possible_renames(app))

    def rollback(self, *, steps: int | None = None, app: str | None = None, to: str | None = None) -> RunResult:
        """Take revisions back.

        Args:
            steps: how many; 1 where ``to`` is not given either.
            app: only revisions of this app.
            to: the revision that shall be the last applied one: an id or its beginning, ``base``, or a form relative
                to one of these as Alembic has it: ``-1``, ``ae10-1``, ``shop@base``.
        """
        return self._run(self._commands.rollback(steps=steps, app=app, to=to))

    def squash(
        self, *, app: str, to: str, message: str | None = None, dry_run: bool = False, scratch: str | None = None
    ) -> SquashResult:
        """Replace an app's revisions up to ``to`` by one that is proven equivalent; ``dry_run`` writes nothing.

        Raises:
            RevisionError: something outside the range needs a part of it, or the proof failed; nothing was written.
        """
        return self._run(self._commands.squash(app=app, to=to, message=message, dry_run=dry_run, scratch=scratch))

    def stamp(self, *revisions: str, dry_run: bool = False) -> RepairResult:
        """Set what the version table says, running no revision; ``dry_run`` only says what would change."""
        return self._run(self._commands.stamp(revisions, dry_run=dry_run))

    def repair(self, *, dry_run: bool = False) -> RepairResult:
        """Rebuild the ledger from the real database; ``dry_run`` only says what would change."""
        return self._run(self._commands.repair(dry_run=dry_run))

    def tenants(
        self, names: Sequence[str | TenantPlace] | None = None, *, jobs: int = 4, shared: bool | None = None
    ) -> TenantCommands:
        """The commands over many tenants at once; see TenantCommands.

        Args:
            names: their schemas, or places that say more. None for all schemas that were synced for a tenant before,
                and then what all tenants share too.
            jobs: how many are worked on at a time. Each takes two connections while it migrates.
            shared: do the same for what all tenants share; None as above.

        Raises:
            ConfigurationError: ``jobs`` is less than 1.
        """
        # Imported here, so that work on one database does not wait for it.
        from framework_m_migrations.embedding.fleet import TenantCommands

        return TenantCommands(self._assembly, names, jobs, shared, self._events)

    def lint(self, *revisions: str, use_squawk: bool = True) -> LintResult:
        """Judge revision files by the SQL that they would send to a PostgreSQL. Needs no database.

        Args:
            revisions: ids, their beginnings, or files; all revisions of the apps where none is named.
            use_squawk: ask squawk too, where it is installed.

        Raises:
            UnknownRevision: a name that no revision has.
        """
        return self._assembly.lint(revisions, use_squawk=use_squawk)

    def init(self) -> InitResult:
        """Write alembic.ini and a thin env.py, for those who also use the ``alembic`` command."""
        return self._assembly.init_project()
