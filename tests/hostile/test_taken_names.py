"""Something else under a name of the engine's own: every command says so at once, and changes nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import LedgerNameTaken, MigrationError
from framework_m_migrations.domain.options import LockOptions
from tests.hostile.outcome import Prey, check_error, command, sqlite_prey, wipe

if TYPE_CHECKING:
    from tests._mariadb import MariadbDatabase

NAMES = ("__schema_versions__", "__schema_objects__", "__schema_state__", "__schema_backfills__", "__schema_lease__")
READABLE = {
    "__schema_versions__": "SELECT 'x' AS doctype_name, 'y' AS checksum",
    "__schema_objects__": "SELECT '' AS table_schema, 'sentinel' AS table_name, 'X' AS doctype_name,"
    " 'created' AS origin, '{}' AS members",
    "__schema_state__": "SELECT 'x' AS key, 'y' AS value",
}
"""Views that answer as the ledger's own tables would."""
ON_SQLITE: dict[str, tuple[str, ...]] = {
    "view": ("CREATE VIEW {name} AS SELECT 1 AS x",),
    "readable view": ("CREATE VIEW {name} AS {readable}",),
    "upper case": ("CREATE VIEW {upper} AS {readable}",),
    "index": ("CREATE INDEX {name} ON sentinel (word)",),
    "virtual table": ("CREATE VIRTUAL TABLE {name} USING fts5(key, value)",),
}
ON_POSTGRESQL: dict[str, tuple[str, ...]] = {
    "view": ("CREATE VIEW {name} AS SELECT 1 AS x",),
    "readable view": ("CREATE VIEW {name} AS {readable}",),
    "materialised view": ("CREATE MATERIALIZED VIEW {name} AS {readable}",),
    "sequence": ("CREATE SEQUENCE {name}",),
    "partitioned table": ("CREATE TABLE {name} (key text, value text) PARTITION BY LIST (key)",),
    "foreign table": (
        "CREATE FOREIGN DATA WRAPPER nothing", "CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing",
        "CREATE FOREIGN TABLE {name} (key text, value text) SERVER nowhere",
    ),
    "composite type": ("CREATE TYPE {name} AS (a int)",),
    "enumeration": ("CREATE TYPE {name} AS ENUM ('a')",),
    "index": ("CREATE INDEX {name} ON sentinel (word)",),
}  # fmt: skip
TIDY = {"foreign table": "DROP FOREIGN DATA WRAPPER nothing CASCADE", "index": "DROP INDEX {name}"}
"""What ``wipe`` leaves."""


def wanted(*columns: str) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "customer", metadata, sa.Column("id", sa.Integer, primary_key=True), *(sa.Column(c, sa.Text) for c in columns)
    )
    return metadata


def spelt(statement: str, name: str) -> str:
    return statement.format(name=name, upper=name.upper(), readable=READABLE.get(name, "SELECT 1 AS x"))


def catalog(prey: Prey) -> list[object]:
    texts = {
        "sqlite": "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2",
        "postgresql": "SELECT c.relname, c.relkind, a.attname FROM pg_class c LEFT JOIN pg_attribute a"
        " ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 3",
    }
    standard = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2"
    )
    with prey.engine.connect() as connection:
        return list(connection.exec_driver_sql(texts.get(prey.engine.dialect.name, standard)).all())


def refused(prey: Prey, name: str, *metadata: sa.MetaData) -> None:
    """Each command gives the one error, with the name in it, and leaves everything as it was."""
    before = catalog(prey)
    for declared in metadata or (wanted("note", "more"),):
        manager = prey.manager(declared, locks=LockOptions(wait=5.0))
        for call in (manager.status, manager.verify, manager.plan, manager.sync, manager.repair):
            with pytest.raises(LedgerNameTaken) as caught:
                call()
            check_error(caught.value)
            assert name in caught.value.what.lower()
            assert list(caught.value.details["taken"]) == [name]
    assert catalog(prey) == before
    prey.check()


def chosen(kinds: dict[str, tuple[str, ...]]) -> list[Any]:
    """A view in the place of each table, and each other kind in the place of one, after a sync and before any."""
    kind = "readable view"
    pairs = [(kind, name) for name in NAMES]
    pairs += [(other, NAMES[number % 3]) for number, other in enumerate(kinds) if other != kind]
    return [pytest.param(*pair, bool(number % 2), id="-".join(pair)) for number, pair in enumerate(pairs)]


@pytest.mark.parametrize(("kind", "name", "synced"), chosen(ON_SQLITE))
def test_on_sqlite(kind: str, name: str, synced: bool) -> None:
    with sqlite_prey() as prey:
        put(prey, name, ON_SQLITE[kind], synced=synced)
        refused(prey, name, wanted("note"), wanted("note", "more"))


@pytest.mark.parametrize(("kind", "name", "synced"), chosen(ON_POSTGRESQL))
def test_on_postgresql(postgres_prey: Prey, kind: str, name: str, synced: bool) -> None:
    wipe(postgres_prey)
    put(postgres_prey, name, ON_POSTGRESQL[kind], synced=synced)
    try:
        refused(postgres_prey, name)
    finally:
        if kind in TIDY:
            with postgres_prey.engine.begin() as connection:
                connection.exec_driver_sql(spelt(TIDY[kind], name))


