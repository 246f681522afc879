"""Apps made on the spot, and a track over them on a real database."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.filesystem import FilesystemDiscovery
from framework_m_migrations.adapters.sql.dialects.mariadb.dialect import MariadbDialect
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
from framework_m_migrations.adapters.sql.revisions import AlembicTrack

EXAMPLES = Path(__file__).parents[2] / "examples" / "apps"
EXAMPLE_APPS = ("shop", "stock", "crm_lite")

SCOPES: dict[str, Any] = {"sqlite": SqliteDialect(), "postgresql": PostgresqlDialect(), "mariadb": MariadbDialect()}


@dataclass
class Apps:
    """Packages in a folder of the test's own; on sys.path as long as the test runs."""

    root: Path
    names: list[str] = field(default_factory=list)

    def revision(
        self,
        app: str,
        id_: str,
        upgrade: str = "pass",
        downgrade: str = "pass",
        *,
        down: str | tuple[str, ...] | None = None,
        depends_on: str | tuple[str, ...] | None = None,
        labels: tuple[str, ...] | None = None,
        folder: str = "migrations/versions",
    ) -> Path:
        """Write a revision file; its functions are given as source."""
        text = "\n".join(
            [
                f'"""{id_}"""',
                "from __future__ import annotations",
                "import sqlalchemy as sa",
                "from alembic import context, op",
                f"revision = {id_!r}",
                f"down_revision = {down!r}",
                f"branch_labels = {labels!r}",
                f"depends_on = {depends_on!r}",
                "def upgrade() -> None:",
                textwrap.indent(textwrap.dedent(upgrade).strip(), "    "),
                "def downgrade() -> None:",
                textwrap.indent(textwrap.dedent(downgrade).strip(), "    "),
                "",
            ]
        )
        return self.file(app, f"{folder}/{id_}_test.py", text)

    def file(self, app: str, path: str, text: str) -> Path:
        """Write any file of an app's package."""
        package = self.root / app
        if app not in self.names:
            self.names.append(app)
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").touch()
        file = package / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def discovery(self) -> FilesystemDiscovery:
        return FilesystemDiscovery(self.names)


@dataclass
class Bench:
    """A connection and the track on it."""

    connection: sa.Connection
    apps: Any
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def dialect(self) -> str:
        return self.connection.dialect.name

    def track(self, **options: Any) -> AlembicTrack:
        return AlembicTrack(self.connection, SCOPES[self.dialect], self.apps.discovery(), **{**self.options, **options})

    def upgrade_all(self) -> AlembicTrack:
        track = self.track()
        for revision in track.graph().order:
            track.upgrade(revision)
        return track

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection.begin():
            return [tuple(row) for row in self.connection.exec_driver_sql(statement)]

    def run(self, *statements: str) -> None:
        with self.connection.begin():
            for statement in statements:
                self.connection.exec_driver_sql(statement)

    def tables(self) -> set[str]:
        with self.connection.begin():
            return set(sa.inspect(self.connection).get_table_names())

    def schema(self) -> dict[str, Any]:
        """All that reflection sees, for comparison of before and after; Alembic's own table left out."""
        with self.connection.begin(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Skipped unsupported reflection")
            inspector = sa.inspect(self.connection)
            found: dict[str, Any] = {}
            for name in sorted(inspector.get_table_names()):
                if name == "alembic_version":
                    continue
                found[name] = {
                    "columns": [{**column, "type": str(column["type"])} for column in inspector.get_columns(name)],
                    "primary": inspector.get_pk_constraint(name),
                    "unique": _sorted(inspector.get_unique_constraints(name)),
                    "checks": _sorted(inspector.get_check_constraints(name)),
                    "foreign": _sorted(_told(inspector.get_foreign_keys(name))),
                    "indexes": _indexes(self.connection, name),
                    "comment": self.dialect == "postgresql" and inspector.get_table_comment(name),
                }
            if self.dialect == "postgresql":
                found["enums"] = inspector.get_enums()  # type: ignore[attr-defined]
            return found


def _told(keys: Sequence[Any]) -> list[Any]:
    """Without names that SQLAlchemy does not read rightly on SQLite.

    2.0 reads none that is quoted; 2.1 takes the constraint before a key without a name for its name.
    """
    new = sa.__version__ >= "2.1"
    return [{**key, "name": key["name"] if new and '"' not in (key["name"] or "") else None} for key in keys]


def _sorted(items: Sequence[Any]) -> list[Any]:
    return sorted(items, key=repr)


def _indexes(connection: sa.Connection, table: str) -> list[str]:
    """Definitions in the database's own words: reflection passes over indexes on expressions."""
    if connection.dialect.name == "sqlite":
        statement = "SELECT coalesce(sql, name) FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
        rows = connection.exec_driver_sql(statement, (table,))
    else:
        rows = connection.execute(sa.text("SELECT indexdef FROM pg_indexes WHERE tablename = :table"), {"table": table})
    return sorted(row[0] for row in rows)


@contextmanager
def connected(url: str | sa.URL) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()
