"""create and prove at the command line: what they print, store and answer."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli._program import BASE, Project

APPS = ("--apps", "shop")
ONE_WAY = '''
"""one way"""
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "aa01", None, ("shop",), None
def upgrade():
    {}
def downgrade():
    raise NotImplementedError("the data is gone")
'''


def revision(project: Project, upgrade: str = 'op.execute("SELECT 1")') -> Path:
    project.app("shop")
    file = project.path / "shop" / "migrations" / "versions" / "aa01.py"
    file.write_text(ONE_WAY.format(upgrade), encoding="utf-8")
    return file


def test_create_prints_and_stores_the_proof(project: Project) -> None:
    project.app("shop")
    done = project.run("create", "first", "--app", "shop", *APPS)
    assert done.code == 0, done.err
    assert "Proof of revision" in done.out
    assert "proved: forwards, backwards, forwards." in done.out
    (file,) = (project.path / "shop" / "migrations" / "versions").glob("*_first.py")
    assert "\nProof: proved on SQLite 3." in file.read_text(encoding="utf-8")
    shown = project.run("lint", "--json", "--no-squawk", *APPS).json
    assert [(one["current"], one["text"].partition(" on ")[0]) for one in shown["proofs"]] == [(True, "proved")]
    file.write_text(file.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    stale = project.run("lint", "--no-squawk", *APPS)
    assert "The code has changed since: prove it again." in stale.out


def test_create_under_json_and_without_a_proof(project: Project) -> None:
    project.app("shop")
    assert project.run("create", "first", "--app", "shop", "--dry-run", "--json", *APPS).json["proof"] is None
    without = project.run("create", "first", "--app", "shop", "--no-prove", "--json", *APPS).json
    assert without["proof"] is None
    (file,) = (project.path / "shop" / "migrations" / "versions").glob("*_first.py")
    assert "Proof" not in file.read_text(encoding="utf-8")
    file.unlink()
    proof = project.run("create", "first", "--app", "shop", "--json", *APPS).json["proof"]
    assert (proof["outcome"], proof["stored"], proof["revision"]) == ("proved", True, without["revision"])


def test_prove_a_revision_that_somebody_wrote(project: Project) -> None:
    file = revision(project)
    done = project.run("prove", "aa01", *APPS)
    assert done.code == 0, done.err
    assert "cannot go back because NotImplementedError: the data is gone." in done.out
    assert "cannot go back because NotImplementedError: the data is gone." in file.read_text(encoding="utf-8")
    assert project.tables() == set()


def test_a_revision_that_fails_has_exit_code_3(project: Project) -> None:
    revision(project, 'op.execute("SELECT * FROM nowhere")')
    done = project.run("prove", "--json", "--no-store", *APPS)
    assert done.code == 3
    assert done.json["failed"] is True
    (proof,) = done.json["proofs"]
    assert (proof["outcome"], proof["stored"]) == ("failed", False)
    assert "no such table: nowhere" in proof["sentence"]


def test_nothing_pending_says_what_to_name(project: Project) -> None:
    project.app("shop")
    done = project.run("prove", *APPS)
    assert done.code == 0, done.err
    assert re.search(r"m-migrate prove (--\S+ \S+ )*REVISION", done.out)


def test_a_value_that_only_a_person_knows_is_asked_for(project: Project) -> None:
    project.app("shop")
    assert project.run("sync", "--quiet").code == 0
    project.models(BASE + 'customer.append_column(sa.Column("code", sa.Integer, nullable=False))\n')
    done = project.run("create", "code", "--app", "shop", *APPS)
    assert done.code == 0, done.err
    assert "not tried: rows that exist need a value, for which the file leaves a place." in done.out
    assert "Write the value there, then run `m-migrate prove" in done.out
