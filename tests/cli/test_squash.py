"""squash: one revision in the place of many, and what becomes of databases that have all, none or some of them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli._program import Project

pytestmark = pytest.mark.slow

APPS = ("--apps", "shop", "--apps", "stock")
FILE = '''"""{message}"""
from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{id}"
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = None
{more}

def upgrade() -> None:
    {up}


def downgrade() -> None:
    {back}
'''


def write(project: Project, id_: str, up: str, back: str, *, down: str | None = None, more: str = "") -> Path:
    folder = project.path / "shop" / "migrations" / "versions"
    folder.mkdir(parents=True, exist_ok=True)
    (project.path / "shop" / "__init__.py").touch()
    text = FILE.format(
        id=id_, up=up, back=back, down=down, labels=None if down else ("shop",), more=more, message=f"step {id_}"
    )
    file = folder / f"{id_}.py"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def shop(project: Project) -> Project:
    """Three revisions, the second of which moves rows and has names in common with the first; one follows."""
    project.app("stock")
    table = 'op.create_table("item", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("title", sa.Text()))'
    write(project, "aa01", table, "_drop()", more='\ndef _drop() -> None:\n    op.drop_table("item")\n')
    more = 'ROWS = """\nINSERT INTO item (title)\nVALUES (\'a\')\n"""\n\n\n'
    more += 'def _drop() -> None:\n    op.execute("DELETE FROM item")\n'
    write(project, "aa02", "op.execute(ROWS)", "_drop()", down="aa01", more=more)
    note = 'op.add_column("item", sa.Column("note", sa.Text()))'
    write(project, "aa03", note, 'op.drop_column("item", "note")', down="aa02")
    other = 'op.create_table("later", sa.Column("id", sa.Integer(), primary_key=True))'
    write(project, "aa04", other, 'op.drop_table("later")', down="aa03")
    return project


def dump(file: Path) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    with closing(sqlite3.connect(file)) as connection:
        schema = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        return schema, connection.execute("SELECT * FROM item").fetchall()


def at(project: Project, *revision: str) -> Path:
    """A copy of a database that was brought to a revision."""
    if revision:
        assert project.run("run", *revision, *APPS).code == 0
    copy = project.path / f"at_{'_'.join(revision) or 'base'}.db"
    if project.file.exists():
        shutil.move(project.file, copy)
    return copy


def squashed(project: Project, *more: str) -> None:
    done = project.run("squash", "--app", "shop", "--to", "aa03", *APPS, *more)
    assert done.code == 0, done.err


def run_on(project: Project, file: Path) -> list[str]:
    done = project.run("run", *APPS, "--json", "--database-url", f"sqlite:///{file}")
    assert done.code == 0, done.out
    found: list[str] = done.json["revisions"]
    return found


def test_new_full_and_partial_databases(shop: Project) -> None:
    wanted = at(shop, "aa04")
    through, behind, halfway = at(shop, "aa03"), at(shop, "aa01"), at(shop, "aa02")
    before = dump(through)
    squashed(shop)
    folder = shop.path / "shop" / "migrations" / "versions"
    assert sorted(file.name for file in folder.glob("*.py")) == ["aa03_squashed.py", "aa04.py"]
    assert sorted(file.name for file in folder.glob("squashed/*.py")) == ["aa01.py", "aa02.py", "aa03.py"]
    # All of the range is there: nothing of it runs.
    assert dump(through) == before
    assert run_on(shop, through) == ["aa04"]
    # A part of it is there: the rest runs.
    assert run_on(shop, behind) == ["aa02", "aa03", "aa04"]
    assert run_on(shop, halfway) == ["aa03", "aa04"]
    fresh = shop.path / "fresh.db"
    assert run_on(shop, fresh) == ["aa03", "aa04"]
    for file in (through, behind, halfway, fresh):
        assert dump(file) == dump(wanted), file
        assert run_on(shop, file) == []


def test_the_whole_range_is_taken_back(shop: Project) -> None:
    squashed(shop)
    assert shop.run("run", *APPS).code == 0
    assert shop.run("rollback", "--to", "base", *APPS, "--json").json["revisions"] == ["aa04", "aa03"]
    assert shop.tables() == {"alembic_version", "__schema_log__"}


def test_the_file_is_readable_python_with_texts_as_they_were(shop: Project) -> None:
    squashed(shop)
    text = (shop.path / "shop" / "migrations" / "versions" / "aa03_squashed.py").read_text(encoding="utf-8")
    assert "replaces = ('aa01', 'aa02', 'aa03')" in text.replace('"', "'")
    assert 'ROWS = """\nINSERT INTO item (title)\nVALUES (\'a\')\n"""' in text
    assert "    # aa02: step aa02\n" in text
    assert text.count("branch_labels") == 1


def test_plain_status_and_history_of_a_database_that_is_behind(shop: Project) -> None:
    assert shop.run("run", "aa01", *APPS).code == 0
    squashed(shop)
    history = shop.run("history", *APPS, "--json").json["revisions"]
    assert [(one["id"], one["applied"]) for one in history] == [
        ("aa01", True),
        ("aa02", False),
        ("aa03", False),
        ("aa04", False),
    ]
    assert shop.run("rollback", *APPS, "--json").json["revisions"] == ["aa01"]
    assert [one["id"] for one in shop.run("history", *APPS, "--json").json["revisions"]] == ["aa03", "aa04"]


def test_a_database_that_comes_too_late_is_refused_with_a_way_out(shop: Project) -> None:
    assert shop.run("run", "aa02", *APPS).code == 0
    squashed(shop)
    folder = shop.path / "shop" / "migrations" / "versions" / "squashed"
    shutil.move(folder, shop.path / "kept")
    refused = shop.run("run", *APPS)
    assert refused.code == 1
    assert "M502" in refused.err
    assert "aa02, which aa03 replaced" in refused.err
    shutil.move(shop.path / "kept", folder)
    assert shop.run("run", *APPS, "--json").json["revisions"] == ["aa03", "aa04"]


def test_dry_run_prints_and_writes_nothing(shop: Project) -> None:
    before = sorted(shop.path.rglob("*.py"))
    done = shop.run("squash", "--app", "shop", "--to", "aa03", "--dry-run", *APPS)
    assert done.code == 0
    assert "def _revision_aa02(way: str) -> None:" in done.out
    assert "same schema and rows" in done.out
    assert sorted(shop.path.rglob("*.py")) == before


def test_what_cannot_be_squashed(shop: Project) -> None:
    def refused(*arguments: str) -> str:
        before = sorted(shop.path.rglob("*.py"))
        done = shop.run("squash", "--app", "shop", *arguments, *APPS)
        assert (done.code, done.out) == (1, "")
        assert sorted(shop.path.rglob("*.py")) == before
        return done.err

    assert "nothing to squash" in refused("--to", "aa01")
    assert "no single revision of app 'shop'" in refused("--to", "base")
    shop.app("stock", {"id": "bb01", "labels": ("stock",), "depends": "aa02"})
    assert "Revisions outside the range need a part of it: bb01 (stock)" in refused("--to", "aa03")
    assert "no single revision of app 'shop'" in refused("--to", "bb01")
    (shop.path / "stock" / "migrations" / "versions" / "bb01.py").unlink()
    write(shop, "aa03", "op.execute('SELECT now_on_postgres()')", "pass", down="aa02")
    assert "Equivalence cannot be proven: upgrade of revision aa03" in refused("--to", "aa03")


def test_a_revision_that_looks_at_its_own_module_is_found_out(shop: Project) -> None:
    """It does something else once it is part of another file, and the proof says so."""
    up = "op.create_table('t_' + __file__[-6], sa.Column('id', sa.Integer(), primary_key=True))"
    write(shop, "aa03", up, "op.drop_table('t_' + __file__[-6])", down="aa02")
    done = shop.run("squash", "--app", "shop", "--to", "aa03", *APPS)
    assert done.code == 1
    assert "leaves another database" in done.err
    assert not list(shop.path.rglob("*squashed*"))


def test_a_second_squash_waits_for_the_first(shop: Project) -> None:
    squashed(shop)
    again = shop.run("squash", "--app", "shop", "--to", "aa04", *APPS)
    assert again.code == 1
    assert "holds the files that an earlier squash replaced" in again.err
    shutil.rmtree(shop.path / "shop" / "migrations" / "versions" / "squashed")
    assert shop.run("squash", "--app", "shop", "--to", "aa04", *APPS).code == 0
    assert shop.run("run", *APPS, "--json").json["revisions"] == ["aa04"]
