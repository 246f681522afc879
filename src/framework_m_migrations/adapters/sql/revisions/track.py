"""The versioned track over Alembic, on the session's own connection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Protocol

import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext

from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.errors import translated
from framework_m_migrations.adapters.sql.ledger import refuse_other_version_table
from framework_m_migrations.adapters.sql.revisions.environment import ProjectEnvironment, exclusive
from framework_m_migrations.adapters.sql.revisions.library import (
    TEMPLATE_FOLDER,
    Library,
    Location,
    holds_revisions,
    refuse_hidden_history,
    signature_of,
)
from framework_m_migrations.adapters.sql.revisions.operations import known_to_alembic
from framework_m_migrations.adapters.sql.revisions.run import RevisionRun, UnfinishedWork, heads_of, make_room
from framework_m_migrations.adapters.sql.revisions.surroundings import Surroundings, known_to_helpers
from framework_m_migrations.adapters.sql.revisions.writer.files import RevisionWriter
from framework_m_migrations.adapters.system import NullSink
from framework_m_migrations.domain.errors import VersionFolderMissing
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.revisions import RevisionDraft, RevisionGraph, RevisionPreview
from framework_m_migrations.ports.app_discovery import App, AppDiscovery
from framework_m_migrations.ports.versioned_track import Journal

VERSION_TABLE = "alembic_version"


class DeclaredModels(Protocol):
    """The MetaData of the apps, which revisions may use and must not change."""

    def look(self) -> None:
        """Load it and remember what it holds."""
        ...

    def touch(self) -> None:
        """Code of a revision has run."""
        ...

    def restore(self) -> None:
        """Let it hold again what it held, where code of a revision has run since."""
        ...

    def metadata(self, app: str | None) -> sa.MetaData | None:
        """That by whose naming convention the app's revisions name; raises AppBroken."""
        ...


