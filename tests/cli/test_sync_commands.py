"""sync, plan and verify as a person or a pipeline runs them, on real SQLite files."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from tests.cli._program import BASE, WITH_NOTE, Project


def test_sync_creates_then_says_up_to_date(project: Project) -> None:
    first = project.run("sync")
    assert first.code == 0
    assert "SAFE  customer  new table" in first.out
    assert "1 change applied in 1 step" in first.out
    assert first.err == "Database sqlite:///dev.db (the default: no database was named)\n"
    assert "customer" in project.tables()
    second = project.run("sync")
    assert second.code == 0
    assert second.out.startswith("Up to date: ")


def test_what_is_withheld_is_listed_by_every_sync_and_the_rest_applied(drifted: Project) -> None:
    for _ in range(2):
        done = drifted.run("sync")
        assert done.code == 0
        withheld = done.out.split("Withheld: sync leaves these alone")[1]
        assert "WARNING   customer  new column code INTEGER NOT NULL" in withheld
        assert "BREAKING  old       table without a model" in withheld
        assert re.search(r'm-migrate create (--\S+ \S+ )*"MESSAGE" --app APP', withheld)
        assert re.search(r"m-migrate sync (--\S+ \S+ )*--allow-drop", withheld)
    assert drifted.columns("customer") == ["id", "title", "note"]
    assert drifted.query("SELECT * FROM old") == [(1,)]


def test_a_dry_run_changes_nothing(drifted: Project) -> None:
    before = drifted.file.read_bytes()
    done = drifted.run("sync", "--dry-run")
    assert done.code == 0
    assert "Nothing was changed: this was a dry run." in done.out
    assert "SAFE  customer  new column note TEXT" in done.out
    assert drifted.file.read_bytes() == before


def test_sql_alone_can_be_pasted_and_does_what_sync_does(drifted: Project) -> None:
    before = drifted.file.read_bytes()
    done = drifted.run("sync", "--sql")
    assert done.code == 0
    assert drifted.file.read_bytes() == before
    code = [row for row in done.out.splitlines() if not row.startswith("--")]
    assert code == ["ALTER TABLE customer ADD COLUMN note TEXT;"]
    assert "-- Withheld (BREAKING): old" in done.out
    with closing(sqlite3.connect(drifted.file)) as connection:
        connection.executescript(done.out)
    assert drifted.columns("customer") == ["id", "title", "note"]
    assert drifted.query("SELECT * FROM old") == [(1,)]


def test_sql_of_nothing_is_nothing(project: Project) -> None:
    project.run("sync")
    done = project.run("sync", "--sql")
    assert (done.code, done.out) == (0, "")


def test_plan_shows_risks_reasons_locks_and_sql_and_changes_nothing(drifted: Project) -> None:
    before = drifted.file.read_bytes()
    done = drifted.run("plan")
    assert done.code == 0
    for expected in ("SAFE", "WARNING", "BREAKING", "Step 1 of 1: one transaction; locks", "ADD COLUMN note TEXT;"):
        assert expected in done.out
    assert drifted.file.read_bytes() == before


def test_plan_shows_what_an_edited_definition_becomes_and_verbosely_the_statements(project: Project) -> None:
    assert project.run("sync").code == 0
    project.query("INSERT INTO customer (id, title) VALUES (1, 'a')")
    changed = BASE.replace("sa.String(50)", "sa.Enum('a', 'b(', native_enum=False, length=60)")
    project.models(changed + 'customer.append_constraint(sa.CheckConstraint("id > 0", name="above"))\n')
    shown = project.run("plan").out
    assert [line.strip() for line in shown.partition("Definition of customer")[2].splitlines()[1:8]] == [
        "CREATE TABLE customer (",
        "id INTEGER NOT NULL",
        "-   title VARCHAR(50)",
        "+   title VARCHAR(60)",
        "PRIMARY KEY (id)",
        '+   CONSTRAINT "above" CHECK (id > 0)',
        ")",
    ]
    assert "PRAGMA" not in shown
    verbose = project.run("plan", "-v").out
    assert "PRAGMA writable_schema" in verbose
    assert "Definition of" not in verbose


def test_force_notices_nothing_new_on_an_unchanged_database(project: Project) -> None:
    project.run("sync")
    assert project.run("plan", "--force", "--json").json["empty"] is True
    assert project.run("sync", "--force", "--json").json["plan"]["changes"] == []


def test_verify_judges_by_the_risk_asked_for(drifted: Project) -> None:
    assert drifted.run("verify").code == 3
    drifted.run("sync", "--allow-drop", "--yes")
    assert drifted.run("verify").code == 0
    assert drifted.run("verify", "--fail-on", "breaking").code == 0
    assert drifted.run("verify", "--fail-on", "warning").code == 3
    strict = drifted.run("verify", "--strict")
    assert strict.code == 3
    assert strict.out.startswith("DIRTY: ")


def test_verify_of_a_difference_that_sync_would_mend(project: Project) -> None:
    project.run("sync")
    clean = project.run("verify", "--strict")
    assert (clean.code, clean.out) == (0, "CLEAN: database, models and revisions agree.\n")
    project.models(WITH_NOTE)
    assert project.run("verify").code == 0
    assert project.run("verify", "--fail-on", "safe").code == 3


def test_verify_finds_a_table_that_nobody_manages(project: Project) -> None:
    project.run("sync")
    project.query("CREATE TABLE by_hand (id INTEGER)")
    done = project.run("verify")
    assert done.code == 3
    assert "unmanaged-table" in done.out
    assert "by_hand" in done.out


def test_allow_drop_in_a_pipe_lists_before_it_drops(drifted: Project) -> None:
    done = drifted.run("sync", "--allow-drop", "--yes")
    assert done.code == 0
    listed, rest = done.out.split("Applied\n")
    assert "To be dropped" in listed
    assert "BREAKING  old    table without a model" in listed
    assert "DROP TABLE" in rest.split("Dropped\n")[1]
    assert "BREAKING" not in rest
    assert "old" not in drifted.tables()
    assert drifted.query("SELECT title FROM customer") == [("first",)]


def test_allow_drop_leaves_alone_what_is_not_ours(drifted: Project) -> None:
    drifted.query("CREATE TABLE by_hand (id INTEGER)")
    drifted.run("sync", "--allow-drop", "--yes")
    assert "by_hand" in drifted.tables()


def test_allow_drop_under_json_and_quiet_lists_on_stderr(drifted: Project) -> None:
    quiet = drifted.run("sync", "--allow-drop", "--dry-run", "--quiet")
    assert (quiet.out, "old" in drifted.tables()) == ("", True)
    done = drifted.run("sync", "--allow-drop", "--yes", "--json")
    assert any("DROP TABLE" in statement for statement in done.json["dropped"])
    assert done.json["withheld"] == 1
    assert "To be dropped" in done.err


@pytest.mark.slow
def test_on_a_terminal_a_drop_is_asked_for(drifted: Project) -> None:
    declined = drifted.run_on_terminal("sync", "--allow-drop", typed="n\n")
    assert declined.code == 1
    assert "Drop these? [y/N]" in declined.out
    assert "M105" in declined.out
    assert "old" in drifted.tables()
    assert drifted.columns("customer") == ["id", "title"]
    accepted = drifted.run_on_terminal("sync", "--allow-drop", typed="y\n")
    assert accepted.code == 0
    assert "old" not in drifted.tables()


@pytest.mark.slow
def test_yes_answers_beforehand(drifted: Project) -> None:
    done = drifted.run_on_terminal("sync", "--allow-drop", "--yes")
    assert done.code == 0
    assert "[y/N]" not in done.out
    assert "To be dropped" in done.out
    assert "old" not in drifted.tables()


def test_all_runs_both_tracks_and_lists_drops_after_the_revisions(apps: Project) -> None:
    names = ("--apps", "shop,stock")
    done = apps.run("all", *names)
    assert done.code == 0
    assert done.out.index("Versioned track") < done.out.index("aa01") < done.out.index("Declarative track")
    assert {"customer", "t_aa01", "t_aa02", "t_bb01"} <= apps.tables()
    apps.models(BASE.replace('"customer", metadata', '"client", metadata'))
    refused = apps.run("all", *names, "--allow-drop")
    assert (refused.code, "customer" in apps.tables()) == (2, True)
    assert "M104" in refused.err
    assert "--yes" in refused.err
    dropping = apps.run("all", *names, "--allow-drop", "--yes", "--json")
    assert dropping.code == 0
    assert dropping.json["run"]["revisions"] == []
    assert "customer" not in apps.tables()
    assert {"client", "t_aa01"} <= apps.tables()
    assert apps.run("all", *names).out.count("Up to date") == 1
