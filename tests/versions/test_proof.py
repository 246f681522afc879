"""Proofs: a revision run forwards, backwards and forwards on a scratch database, on every database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.revisions.proving import scratch_prefix
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.errors import ConfigurationError, RevisionError, UnknownRevision
from framework_m_migrations.domain.revisions import Outcome, Proof
from framework_m_migrations.embedding.aio import AsyncMigrationManager
from framework_m_migrations.embedding.sync import MigrationManager
from tests._mariadb import MariadbDatabase
from tests._postgres import PostgresDatabase
from tests.versions.support import Apps

ONE, TWO, THREE = "aaaaaaaaaaa1", "aaaaaaaaaaa2", "aaaaaaaaaaa3"
TABLES = """
op.create_table("customer", sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("title", sa.String(40)), sa.Column("age", sa.Integer(), nullable=False),
    sa.Column("price", sa.Numeric(10, 2)), sa.Column("at", sa.DateTime()))
op.create_table("orders", sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("customer", sa.Integer(), sa.ForeignKey("customer.id", name="fk_customer"), nullable=False))
"""
OWN_SQL = {
    "sqlite": ("SQLite", "CREATE TABLE own (id INTEGER PRIMARY KEY) WITHOUT ROWID"),
    "postgresql": ("PostgreSQL", "CREATE TABLE own (id integer PRIMARY KEY, tags text[] DEFAULT '{}')"),
    "mariadb": ("MariaDB", "CREATE TABLE own (id integer PRIMARY KEY) ENGINE=InnoDB COMMENT 'own'"),
}
FOURTH = "op.execute('CREATE TABLE fourth (id integer)')"
NO_TABLES = 'op.drop_table("orders"); op.drop_table("customer")'


@dataclass
class Place:
    """A database with an app, and what is known of the scratch databases beside it."""

    url: str
    apps: Apps
    databases: Callable[[], set[str]]
    path: Path

    def manager(self, metadata: sa.MetaData | None = None) -> MigrationManager:
        return MigrationManager(self.settings(metadata))

    def settings(self, metadata: sa.MetaData | None = None) -> MigrationSettings:
        return MigrationSettings(
            database_url=self.url,
            apps=("wms",),
            metadata=(metadata or sa.MetaData(),),
            path=self.path,
            allow_empty=True,
        )

    def prove(self, revision: str, scratch: str | None = None) -> Proof:
        before = self.databases()
        (proof,) = self.manager().prove(revision, scratch=scratch).proofs
        assert self.databases() == before, "a scratch database was left behind"
        return proof

    def tried(self, upgrade: str, downgrade: str) -> Proof:
        """The proof of a second revision, the database being at the first."""
        self.apps.revision("wms", ONE, TABLES, NO_TABLES, labels=("wms",))
        self.manager().run()
        self.apps.revision("wms", TWO, upgrade, downgrade, down=ONE)
        return self.prove(TWO)

    def text(self, revision: str) -> str:
        (file,) = (self.apps.root / "wms" / "migrations" / "versions").glob(f"{revision}_*.py")
        return file.read_text(encoding="utf-8")


@pytest.fixture
def sqlite_place(tmp_path: Path, apps: Apps) -> Place:
    return Place(f"sqlite:///{tmp_path / 'test.db'}", apps, set, tmp_path)


@pytest.fixture
def postgres_place(postgres_database: PostgresDatabase, tmp_path: Path, apps: Apps) -> Iterator[Place]:
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.NullPool)

    def databases() -> set[str]:
        with engine.connect() as connection:
            return {
                name
                for name in connection.exec_driver_sql("SELECT datname::text FROM pg_database").scalars()
                if name.startswith(scratch_prefix(postgres_database.name))
            }

    yield Place(str(postgres_database.sync_url), apps, databases, tmp_path)
    engine.dispose()


@pytest.fixture
def mariadb_place(mariadb_database: MariadbDatabase, tmp_path: Path, apps: Apps) -> Place:
    def databases() -> set[str]:
        found = {str(row[0]) for row in mariadb_database.execute("SHOW DATABASES")}
        return {name for name in found if name.startswith(scratch_prefix(mariadb_database.name))}

    return Place(mariadb_database.sync_url, apps, databases, tmp_path)


@pytest.fixture(
    params=[
        pytest.param("sqlite_place", id="sqlite"),
        pytest.param("postgres_place", id="postgres", marks=pytest.mark.postgres),
        pytest.param("mariadb_place", id="mariadb", marks=pytest.mark.mariadb),
    ]
)
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def declared(*more: sa.Column[object]) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "customer",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(40)),
        sa.Column("age", sa.Integer, nullable=False),
        *more,
    )
    return metadata


def test_create_proves_what_it_wrote_and_stores_it_in_the_file(place: Place) -> None:
    place.apps.file("wms", "__init__.py", "")
    first = place.manager(declared()).create("first", app="wms")
    assert first.proof is not None
    assert first.proof.outcome is Outcome.PROVED, first.proof
    place.manager(declared()).run()
    wanted = declared(sa.Column("phone", sa.String(20)), sa.Column("code", sa.String(9), index=True))
    sa.Table(
        "orders", wanted, sa.Column("id", sa.Integer, primary_key=True), sa.Column("c", sa.ForeignKey("customer.id"))
    )
    second = place.manager(wanted).create("second", app="wms")
    assert second.proof is not None
    assert second.proof.outcome is Outcome.PROVED, second.proof
    assert second.proof.rows == 3
    assert second.proof.stored
    assert f"Proof: proved on {second.proof.database}, " in second.text
    assert "forwards, backwards, forwards." in second.text
    assert Path(str(second.path)).read_text(encoding="utf-8") == second.text
    assert place.manager(wanted).run().revisions == (second.revision,)


def test_the_id_is_the_same_with_and_without_a_proof(sqlite_place: Place) -> None:
    sqlite_place.apps.file("wms", "__init__.py", "")
    manager = sqlite_place.manager(declared())
    shown = manager.create("first", app="wms", dry_run=True)
    assert shown.proof is None
    written = manager.create("first", app="wms", prove=False)
    assert written.proof is None
    assert "Proof" not in written.text
    assert shown.text == written.text
    Path(str(written.path)).unlink()
    assert manager.create("first", app="wms").revision == written.revision == shown.revision


def test_an_empty_revision_is_not_tried(sqlite_place: Place) -> None:
    sqlite_place.apps.file("wms", "__init__.py", "")
    assert sqlite_place.manager().create("by hand", app="wms", autogenerate=False).proof is None


def test_a_rename_and_a_column_are_proved(place: Place) -> None:
    proof = place.tried(
        """
        with op.batch_alter_table("customer") as batch:
            batch.alter_column("title", new_column_name="name", existing_type=sa.String(40))
        op.add_column("customer", sa.Column("note", sa.Text()))
        op.create_index("ix_note", "customer", ["age"])
        """,
        """
        op.drop_index("ix_note", "customer")
        with op.batch_alter_table("customer") as batch:
            batch.drop_column("note")
        with op.batch_alter_table("customer") as batch:
            batch.alter_column("name", new_column_name="title", existing_type=sa.String(40))
        """,
    )
    assert proof.outcome is Outcome.PROVED, proof
    assert proof.rows == 6


def test_values_that_do_not_come_back_are_named(place: Place) -> None:
    proof = place.tried(
        """
        with op.batch_alter_table("customer") as batch:
            batch.drop_column("at")
        """,
        'op.add_column("customer", sa.Column("at", sa.DateTime()))',
    )
    assert proof.outcome is Outcome.LOSSY
    assert proof.reasons == ("the values of customer.at",)
    assert "goes back with loss of the values of customer.at." in " ".join(place.text(TWO).split())


def test_nulls_that_were_filled_are_a_loss(place: Place) -> None:
    proof = place.tried("op.execute(\"UPDATE customer SET title = '-' WHERE title IS NULL\")", "pass")
    assert proof.reasons == ("the NULLs of customer.title",)


def test_rows_that_do_not_come_back_are_counted(place: Place) -> None:
    proof = place.tried('op.execute("DELETE FROM orders")', "pass")
    assert proof.reasons == ("3 rows of orders",)


def test_what_downgrade_forgets_is_named(place: Place) -> None:
    proof = place.tried('op.create_index("ix_age", "customer", ["age"])', "pass")
    assert proof.outcome is Outcome.FAILED
    assert "forwards a second time" in proof.sentence
    assert "ix_age" in proof.sentence


def test_a_definition_that_differs_afterwards_is_a_loss(place: Place) -> None:
    proof = place.tried(
        'op.add_column("customer", sa.Column("note", sa.String(5)))',
        """
        with op.batch_alter_table("customer") as batch:
            batch.drop_column("note")
            batch.alter_column("title", type_=sa.String(300), existing_type=sa.String(40))
        """,
    )
    assert proof.outcome is Outcome.LOSSY
    assert "table customer: column title is" in proof.sentence


def test_a_revision_without_a_way_back(place: Place) -> None:
    proof = place.tried(
        'op.add_column("customer", sa.Column("note", sa.Text()))',
        'raise NotImplementedError("the notes would be lost")',
    )
    assert proof.outcome is Outcome.ONE_WAY
    assert proof.reasons == ("NotImplementedError: the notes would be lost",)
    assert "cannot go back because NotImplementedError: the notes would be lost." in place.text(TWO)


def test_a_revision_that_rows_break_has_failed_and_nothing_else(place: Place) -> None:
    proof = place.tried(
        """
        with op.batch_alter_table("customer") as batch:
            batch.alter_column("title", existing_type=sa.String(40), nullable=False)
        """,
        """
        with op.batch_alter_table("customer") as batch:
            batch.alter_column("title", existing_type=sa.String(40), nullable=True)
        """,
    )
    assert proof.outcome is Outcome.FAILED
    assert "title" in proof.sentence
    assert str(place.path) not in place.text(TWO)


def test_a_revision_that_is_applied_is_proved_from_those_before_it(place: Place) -> None:
    place.apps.revision("wms", ONE, TABLES, NO_TABLES, labels=("wms",))
    place.apps.revision(
        "wms", TWO, 'op.create_index("ix_age", "customer", ["age"])', 'op.drop_index("ix_age", "customer")', down=ONE
    )
    place.manager().run()
    assert place.prove(TWO).outcome is Outcome.PROVED


def test_pending_revisions_are_proved_in_order(sqlite_place: Place) -> None:
    place = sqlite_place
    place.apps.revision("wms", ONE, TABLES, NO_TABLES, labels=("wms",))
    place.apps.revision("wms", TWO, "op.execute('DELETE FROM orders')", down=ONE)
    result = place.manager().prove(store=False)
    assert [(proof.revision, proof.outcome, proof.stored) for proof in result.proofs] == [
        (ONE, Outcome.PROVED, False),
        (TWO, Outcome.LOSSY, False),
    ]
    assert "Proof" not in place.text(ONE)
    assert place.manager().run().revisions == (ONE, TWO)
    assert place.manager().prove().proofs == ()
    with pytest.raises(UnknownRevision):
        place.manager().prove("ffffffffffff")


def test_what_cannot_be_reached_is_not_tried(sqlite_place: Place) -> None:
    place = sqlite_place
    with sqlite3.connect(place.path / "test.db") as connection:
        connection.execute("CREATE TABLE old (id INTEGER PRIMARY KEY)")
    connection.close()
    place.apps.revision("wms", ONE, 'op.add_column("old", sa.Column("x", sa.Text()))', labels=("wms",))
    place.apps.revision("wms", TWO, 'op.add_column("old", sa.Column("y", sa.Text()))', down=ONE)
    place.manager().run()
    proof = place.prove(TWO)
    assert proof.outcome is Outcome.NOT_TRIED
    assert "the revisions before it do not run on an empty database" in proof.sentence
    assert proof.next_step
    assert "Proof" not in place.text(TWO)


def test_tables_that_take_no_row_are_named(sqlite_place: Place) -> None:
    with sqlite3.connect(sqlite_place.path / "test.db") as connection:
        connection.execute("CREATE TABLE picky (id INTEGER PRIMARY KEY, code TEXT NOT NULL CHECK (code LIKE 'Q-%'))")
    connection.close()
    proof = sqlite_place.tried(
        'op.add_column("customer", sa.Column("note", sa.Text()))', 'op.drop_column("customer", "note")'
    )
    assert [note for note in proof.notes if "picky" in note and "CHECK" in note]
    assert proof.rows == 6


def test_objects_of_the_database_come_along(sqlite_place: Place) -> None:
    """A trigger that a batch rebuild loses, or keeps: it is in the copy, and compared."""
    place = sqlite_place
    place.apps.revision("wms", ONE, TABLES, NO_TABLES, labels=("wms",))
    place.manager().run()
    with sqlite3.connect(place.path / "test.db") as connection:
        connection.execute("CREATE TRIGGER watch AFTER INSERT ON orders BEGIN UPDATE customer SET age = 1; END")
    connection.close()
    place.apps.revision("wms", TWO, 'op.execute("DROP TRIGGER watch")', "pass", down=ONE)
    proof = place.prove(TWO)
    assert "trigger watch" in proof.sentence


def test_squash_is_proved_on_a_database_of_the_same_kind(place: Place) -> None:
    product, own = next(value for kind, value in OWN_SQL.items() if place.url.startswith(kind))
    place.apps.revision("wms", ONE, TABLES, NO_TABLES, labels=("wms",))
    rows = f"op.execute({own!r})\nop.execute('INSERT INTO own VALUES (1)')"
    place.apps.revision("wms", TWO, rows, "op.execute('DROP TABLE own')", down=ONE)
    # What depends on what was run before does something else in one revision.
    place.apps.revision("wms", THREE, f"if op.get_context().get_current_heads() == ({TWO!r},): {FOURTH}", down=TWO)
    place.manager().run(TWO)
    before = place.databases()
    with pytest.raises(RevisionError, match="leaves another database"):
        place.manager().squash(app="wms", to=THREE)
    result = place.manager().squash(app="wms", to=TWO)
    assert result.proof.endswith(f"on an empty {product}.")
    assert result.notes == ()
    assert place.databases() == before, "a scratch database was left behind"
    assert place.manager().run(TWO).revisions == ()


@pytest.mark.postgres
def test_a_role_without_the_right_is_told_how_and_a_scratch_url_serves(
    postgres_place: Place, make_postgres_database: Callable[[], PostgresDatabase]
) -> None:
    place = postgres_place
    place.apps.revision("wms", ONE, TABLES, NO_TABLES, labels=("wms",))
    admin = sa.create_engine(place.url, poolclass=sa.NullPool)
    scratch = make_postgres_database()
    with admin.begin() as connection:
        role = f"plain_{sa.make_url(place.url).database}"
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")
        connection.exec_driver_sql(f"GRANT ALL ON SCHEMA public TO {role}")
    owner = place.url
    try:
        place.url = sa.make_url(owner).set(username=role, password="plain").render_as_string(hide_password=False)
        (proof,) = place.manager().prove(ONE).proofs
        assert proof.outcome is Outcome.NOT_TRIED
        assert "permission denied to create database" in proof.sentence
        assert "--scratch-url" in proof.next_step
        assert place.prove(ONE, str(scratch.sync_url)).outcome is Outcome.PROVED
        # It was cleared, so that it serves again.
        assert place.prove(ONE, str(scratch.sync_url)).outcome is Outcome.PROVED
        place.apps.revision("wms", TWO, down=ONE)
        elsewhere = place.manager().squash(app="wms", to=TWO, dry_run=True)
        assert "on an empty SQLite" in elsewhere.proof
        assert "permission denied to create database" in elsewhere.notes[0]
        same = place.manager().squash(app="wms", to=TWO, dry_run=True, scratch=str(scratch.sync_url))
        assert "on an empty PostgreSQL" in same.proof
    finally:
        with admin.begin() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
        admin.dispose()


def test_a_scratch_database_that_holds_something_is_refused(sqlite_place: Place) -> None:
    sqlite_place.apps.revision("wms", ONE, TABLES, NO_TABLES, labels=("wms",))
    held = sqlite_place.path / "held.db"
    with sqlite3.connect(held) as connection:
        connection.execute("CREATE TABLE precious (id INTEGER)")
    connection.close()
    with pytest.raises(ConfigurationError, match="precious"):
        sqlite_place.manager().prove(ONE, scratch=f"sqlite:///{held}")
    with sqlite3.connect(held) as connection:
        assert connection.execute("SELECT count(*) FROM precious").fetchone() == (0,)
    connection.close()
    with pytest.raises(ConfigurationError, match="same kind"):
        sqlite_place.manager().prove(ONE, scratch="postgresql://localhost/x")
    assert sqlite_place.prove(ONE, f"sqlite:///{sqlite_place.path / 'new.db'}").outcome is Outcome.PROVED
    assert sqlite_place.prove(ONE, f"sqlite:///{sqlite_place.path / 'new.db'}").outcome is Outcome.PROVED


@pytest.mark.parametrize(
    "driver",
    [
        pytest.param("aiosqlite"),
        pytest.param("asyncpg", marks=pytest.mark.postgres),
        pytest.param("asyncmy", marks=pytest.mark.mariadb),
    ],
)
def test_asynchronous_drivers(driver: str, request: pytest.FixtureRequest) -> None:
    name, drivername = {
        "aiosqlite": ("sqlite_place", "sqlite+aiosqlite"),
        "asyncpg": ("postgres_place", "postgresql+asyncpg"),
        "asyncmy": ("mariadb_place", "mariadb+asyncmy"),
    }[driver]
    place: Place = request.getfixturevalue(name)
    place.url = sa.make_url(place.url).set(drivername=drivername, query={}).render_as_string(hide_password=False)
    place.apps.revision("wms", ONE, TABLES, NO_TABLES, labels=("wms",))
    place.apps.revision(
        "wms", TWO, 'op.create_index("ix_age", "customer", ["age"])', 'op.drop_index("ix_age", "customer")', down=ONE
    )

    async def both() -> list[Outcome]:
        manager = AsyncMigrationManager(place.settings())
        await manager.run(ONE)
        return [proof.outcome for proof in (await manager.prove(ONE, TWO)).proofs]

    assert asyncio.run(both()) == [Outcome.PROVED, Outcome.PROVED]
    assert place.databases() == set()


@pytest.mark.postgres
def test_a_copy_on_postgresql_has_everything(postgres_place: Place) -> None:
    """The dump of the copy is that of the original: enumerations, domains, sequences, functions, triggers, views."""
    place = postgres_place
    engine = sa.create_engine(place.url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            """
            CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
            CREATE SCHEMA other; CREATE TABLE other.kept (id int PRIMARY KEY);
            CREATE FUNCTION plus(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1';
            CREATE TABLE a (id serial PRIMARY KEY, m mood DEFAULT 'ok' NOT NULL, s short, b bigint
                GENERATED ALWAYS AS IDENTITY (START WITH 7), c int GENERATED ALWAYS AS (plus(3)) STORED,
                tags text[], at timestamptz DEFAULT now(), d int4range, CONSTRAINT positive CHECK (b > 0));
            CREATE TABLE b (id int REFERENCES a ON DELETE CASCADE, k int REFERENCES other.kept, UNIQUE (id, k));
            CREATE INDEX ix ON a (lower(s), m DESC) WHERE m <> 'sad'; COMMENT ON COLUMN a.m IS 'it''s \\ 5%';
            CREATE VIEW v AS SELECT id, m FROM a; CREATE MATERIALIZED VIEW w AS SELECT * FROM v;
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();
            CREATE TABLE p (d date NOT NULL) PARTITION BY RANGE (d);
            CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
            CREATE INDEX px ON p (d);
            """.replace("%", "%%")
        )
    from framework_m_migrations.adapters.sql.dialects.postgresql.dump import PostgresqlRehearsal

    rehearsal = PostgresqlRehearsal()
    name = "fmm_scratch_copy_" + str(sa.make_url(place.url).database)
    twin = sa.create_engine(sa.make_url(place.url).set(database=name), poolclass=sa.NullPool)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as source:
        rehearsal.make(source, name)
        try:
            with twin.connect().execution_options(isolation_level="AUTOCOMMIT") as target:
                assert rehearsal.copy(source, target) == ()
                dump = rehearsal.dump(target)
                assert dump == rehearsal.dump(source)
                assert {
                    "type mood",
                    "type short",
                    "schema other",
                    "view w",
                    "trigger a t",
                    "index ix",
                    "table p1",
                } <= dump.keys()
                rehearsal.clear(target)
                assert set(rehearsal.dump(target)) == {"schema public"}
        finally:
            rehearsal.drop(source, name)
    engine.dispose()
    place.apps.revision("wms", ONE, TABLES, NO_TABLES, labels=("wms",))
    proof = place.prove(ONE)
    assert proof.outcome is Outcome.PROVED, proof
