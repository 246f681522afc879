"""Histories that other tools began, and what a revision does to the process round it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.desired.declared import Snapshot
from framework_m_migrations.adapters.sql.revisions.library import layout_of
from framework_m_migrations.domain.errors import RevisionFailed, VersionFolderMissing
from framework_m_migrations.domain.revisions import Position, Revision, RevisionGraph
from tests.versions.support import Apps, Bench

A1, A2 = "aaaaaaaaaaa1", "aaaaaaaaaaa2"
RAW = "op.get_bind().connection"
CREATE = 'op.create_table("{}", sa.Column("id", sa.Integer, primary_key=True))'


@pytest.mark.parametrize(
    "commit",
    [
        "op.get_bind().commit()",
        "op.get_bind().connection.commit()",
        "op.get_bind().get_transaction().commit()",
        'op.execute("COMMIT")',
        'op.get_bind().exec_driver_sql("COMMIT")',
        "op.get_bind().connection.driver_connection.commit()",
        'op.get_bind().connection.cursor().execute("COMMIT")',
        f"{RAW}.driver_connection.commit()\n{RAW}.cursor().execute('SELECT 1')",
        f"{RAW}.driver_connection.commit()\n{RAW}.cursor().execute('INSERT INTO t VALUES (9)')",
    ],
)
def test_a_commit_within_a_revision_that_fails_is_told(bench: Bench, apps: Apps, commit: str) -> None:
    apps.revision("wms", A1, CREATE.format("t"))
    apps.revision("wms", A2, f'op.execute("INSERT INTO t VALUES (8)")\n{commit}\nraise ValueError("no")', down=A1)
    track = bench.track()
    track.upgrade(A1)
    with pytest.raises(RevisionFailed, match="stands") as caught:
        track.upgrade(A2)
    assert caught.value.details["rolled_back"] is False
    assert bench.rows("SELECT id FROM t") == [(8,)]
    assert track.current() == {A1}


@pytest.mark.parametrize(
    "way",
    [
        "op.get_bind().commit()",
        "op.get_bind().connection.commit()",
        "op.get_bind().connection.driver_connection.commit()",
        'op.get_bind().connection.cursor().execute("COMMIT")',
    ],
)
def test_a_revision_may_commit_and_go_on(bench: Bench, apps: Apps, way: str) -> None:
    apps.revision("wms", A1, f'{CREATE.format("t")}\n{way}\nop.execute("INSERT INTO t VALUES (1)")')
    track = bench.track()
    track.upgrade(A1)
    assert track.current() == {A1}
    assert bench.rows("SELECT id FROM t") == [(1,)]


def test_a_revision_may_roll_back_and_go_on(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, f"{CREATE.format('gone')}\nop.get_bind().rollback()\n{CREATE.format('kept')}")
    track = bench.track()
    track.upgrade(A1)
    assert track.current() == {A1}
    assert bench.tables() == {"kept", "alembic_version"}


@pytest.mark.parametrize("way", ["import sys; sys.exit(0)", "import os; os._exit(0)"])
def test_a_revision_that_ends_the_process_has_failed(bench: Bench, apps: Apps, way: str) -> None:
    apps.revision("wms", A1, f"{CREATE.format('t')}\n{way}")
    with pytest.raises(RevisionFailed, match="ends the process"):
        bench.track().upgrade(A1)
    assert bench.tables() == set()


def test_a_long_id_widens_the_version_table(bench: Bench, apps: Apps) -> None:
    long = "x" * 60
    apps.revision("wms", A1)
    apps.revision("wms", long, down=A1)
    track = bench.track()
    track.upgrade(A1)
    track.upgrade(long)
    assert track.current() == {long}
    track.stamp([A1])
    track.stamp([long])
    assert track.current() == {long}


def test_a_first_revision_whose_table_is_there_names_stamp(bench: Bench, apps: Apps) -> None:
    bench.run("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    apps.revision("wms", A1, CREATE.format("t"))
    with pytest.raises(RevisionFailed) as caught:
        bench.track().upgrade(A1)
    assert f"m-migrate stamp {A1}" in caught.value.next_step


def test_revisions_in_a_folder_that_is_not_looked_at_are_told(bench: Bench, apps: Apps) -> None:
    apps.file("wms", "store/__init__.py", "")
    apps.file("wms", "store/alembic/versions/r1.py", 'revision, down_revision = "r1", None\ndef upgrade(): pass\n')
    with pytest.raises(VersionFolderMissing, match="'wms'") as caught:
        bench.track().graph()
    assert "--apps wms.store" in caught.value.next_step


def test_flask_migrate_and_pyproject_are_known_layouts(tmp_path: Path) -> None:
    assert layout_of(tmp_path).ini is None
    flask = tmp_path / "flask"
    (flask / "migrations" / "versions").mkdir(parents=True)
    (flask / "migrations" / "alembic.ini").write_text("[alembic]\n")
    assert layout_of(flask).folders == (flask / "migrations" / "versions",)
    modern = tmp_path / "modern"
    modern.mkdir()
    (modern / "pyproject.toml").write_text('[tool.alembic]\nscript_location = "%(here)s/migr"\n')
    assert layout_of(modern).ini == modern / "alembic.ini"


def test_metadata_gets_back_what_it_was_declared_with() -> None:
    metadata = sa.MetaData()
    table = sa.Table("t", metadata, sa.Column("a", sa.Integer), sa.Column("b", sa.String(9)))
    kept = Snapshot([metadata])
    sa.Table("other", metadata, sa.Column("t_a", sa.Integer))
    sa.CheckConstraint(table.c.a > 1, name="more")
    sa.Index("ix", table.c.b)
    table.append_column(sa.Column("c", sa.Integer, sa.ForeignKey("other.t_a")))
    table.c.b.type = sa.Text()
    table.c.a.nullable = False
    kept.restore()
    assert list(metadata.tables) == ["t"]
    assert [column.name for column in table.columns] == ["a", "b"]
    assert not table.indexes
    assert not table.foreign_keys
    assert [type(one) for one in table.constraints] == [sa.PrimaryKeyConstraint]
    assert type(table.c.b.type) is sa.String
    assert table.c.a.nullable


def test_a_position_moves_as_the_graph_says() -> None:
    graph = RevisionGraph(
        (Revision("a", "x"), Revision("b", "x", ("a",)), Revision("c", "y", (), ("a",)), Revision("d", "x", ("b", "c")))
    )
    position = Position(graph).at(())
    for name, heads in (("a", {"a"}), ("b", {"b"}), ("c", {"b", "c"}), ("d", {"d"})):
        position.move(name, is_upgrade=True)
        assert position.heads == Position(graph).at(heads).heads == heads
    for name, heads in (("d", {"b", "c"}), ("b", {"c"}), ("c", {"a"}), ("a", set())):
        position.move(name, is_upgrade=False)
        assert position.heads == heads
    assert not position.applied
