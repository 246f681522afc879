"""``sync --allow-drop`` drops all that can go in place, and leaves what cannot to a revision that copies the table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from tests.sqlite._helpers import plain, script
from tests.versions.support import Apps

type Make = Callable[[bool], MigrationManager]


def metadata(*, full: bool) -> sa.MetaData:
    """Tables with one of everything, or what is left of them."""
    wanted = sa.MetaData()
    surplus = (
        sa.Column("gone", sa.Text, sa.CheckConstraint("gone <> 'id'", name="ck_gone")),
        sa.Column("alone", sa.Text, unique=True),
        sa.Column("pair", sa.Text),
        sa.Column("compared", sa.Integer),
        sa.UniqueConstraint("x", name="uq_x"),
        sa.UniqueConstraint("pair", "x"),
        sa.CheckConstraint("x <> ''", name="ck_x"),
        sa.CheckConstraint("compared <> id"),
    )
    sa.Table(
        "a",
        wanted,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("x", sa.Text),
        sa.Column("u", sa.Text, unique=full),
        *(surplus if full else ()),
    )
    named = sa.ForeignKey("a.id", name="fk_named") if full else None
    unnamed = sa.ForeignKey("a.id") if full else None
    sa.Table(
        "c",
        wanted,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("first", sa.Integer, *([named] if named is not None else [])),
        sa.Column("second", sa.Integer, *([unnamed] if unnamed is not None else [])),
        *([sa.Column("indexed", sa.Integer, index=True)] if full else []),
    )
    if full:
        sa.Table("z", wanted, sa.Column("id", sa.Integer, primary_key=True))
    return wanted


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Managers of the two releases, over one database with rows and an app with a first revision."""
    folder = tmp_path / "apps"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    apps = Apps(folder)
    apps.file("garden_s3", "models.py", "")
    apps.revision("garden_s3", "0000first000", labels=("garden_s3",))

    def manager(full: bool) -> MigrationManager:
        url = f"sqlite:///{tmp_path / 'app.db'}"
        settings = MigrationSettings(
            database_url=url, apps=("garden_s3",), metadata=(metadata(full=full),), path=tmp_path
        )
        return MigrationManager(settings)

    first = manager(True)
    first.run()
    first.sync()
    script(
        tmp_path / "app.db",
        "INSERT INTO a (id, x, u, gone, alone, pair, compared) VALUES (1, 'x', 'u', 'g', 'l', 'p', 7);"
        "INSERT INTO c (id, first, second, indexed) VALUES (1, 1, 1, 3)",
    )
    return manager


KEPT = {
    "UniqueRemoved uq_x",
    "UniqueRemoved None",
    "ForeignKeyRemoved None",
    "ColumnRemoved alone",
    "ColumnRemoved pair",
    "ColumnRemoved compared",
}


def told(manager: MigrationManager) -> dict[str, str]:
    """What is withheld, and by what it is handled."""
    found = {}
    for planned in manager.plan(force=True).plan.withheld:
        change = planned.change
        item = next(
            (
                getattr(change, name)
                for name in ("column", "unique", "check", "foreign_key", "index")
                if hasattr(change, name)
            ),
            None,
        )
        found[f"{type(change).__name__} {getattr(item, 'name', change.table.name)}"] = planned.judgement.handled_by
    return found


def test_all_else_goes_and_nothing_fails_halfway(make: Make, tmp_path: Path) -> None:
    manager = make(False)
    assert {name for name, handler in told(manager).items() if handler == "create"} == KEPT
    assert {name for name, handler in told(manager).items() if handler == "manual"} == {"CheckRemoved None"}
    result = manager.sync(allow_drop=True)
    assert {type(planned.change).__name__ for planned in result.removed} == {
        "TableRemoved",
        "ColumnRemoved",
        "IndexRemoved",
        "CheckRemoved",
        "ForeignKeyRemoved",
    }
    assert set(told(manager)) == KEPT | {"CheckRemoved None"}
    path = tmp_path / "app.db"
    assert plain(path, "SELECT id, x, u, alone, pair, compared FROM a") == [(1, "x", "u", "l", "p", 7)]
    assert plain(path, "SELECT * FROM c") == [(1, 1, 1)]
    before = plain(path, "SELECT type, name, sql FROM sqlite_master ORDER BY name")
    again = manager.sync(allow_drop=True)
    assert (again.dropped, again.removed) == ((), ())
    assert plain(path, "SELECT type, name, sql FROM sqlite_master ORDER BY name") == before


def test_a_revision_drops_the_rest(make: Make, tmp_path: Path) -> None:
    manager = make(False)
    manager.sync(allow_drop=True)
    manager.create("rest", app="garden_s3")
    manager.run()
    path = tmp_path / "app.db"
    assert plain(path, "SELECT * FROM a") == [(1, "x", "u")]
    assert plain(path, "SELECT * FROM c") == [(1, 1, 1)]
    assert told(manager) == {}
    assert plain(path, "PRAGMA integrity_check") == [("ok",)]