class AlembicTrack:
    """VersionedTrack over Alembic.

    Args:
        connection: the session's; left outside a transaction by every method if it was so before.
        scopes: the dialect: begins and ends transactions.
        discovery: finds the apps and their version folders.
        version_table: Alembic's table.
        version_table_schema: its schema, None for the connection's default.
        project: the folder with the project's own alembic.ini, None when it has none.
        x_args: for the project's env.py, each as ``name=value``.
        surroundings: how a revision and its helpers wait for locks, and who is told; None for a revision that waits
            for ever.
        others: tells whether there are schemas beside the session's whose tables the revisions are about; None for no.
        models: the MetaData of the apps; None for revisions that run without a naming convention.
        folders: version folders of the project beside those that alembic.ini names.
    """

    def __init__(  # noqa: PLR0913 - by name but for the first three
        self,
        connection: sa.Connection,
        scopes: SqlDialect,
        discovery: AppDiscovery,
        *,
        version_table: str = VERSION_TABLE,
        version_table_schema: str | None = None,
        project: Path | None = None,
        x_args: tuple[str, ...] = (),
        surroundings: Surroundings | None = None,
        others: Callable[[], bool] | None = None,
        models: DeclaredModels | None = None,
        folders: tuple[Path, ...] = (),
    ) -> None:
        can = scopes.capabilities(connection.dialect)
        known_to_alembic(connection.dialect, transactional_ddl=can.transactional_ddl)
        self._folders = folders
        self._models = models
        self._connection = connection
        self._scopes = scopes
        self._writer = RevisionWriter(connection, scopes)
        self._discovery = discovery
        self._version_table = version_table
        self._version_table_schema = version_table_schema
        self._surroundings = surroundings or Surroundings()
        self._others = others
        chosen = None if version_table == VERSION_TABLE else version_table
        self._environment = (
            None
            if project is None
            else ProjectEnvironment(project, connection, x_args, version_table=chosen, translate=scopes.translate)
        )
        self._library: Library | None = None
        """As this database has it; ``_files`` is what the folders hold, without what was squashed."""
        self._files: Library | None = None
        self._is_a_table = False
        """What stands under the version table's name was looked at, and is nothing else."""

    def on(self, connection: sa.Connection) -> AlembicTrack:
        """The same revisions on another database, of which nobody hears.

        Args:
            connection: to it.
        """
        made = AlembicTrack(
            connection,
            self._scopes,
            self._discovery,
            version_table=self._version_table,
            version_table_schema=self._version_table_schema,
            models=self._models,
            folders=self._folders,
        )
        made._surroundings = replace(self._surroundings, events=NullSink())
        made._environment = None if self._environment is None else self._environment.on(connection)
        return made

    def graph(self) -> RevisionGraph:
        """All revisions of all apps; files are loaded again only when one has changed."""
        return self._load().graph

    def current(self) -> frozenset[str]:
        """The heads in the version table, empty where it does not exist.

        Raises:
            LedgerNameTaken: something else than a table has its name.
        """
        idle = not self._connection.in_transaction()
        try:
            if not self._is_a_table:
                refuse_other_version_table(self._connection, self._scopes, *self._version_table_name())
                self._is_a_table = True
            # What stands there and is no text is an unknown revision, which stamp can take away.
            return frozenset(str(head) for head in self._context().get_current_heads())
        finally:
            if idle:
                self._connection.rollback()

    def unfinished(self) -> tuple[str, ...]:
        """Revisions that were cut off, where the database commits with DDL."""
        if self._scopes.capabilities(self._connection.dialect).transactional_ddl:
            return ()
        idle = not self._connection.in_transaction()
        try:
            return self._unfinished_work().revisions()
        finally:
            if idle:
                self._connection.rollback()

    def serves_others(self) -> bool:
        """See the port."""
        idle = not self._connection.in_transaction()
        try:
            return self._others is not None and self._others()
        finally:
            if idle:
                self._connection.rollback()

    def upgrade(self, revision: str, journal: Journal | None = None) -> None:
        """Apply one revision in a transaction of its own."""
        self._run(revision, journal, upgrade=True)

    def downgrade(self, revision: str, journal: Journal | None = None) -> None:
        """Take back one revision in a transaction of its own."""
        self._run(revision, journal, upgrade=False)

    def render(
        self, revisions: Sequence[str], *, upgrade: bool = True, recorded: Collection[str] = (), alone: bool = False
    ) -> tuple[RevisionPreview, ...]:
        """What revisions would send; see the port."""
        # Imported here: a run needs none of the rules by which revisions are judged.
        from framework_m_migrations.adapters.sql.revisions.preview import Previewer

        name, schema = self._version_table_name()
        idle = not self._connection.in_transaction()
        try:
            versioned = sa.inspect(self._connection).has_table(name, schema=schema)
        finally:
            if idle:
                self._connection.rollback()
        previewer = Previewer(
            self._load(),
            self._connection,
            self._scopes,
            self._surroundings,
            (name, schema),
            self.current(),
            versioned,
        )
        return previewer.previews(revisions, upgrade=upgrade, recorded=recorded, alone=alone)

    def stamp(self, heads: Sequence[str]) -> None:
        """Make the version table hold these heads; those that others stand on are implied and left out.

        Raises:
            UnknownRevision: no file has one of them.
        """
        graph = self._loaded(*heads).graph
        wanted = sorted(heads_of(graph.closure(heads), graph))
        name, schema = self._version_table_name()
        with (
            translated(self._scopes.translate),
            self._scopes.transaction(self._connection, self._surroundings.locks.limits),
        ):
            context = self._context()
            table = context.impl.version_table_impl(
                version_table=name, version_table_schema=schema, version_table_pk=True
            )
            table.create(self._connection, checkfirst=True)
            make_room(context, self._scopes, *wanted)
            self._connection.execute(table.delete())
            if wanted:
                self._connection.execute(table.insert(), [{"version_num": head} for head in wanted])
            if not self._scopes.capabilities(self._connection.dialect).transactional_ddl:
                self._unfinished_work().forget()

    def _unfinished_work(self) -> UnfinishedWork:
        return UnfinishedWork(self._connection, self._scopes.own_tables, self._version_table_name()[1])

    def write(self, draft: RevisionDraft, changes: Sequence[PlannedChange]) -> PurePath:
        """Write a revision file in the app's own folder; raises VersionFolderMissing, never overwrites."""
        return self._writer.write(self._app(draft.app), draft, changes)

    def preview(self, draft: RevisionDraft, changes: Sequence[PlannedChange]) -> str:
        """The text that ``write`` would write."""
        return self._writer.text(draft, changes)

    def _app(self, name: str) -> App:
        apps = {app.name: app for app in self._discovery.apps()}
        if name not in apps:
            raise VersionFolderMissing(
                f"App {name!r} is not one of the apps that were looked at ({', '.join(apps) or 'none'}), so there is "
                "no folder where its revisions could be kept.",
                next_step=f"Name it, now and whenever revisions are run: `--apps {name}` or INSTALLED_APPS={name}.",
                details={"app": name, "known": sorted(apps)},
            )
        return self._with_folder(apps[name], tuple(apps.values()))

    def _with_folder(self, app: App, apps: Sequence[App]) -> App:
        """The app with the folder that its next revision goes to.

        Raises:
            VersionFolderMissing: it would begin a history that the alembic command does not find.
        """
        if self._joined(apps) == app:
            return replace(app, version_folder=self._project_folders()[0])
        begins = app.version_folder or app.new_version_folder
        listed = self._project_folders()
        if not listed or begins is None or Path(begins) in listed or holds_revisions(Path(begins)):
            return app
        where = f"{app.package}:{Path(*Path(begins).parts[-2:]).as_posix()}"
        raise VersionFolderMissing(
            f"App {app.name!r} would begin a history of its own in {begins}, which alembic.ini does not list: the "
            "alembic command would not find it.",
            next_step=f"Add `{where}` to version_locations in alembic.ini, beside the folders of today "
            f"({', '.join(str(folder) for folder in listed)}), and run the command again.",
            details={"app": app.name, "folder": str(begins), "listed": [str(folder) for folder in listed]},
        )

    def library(self) -> Library:
        """The revision files of all apps and of the project, loaded."""
        return self._load()

    def _loaded(self, *revisions: str) -> Library:
        """What was loaded last. All files are looked at again only where that of one of these revisions has changed.

        To look for changes in all of them before each revision would take a time that grows with the square of their
        number.
        """
        if self._library is None or not all(map(self._library.holds, revisions)):
            return self._load()
        return self._library

    def _project_folders(self) -> tuple[Path, ...]:
        of_environment = () if self._environment is None else self._environment.version_folders()
        return (*of_environment, *self._folders)

    def _joined(self, apps: Sequence[App]) -> App | None:
        """The app whose history is the project's own: the only one, where it has no revision in its package."""
        if len(apps) != 1 or not self._project_folders():
            return None
        own = apps[0].version_folder
        if own is not None and (Path(own) in self._project_folders() or holds_revisions(Path(own))):
            return None
        return apps[0]

    def _locations(self) -> tuple[Location, ...]:
        apps = self._discovery.apps()
        found = [
            Location(Path(app.version_folder), app.name, strict=Path(app.version_folder).name != "migrations")
            for app in apps
            if app.version_folder is not None
        ]
        known = {location.folder.resolve() for location in found}
        joined = self._joined(apps)
        for folder in self._project_folders():
            if folder.is_dir() and folder.resolve() not in known:
                known.add(folder.resolve())
                found.append(Location(folder, None if joined is None else joined.name))
        for app in apps:
            if app.version_folder is None:
                refuse_hidden_history(app, known, apps)
        return tuple(found)

    def _load(self) -> Library:
        locations = self._locations()
        if self._files is None or (self._files.locations, self._files.signature) != (
            locations,
            signature_of(locations),
        ):
            with self._models_kept():
                self._files = Library(locations, self._environment.home if self._environment else None)
                if self._models is not None:
                    self._models.restore()
        self._library = self._files
        squashes = self._files.squashes
        if squashes:
            # A database that has a part of what was replaced still has that history.
            heads = self._heads_by(self._files)
            behind = [one for one in squashes if heads.intersection(one.replaces) - {one.id}]
            if behind:
                self._library = self._files.unsquashed(behind)
        return self._library

    def _heads_by(self, library: Library) -> frozenset[str]:
        name, schema = self._version_table, self._version_table_schema
        if self._environment is not None:
            profile = self._environment.profile(library)
            name, schema = profile.version_table, profile.version_table_schema
        idle = not self._connection.in_transaction()
        try:
            context = MigrationContext.configure(
                self._connection, opts={"version_table": name, "version_table_schema": schema}
            )
            return frozenset(str(head) for head in context.get_current_heads())
        finally:
            if idle:
                self._connection.rollback()

    @contextmanager
    def _models_kept(self) -> Iterator[None]:
        """Code of revisions runs within: what it does to the apps' MetaData is taken back before that is next read."""
        if self._models is None:
            yield
            return
        self._models.look()
        self._models.touch()
        yield

    def _version_table_name(self) -> tuple[str, str | None]:
        if self._environment is None:
            return self._version_table, self._version_table_schema
        profile = self._environment.profile(self._loaded())
        return profile.version_table, profile.version_table_schema

    def _context(self) -> MigrationContext:
        name, schema = self._version_table_name()
        return MigrationContext.configure(
            self._connection, opts={"version_table": name, "version_table_schema": schema}
        )

    def _run(self, revision: str, journal: Journal | None, *, upgrade: bool) -> None:
        library = self._loaded(revision)
        app = library.app_of(revision)
        run = RevisionRun(
            library,
            revision,
            upgrade=upgrade,
            connection=self._connection,
            scopes=self._scopes,
            limits=self._surroundings.locks.limits,
            version_table_schema=self._version_table_name()[1],
            metadata=None if self._models is None else self._models.metadata(app),
            journal=journal,
        )
        if self._environment is not None:
            self._environment.profile(library)
        with (
            exclusive(self._connection),
            known_to_helpers(self._connection, self._surroundings),
            self._models_kept(),
        ):
            if self._environment is not None:
                self._environment.run(library, run)
                return
            with run.shared(), EnvironmentContext(self._config(), library, fn=run.steps) as environment:
                environment.configure(
                    connection=self._connection,
                    version_table=self._version_table,
                    version_table_schema=self._version_table_schema,
                    transaction_per_migration=True,
                )
                environment.run_migrations()

    def _config(self) -> Config:
        """For revisions that look at ``context.config``: it knows the connection and no URL."""
        config = Config()
        config.set_main_option("script_location", str(TEMPLATE_FOLDER).replace("%", "%%"))
        config.attributes["connection"] = self._connection
        return config
