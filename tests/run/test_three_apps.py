"""Issue 2, point 6: the versioned track over three apps, each with its folder in another layout."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager
from framework_m_migrations.domain.errors import (
    DependentRevision,
    MultipleHeads,
    RevisionError,
    RevisionFailed,
    RevisionFileBroken,
    UnknownRevision,
    VersionFolderMissing,
)
from tests.sync.conftest import Site, site

__all__ = ["site"]

NAMES = ("shop", "stock", "crm_lite")
SOURCE = Path(__file__).parents[2] / "examples" / "apps"


@pytest.fixture
def apps(tmp_path: Path) -> Iterator[Path]:
    """A copy of the example apps, importable for the time of the test."""
    folder = tmp_path / "apps"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    sys.path.insert(0, str(folder))
    forget()
    yield folder
    sys.path.remove(str(folder))
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in {*NAMES, "extra"}]:
        del sys.modules[name]


def manager(site: Site, *names: str) -> MigrationManager:
    return site.manager(apps=names or NAMES)


def by_app(result: tuple[str, ...], track: MigrationManager) -> list[str | None]:
    apps = {revision.id: revision.app for revision, _ in track.history().revisions}
    return [apps[name] for name in result]


def test_all_runs_every_app_in_order_and_sync_finds_nothing_left(site: Site, apps: Path) -> None:
    track = manager(site)
    done = track.all()
    assert len(done.run.revisions) == 7
    history = {revision.id: revision for revision, _ in track.history().revisions}
    seen: set[str] = set()
    for name in done.run.revisions:
        assert set(history[name].parents) <= seen, "parents and dependencies come first"
        seen.add(name)
    assert list(done.sync.withheld) == []
    assert track.plan(force=True).plan.is_empty
    assert not track.verify().dirty
    assert track.status().ready
    assert track.run().revisions == ()


def test_folders_are_found_in_their_three_places(site: Site, apps: Path) -> None:
    folders = {app.app: Path(app.folder or "").relative_to(apps).as_posix() for app in manager(site).status().apps}
    assert folders == {
        "shop": "shop/migrations/versions",
        "stock": "stock/migrations",
        "crm_lite": "crm_lite/alembic/versions",
    }


def test_rollback_respects_the_dependencies_between_apps(site: Site, apps: Path) -> None:
    track = manager(site)
    track.run()
    with pytest.raises(DependentRevision, match="stock"):
        track.rollback(app="shop", to="base")
    assert by_app(track.rollback(app="stock", to="base").revisions, track) == ["stock", "stock"]
    assert by_app(track.rollback(app="shop", to="base").revisions, track) == ["shop"] * 3
    tables = set(site.inspect().get_table_names())
    assert not [name for name in tables if name.startswith(("shop", "stock"))]
    assert len(track.run().revisions) == 5
    assert len(track.rollback(steps=2).revisions) == 2


def test_a_target_brings_only_what_it_needs(site: Site, apps: Path) -> None:
    track = manager(site)
    assert by_app(track.run("crm_lite").revisions, track) == ["crm_lite"] * 2
    first_of_stock = next(r.id for r, _ in track.history("stock").revisions)
    assert by_app(track.run(first_of_stock).revisions, track) == ["shop", "stock"]


def test_create_writes_into_the_apps_own_folder_and_on_its_own_branch(site: Site, apps: Path) -> None:
    track = manager(site)
    track.all()
    models = apps / "crm_lite" / "models.py"
    text = models.read_text()
    models.write_text(
        text + '\nmetadata.tables["crm_contact"].append_column(sa.Column("score", sa.Integer))\n'
        if "crm_contact" in text
        else text
    )
    forget()
    result = manager(site).create("score", app="crm_lite")
    assert result.path is not None
    assert Path(result.path).parent == apps / "crm_lite" / "alembic" / "versions"
    assert "score" in result.text
    ast.parse(result.text)
    again = manager(site)
    assert by_app(again.run().revisions, again) == ["crm_lite"]
    assert again.plan(force=True).plan.is_empty
    again.rollback(app="crm_lite")
    assert [type(p.change).__name__ for p in again.plan(force=True).plan.changes] == ["ColumnAdded"]


def test_the_first_revision_of_an_app_opens_its_branch_and_ids_come_from_content(
    site: Site, apps: Path, tmp_path: Path
) -> None:
    extra = apps / "extra"
    extra.mkdir()
    (extra / "__init__.py").write_text("")
    (extra / "models.py").write_text(
        "import sqlalchemy as sa\nmetadata = sa.MetaData()\n"
        'sa.Table("extra_b", metadata, sa.Column("id", sa.Integer, primary_key=True),'
        ' sa.Column("a_id", sa.ForeignKey("extra_z.id")))\n'
        'sa.Table("extra_z", metadata, sa.Column("id", sa.Integer, primary_key=True))\n'
    )
    track = site.manager(apps=("extra",))
    previews = {track.create("first", app="extra", dry_run=True).revision for _ in range(2)}
    assert len(previews) == 1
    assert track.create("another", app="extra", dry_run=True).revision not in previews
    written = track.create("first", app="extra")
    assert {written.revision} == previews
    assert "'extra'" in written.text or '"extra"' in written.text
    upgrade = written.text[written.text.index("def upgrade") : written.text.index("def downgrade")]
    assert upgrade.index('"extra_z"') < upgrade.index('"extra_b"'), "what is referenced comes first"
    assert "name=" not in upgrade, "what has no name in the model gets the one that the database gives"
    forget()
    track = site.manager(apps=("extra",))
    track.run()
    assert track.plan(force=True).plan.is_empty
    track.rollback()
    assert not [name for name in site.inspect().get_table_names() if name.startswith("extra")]


def test_create_never_drops_what_is_not_ours(site: Site, apps: Path) -> None:
    site.execute("CREATE TABLE theirs (id integer PRIMARY KEY)")
    track = manager(site)
    track.all()
    site.execute("ALTER TABLE crm_contact ADD COLUMN foreign_to_us integer")
    result = track.create("nothing", app="crm_lite")
    assert result.path is None
    assert any("foreign_to_us" in line for line in result.left_out)


def test_create_refuses_to_repeat_what_pending_revisions_do(site: Site, apps: Path) -> None:
    with pytest.raises(RevisionError, match="lacks"):
        manager(site).create("again", app="shop")
    assert manager(site).create("by hand", app="shop", autogenerate=False).path is not None


def test_several_heads_are_named_and_can_be_merged(site: Site, apps: Path) -> None:
    folder = apps / "crm_lite" / "alembic" / "versions"
    first = next(r for r, _ in manager(site).history("crm_lite").revisions)
    (folder / "other_head.py").write_text(
        f'revision = "aaaaaaaaaaaa"\ndown_revision = "{first.id}"\nbranch_labels = None\ndepends_on = None\n'
        "def upgrade(): pass\ndef downgrade(): pass\n"
    )
    with pytest.raises(MultipleHeads, match="aaaaaaaaaaaa") as caught:
        manager(site).run()
    assert "--merge" in caught.value.next_step
    assert any(finding.kind == "multiple-heads" for finding in manager(site).verify().findings)
    manager(site).create("merge", app="crm_lite", merge=True)
    assert len(manager(site, "crm_lite").run().revisions) == 4


def test_a_revision_in_the_database_that_no_app_has(site: Site, apps: Path) -> None:
    track = manager(site)
    track.run()
    with site.plain.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'gone' WHERE version_num LIKE 'f5b6%'"))
    for command in (track.run, track.rollback):
        with pytest.raises(UnknownRevision, match="gone") as caught:
            command()
        assert "stamp" in caught.value.next_step
    assert any(finding.kind == "unknown-revision" for finding in track.verify().findings)
    heads = tuple(app.heads[0] for app in track.status().apps)
    assert track.stamp(*heads, dry_run=True).applied is False
    assert track.stamp(*heads).applied
    assert track.run().revisions == ()


def test_a_broken_revision_file_is_named_and_nothing_is_changed(site: Site, apps: Path) -> None:
    (apps / "stock" / "migrations" / "zz_broken.py").write_text("revision = 'x'\ndown_revision = None\n def upgrade(:")
    with pytest.raises(RevisionFileBroken, match="zz_broken"):
        manager(site).run()
    assert "alembic_version" not in site.inspect().get_table_names()


def test_an_app_without_a_folder_has_no_revisions_and_gets_one_with_create(site: Site, apps: Path) -> None:
    shutil.rmtree(apps / "stock" / "migrations")
    track = manager(site)
    assert {app.app: app.heads for app in track.status().apps}["stock"] == ()
    result = track.create("first", app="stock", autogenerate=False)
    assert result.path is not None
    assert Path(result.path).parent == apps / "stock" / "migrations" / "versions"
    with pytest.raises(VersionFolderMissing, match="'nobody' is not one of") as caught:
        track.create("first", app="nobody", autogenerate=False)
    assert "--apps nobody" in caught.value.next_step


FAILING = """
import sqlalchemy as sa
from alembic import op
revision = "{name}"
down_revision = {down!r}
branch_labels = None
depends_on = None

