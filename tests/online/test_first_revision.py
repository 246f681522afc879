"""The first revision of an app: on a database that sync made long before it, and on one that is new to the app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import RevisionFileBroken
from tests._postgres import PostgresDatabase
from tests.online.phases import APP, Define, Stage, metadata
from tests.versions.support import Apps


def before(m: sa.MetaData) -> None:
    sa.Table("thing", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.String(50)))


def after(m: sa.MetaData) -> None:
    label = sa.Column("label", sa.String(50), info={"renamed_from": "title"})
    sa.Table("thing", m, sa.Column("id", sa.Integer, primary_key=True), label)


def latest(m: sa.MetaData) -> None:
    """The former names are forgotten: only the ledger knows a database of the first release."""
    sa.Table("matter", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("label", sa.String(50)))


TEXT = """
import sqlalchemy as sa
from alembic import op
revision = {id!r}
down_revision = {down!r}
branch_labels = {labels!r}
{more}
def upgrade():
    {upgrade}
def downgrade():
    pass
"""


def written(stage: Stage, id_: str, upgrade: str, *, down: str | None = None, more: str = "") -> None:
    labels = None if down else (APP,)
    text = TEXT.format(id=id_, down=down, labels=labels, more=more, upgrade=upgrade)
    stage.apps.file(APP, f"migrations/versions/{id_}_by_hand.py", text)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def stage(request: pytest.FixtureRequest, tmp_path: Path, apps: Apps) -> Iterator[Stage]:
    if request.param == "sqlite":
        yield Stage(f"sqlite:///{tmp_path / 'site.db'}", apps, tmp_path)
        return
    database: PostgresDatabase = request.getfixturevalue("emptied_database")
    yield Stage(database.sync_url, apps, tmp_path)


def two_halves(stage: Stage) -> None:
    written(stage, "expand000001", 'op.add_column("thing", sa.Column("label", sa.String(50)))')
    gone = 'op.drop_column("thing", "title")'
    written(stage, "contract0001", gone, down="expand000001", more='contract_of = "expand000001"')


@pytest.mark.parametrize("release", [before, after, latest])
def test_a_contract_half_waits_where_sync_made_the_tables(stage: Stage, release: Define) -> None:
    """No revision was ever applied here, and old code is at work all the same."""
    stage.release(before).all()
    stage.send("INSERT INTO thing (id, title) VALUES (1, 'kept')")
    two_halves(stage)
    new = stage.release(release)
    assert (new.run().revisions, new.run().held) == (("expand000001",), ("contract0001",))
    assert stage.rows("SELECT title, label FROM thing") == [("kept", None)]
    assert new.run(contract=True).revisions == ("contract0001",)


def test_a_contract_half_does_not_wait_where_the_app_has_no_table(stage: Stage) -> None:
    stage.send("CREATE TABLE somebodys (id int)")
    made = 'op.create_table("thing", sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.String(50)))'
    written(stage, "first0000000", made)
    more = 'contract_of = "first0000000"'
    written(stage, "contract0001", 'op.drop_column("thing", "title")', down="first0000000", more=more)
    ran = stage.release(after).run()
    assert (ran.revisions, ran.held, ran.recorded) == (("first0000000", "contract0001"), (), ())


def test_a_new_database_is_built_by_sync_where_the_revisions_change_what_sync_had_made(stage: Stage) -> None:
    old = Stage(f"sqlite:///{stage.tmp_path / 'old.db'}", stage.apps, stage.tmp_path)
    old.release(before).all()
    old.send("INSERT INTO thing (id, title) VALUES (1, 'kept')")
    release = old.release(after)
    made = release.create("to label", app=APP)
    assert made.revision is not None
    assert 'new_database = "sync"' in made.text
    assert any("new database" in text for text in made.review)
    again = release.create("data", app=APP, autogenerate=False, dry_run=True)
    assert "new_database" not in again.text, "said once, for all revisions of the app"
    written(
        stage, "patch0000001", "op.execute(\"UPDATE thing SET label = 'new' WHERE label IS NULL\")", down=made.revision
    )
    # Where the tables were made by sync, the revisions are run.
    assert release.all().run.revisions == (made.revision, "patch0000001")
    assert old.rows("SELECT id, label FROM thing") == [(1, "kept")]
    # Where nothing is there yet, they count as applied, and sync builds the tables.
    new = stage.release(after)
    done = new.all()
    assert (done.run.revisions, done.run.recorded) == ((), (made.revision, "patch0000001"))
    assert done.run.heads == ("patch0000001",)
    assert new.plan(force=True).plan.is_empty
    assert not new.verify().dirty
    stage.send("INSERT INTO thing (id, label) VALUES (1, 'here')")
    # From here on it is a database like the other: the next revision is run.
    written(stage, "patch0000002", "op.execute(\"UPDATE thing SET label = 'there'\")", down="patch0000001")
    assert new.all().run.revisions == ("patch0000002",)
    assert stage.rows("SELECT label FROM thing") == [("there",)]


def test_a_run_that_stops_between_the_two_tracks_is_completed(stage: Stage) -> None:
    written(stage, "first0000000", 'op.drop_column("thing", "title")', more='new_database = "sync"')
    release = stage.release(after)
    assert release.run().recorded == ("first0000000",)
    assert release.run().recorded == ()
    # A release later there is still no table.
    written(stage, "second000000", 'op.drop_column("thing", "label")', down="first0000000")
    assert release.run().recorded == ("second000000",)
    done = release.all()
    assert done.run.revisions == ()
    assert not release.verify().dirty


def test_sync_that_comes_first_counts_the_revisions_as_applied(stage: Stage) -> None:
    """As where an application syncs when it boots: what is there later tells nobody that it is as it is wanted now."""
    written(stage, "first0000000", 'op.drop_column("thing", "title")', more='new_database = "sync"')
    written(stage, "patch0000001", 'op.execute("DELETE FROM thing")', down="first0000000")
    release = stage.release(after)
    assert release.sync().recorded == ("first0000000", "patch0000001")
    stage.send("INSERT INTO thing (id, label) VALUES (1, 'kept')")
    done = release.all()
    assert (done.run.revisions, done.run.recorded, done.run.heads) == ((), (), ("patch0000001",))
    assert not release.verify().dirty
    assert stage.rows("SELECT label FROM thing") == [("kept",)]


def test_sync_of_a_database_that_is_not_new_counts_none(stage: Stage) -> None:
    stage.release(before).sync()
    written(
        stage, "first0000000", 'op.add_column("thing", sa.Column("seen", sa.Integer))', more='new_database = "sync"'
    )

    def more(m: sa.MetaData) -> None:
        before(m)
        sa.Table("note", m, sa.Column("id", sa.Integer, primary_key=True))

    release = stage.release(more)
    release.sync()
    assert release.run().revisions == ("first0000000",)


def test_a_revision_that_is_named_is_run(stage: Stage) -> None:
    written(stage, "first0000000", 'op.create_table("note", sa.Column("id", sa.Integer))', more='new_database = "sync"')
    assert stage.release(after).run("first0000000").revisions == ("first0000000",)


def test_what_the_revisions_of_other_apps_stand_on_is_recorded_in_its_place(stage: Stage) -> None:
    written(stage, "first0000000", 'op.drop_column("thing", "title")', more='new_database = "sync"')
    stage.apps.revision(
        "other", "other0000001", 'op.create_table("early", sa.Column("id", sa.Integer))', labels=("other",)
    )
    more = 'depends_on = "other0000001"'
    written(stage, "second000000", "raise RuntimeError", down="first0000000", more=more)
    stage.apps.revision(
        "other",
        "other0000002",
        'op.create_table("late", sa.Column("id", sa.Integer))',
        down="other0000001",
        depends_on="second000000",
    )
    ran = stage.release(after, "other").run()
    assert ran.recorded == ("first0000000", "second000000")
    assert ran.revisions == ("other0000001", "other0000002")
    assert set(ran.heads) == {"other0000002"}


def test_any_other_word_is_refused(stage: Stage) -> None:
    written(stage, "first0000000", "pass", more='new_database = "skip"')
    with pytest.raises(RevisionFileBroken, match='neither None nor "sync"'):
        stage.release(after).run()


@pytest.mark.postgres
def test_where_any_tenant_has_tables_nothing_counts_as_applied(
    emptied_database: PostgresDatabase, tmp_path: Path, apps: Apps
) -> None:
    """The revisions are the database's: what a look at one schema does not see may still need them."""
    stage = Stage(emptied_database.sync_url, apps, tmp_path)
    stage.release(before).tenants(["acme"]).sync()
    stage.send("INSERT INTO acme.thing (id, title) VALUES (1, 'kept')")
    written(
        stage,
        "first0000000",
        'op.execute("ALTER TABLE acme.thing RENAME title TO label")',
        more='new_database = "sync"',
    )
    more = 'contract_of = "first0000000"'
    written(stage, "contract0001", 'op.execute("DELETE FROM acme.thing")', down="first0000000", more=more)
    new = stage.release(after)
    assert new.tenants(["beta"]).sync().failed == ()
    assert new.sync().recorded == ()
    settings = MigrationSettings(
        stage.url, apps=(APP,), metadata=(metadata(after),), path=tmp_path, schema="gamma", tenant=True
    )
    ran = MigrationManager(settings).run()
    assert (ran.revisions, ran.recorded, ran.held) == (("first0000000",), (), ("contract0001",))
    assert stage.rows("SELECT id, label FROM acme.thing") == [(1, "kept")]


@pytest.mark.postgres
def test_a_new_database_of_tenants_is_new(emptied_database: PostgresDatabase, tmp_path: Path, apps: Apps) -> None:
    stage = Stage(emptied_database.sync_url, apps, tmp_path)
    written(
        stage,
        "first0000000",
        'op.execute("ALTER TABLE acme.thing RENAME title TO label")',
        more='new_database = "sync"',
    )
    done = stage.release(after).tenants(["acme", "beta"]).all()
    assert done.failed == ()
    assert [one.recorded for one in done.runs] == [("first0000000",)]
    assert stage.rows("SELECT label FROM acme.thing") == []