def put(prey: Prey, name: str, statements: tuple[str, ...], *, synced: bool) -> None:
    """Something else under the name, in a database that has seen a sync, or not."""
    if synced:
        prey.manager(wanted("note")).sync()
    with prey.engine.begin() as connection:
        for statement in (f"DROP TABLE IF EXISTS {name}", *statements):
            connection.exec_driver_sql(spelt(statement, name))


@pytest.mark.mariadb
@pytest.mark.parametrize("kind", ["VIEW {name} AS SELECT 'x' AS `key`, 'y' AS value", "SEQUENCE {name}"])
def test_on_mariadb(mariadb_database: MariadbDatabase, kind: str) -> None:
    engine = sa.create_engine(mariadb_database.sync_url)
    try:
        prey = Prey(engine)
        put(prey, "__schema_state__", (f"CREATE {kind}",), synced=True)
        refused(prey, "__schema_state__")
    finally:
        engine.dispose()


def test_an_array_type_of_such_a_name_is_in_nobodys_way(postgres_prey: Prey) -> None:
    """PostgreSQL names the array type of a table after it, and gives it another name where one is needed."""
    wipe(postgres_prey)
    with postgres_prey.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE _schema_state__ (a int)")
        names = connection.exec_driver_sql("SELECT typname FROM pg_type WHERE typname = '__schema_state__'").all()
        assert len(names) == 1, "this is the case that is meant"
    assert postgres_prey.manager(wanted("note")).sync().applied
    assert postgres_prey.manager(wanted("note")).sync().up_to_date


def test_when_the_name_is_free_again_a_repair_makes_all_well() -> None:
    """What the hostile ledgers found: a view in the place of __schema_state__, and a repair that said it had done."""
    with sqlite_prey() as prey:
        prey.manager(wanted("note")).sync()
        with prey.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE __schema_state__")
            connection.exec_driver_sql("CREATE VIEW __schema_state__ AS SELECT 1 AS key")
        refused(prey, "__schema_state__")
        with prey.engine.begin() as connection:
            connection.exec_driver_sql("DROP VIEW __schema_state__")
        prey.manager(wanted("note")).repair()
        assert prey.manager(wanted("note")).sync().applied
        assert prey.manager(wanted("note")).sync().up_to_date


def test_a_lease_is_never_taken_through_a_view(postgres_prey: Prey) -> None:
    """Behind a proxy the lock is a row, which a view would put into somebody else's table."""
    wipe(postgres_prey)
    columns = "name text PRIMARY KEY, owner text, holder text, since timestamptz, until timestamptz"
    with postgres_prey.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE theirs ({columns})")
        connection.exec_driver_sql("INSERT INTO theirs VALUES ('x', 'y', 'z', now(), now() - interval '1 day')")
        connection.exec_driver_sql("CREATE VIEW __schema_lease__ AS SELECT * FROM theirs")
    for kind in ("lease", "advisory"):
        with pytest.raises(LedgerNameTaken):
            postgres_prey.manager(sa.MetaData(), lock=kind).rollback()
    with postgres_prey.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM theirs").scalar_one() == 1


REVISION = """
from framework_m_migrations import online
revision, down_revision, branch_labels, depends_on = "aa01", None, ("taken_app",), None
def upgrade():
    online.backfill("sentinel", {"word": "'written'"}, pause=0)
def downgrade():
    pass
"""


def test_a_backfill_keeps_no_cursor_through_a_view(
    postgres_prey: Prey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wipe(postgres_prey)
    versions = tmp_path / "taken_app" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "taken_app" / "__init__.py").touch()
    (versions / "aa01.py").write_text(REVISION, encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    columns = "name text PRIMARY KEY, relation bigint, position jsonb, done bigint, changed bigint, touched timestamptz"
    with postgres_prey.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE theirs ({columns})")
        connection.exec_driver_sql("CREATE VIEW __schema_backfills__ AS SELECT * FROM theirs")
    with pytest.raises(MigrationError) as caught:
        postgres_prey.manager(sa.MetaData(), path=tmp_path, apps=("taken_app",)).run()
    assert "__schema_backfills__ (view)" in caught.value.what
    with postgres_prey.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM theirs").scalar_one() == 0
    postgres_prey.check()


def test_the_command_line_says_it_with_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken_models.py").write_text("import sqlalchemy as sa\nmetadata = sa.MetaData()\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    url = f"sqlite:///{tmp_path / 'taken.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW __schema_objects__ AS SELECT 1 AS x")
    engine.dispose()
    for arguments in (["status"], ["sync", "--json"], ["repair", "--yes"]):
        more = ["--path", str(tmp_path), "--metadata", "taken_models:metadata", "--allow-empty"]
        shown = command([*arguments, *more], {"DATABASE_URL": url})
        shown.check(json_wanted="--json" in arguments)
        assert shown.code == 1
        assert "M301" in shown.out + shown.err