def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True))
    {last}

def downgrade():
    op.drop_table("{table}")
"""


def test_each_revision_is_a_transaction_and_a_failing_one_is_rolled_back(site: Site, apps: Path) -> None:
    folder = apps / "crm_lite" / "alembic" / "versions"
    head = manager(site).status().apps[2].heads[0]
    good = FAILING.format(name="bbbbbbbbbbbb", down=head, table="half_one", last="")
    bad = FAILING.format(
        name="cccccccccccc",
        down="bbbbbbbbbbbb",
        table="half_two",
        last="op.execute('SELECT no_such_column FROM half_one')",
    )
    (folder / "good.py").write_text(good)
    (folder / "bad.py").write_text(bad)
    with pytest.raises(RevisionFailed, match="cccccccccccc") as caught:
        manager(site).run()
    assert "crm_lite" in str(caught.value)
    tables = set(site.inspect().get_table_names())
    assert "half_one" in tables
    assert "half_two" not in tables
    (folder / "bad.py").write_text(bad.replace("no_such_column", "id"))
    assert manager(site).run().revisions == ("cccccccccccc",)


def test_an_autocommit_block_runs_outside_the_transaction(site: Site, apps: Path) -> None:
    folder = apps / "crm_lite" / "alembic" / "versions"
    head = manager(site).status().apps[2].heads[0]
    concurrently = "" if site.is_sqlite else "CONCURRENTLY"
    block = (
        "with op.get_context().autocommit_block():\n"
        f"        op.execute('CREATE INDEX {concurrently} ix_online ON online (id)')"
    )
    (folder / "online.py").write_text(FAILING.format(name="dddddddddddd", down=head, table="online", last=block))
    manager(site).run()
    assert [index["name"] for index in site.inspect().get_indexes("online")] == ["ix_online"]
