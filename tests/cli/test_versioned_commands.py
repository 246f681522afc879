"""run, rollback, history, create, stamp, repair, init and status on real SQLite files."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.cli._program import Project

pytestmark = pytest.mark.slow

APPS = ("--apps", "shop", "--apps", "stock")


def test_run_applies_in_order_and_twice_is_nothing(apps: Project) -> None:
    done = apps.run("run", *APPS)
    assert done.code == 0
    assert [row.split() for row in done.out.splitlines()[1:5]] == [
        ["APP", "REVISION"],
        ["shop", "aa01"],
        ["shop", "aa02"],
        ["stock", "bb01"],
    ]
    assert {"t_aa01", "t_aa02", "t_bb01"} <= apps.tables()
    again = apps.run("run", *APPS)
    assert again.code == 0
    assert again.out.startswith("No revision is pending.")


def test_run_up_to_a_revision_or_of_one_app(apps: Project) -> None:
    assert apps.run("run", *APPS, "--revision", "aa01", "--json").json["revisions"] == ["aa01"]
    assert apps.run("run", *APPS, "--revision", "stock", "--json").json["revisions"] == ["bb01"]


def test_rollback_by_steps_by_app_and_to_a_revision(apps: Project) -> None:
    apps.run("run", *APPS)
    assert apps.run("rollback", *APPS, "--json").json["revisions"] == ["bb01"]
    apps.run("run", *APPS)
    assert apps.run("rollback", *APPS, "--app", "shop", "--json").json["revisions"] == ["aa02"]
    done = apps.run("rollback", *APPS, "--steps", "2")
    assert done.code == 0
    assert "2 revisions rolled back" in done.out
    apps.run("run", *APPS)
    assert apps.run("rollback", *APPS, "--to", "aa01", "--json").json["revisions"] == ["aa02"]
    refused = apps.run("rollback", *APPS, "--app", "shop", "--to", "base")
    assert refused.code == 1
    assert "M507" in refused.err
    assert "t_aa01" in apps.tables()


def test_history_of_all_and_of_one_app(apps: Project) -> None:
    apps.run("run", *APPS, "--revision", "aa01")
    done = apps.run("history", *APPS)
    assert done.code == 0
    assert "applied  shop   aa01      -        -           first" in done.out
    assert "3 revisions, 2 pending." in done.out
    one = apps.run("history", *APPS, "--app", "stock", "--json").json["revisions"]
    assert [revision["id"] for revision in one] == ["bb01"]
    assert one[0]["depends_on"] == ["aa01"]


def test_create_writes_into_the_apps_folder_and_run_applies_it(apps: Project) -> None:
    apps.run("run", *APPS)
    made = apps.run("create", "add customers", "--app", "stock", "--depends-on", "aa02", "--no-autogenerate", *APPS)
    assert made.code == 0
    [path] = (apps.path / "stock" / "migrations" / "versions").glob("*customers*.py")
    text = path.read_text(encoding="utf-8")
    assert "add customers" in text
    assert "aa02" in text
    assert path.name in made.out
    assert apps.run("run", *APPS, "--json").json["revisions"] == [path.stem.split("_")[0]]


def test_create_only_shown_writes_nothing(apps: Project) -> None:
    apps.run("run", *APPS)
    before = sorted(apps.path.rglob("*.py"))
    alone = ("--apps", "shop")  # The only app needs no --app.
    assert "look" in apps.run("create", "look", "--no-autogenerate", "--dry-run", *alone).out
    shown = apps.run("create", "look", "--app", "shop", "--no-autogenerate", "--dry-run", *APPS)
    assert shown.code == 0
    assert "def upgrade()" in shown.out
    document = apps.run("create", "look", "--app", "shop", "--no-autogenerate", "--dry-run", "--json", *APPS).json
    assert document["path"] is None
    assert f'revision = "{document["revision"]}"' in document["text"]
    assert sorted(apps.path.rglob("*.py")) == before


def test_create_from_what_differs(apps: Project) -> None:
    apps.run("run", *APPS)
    made = apps.run("create", "customers", "--app", "shop", "--json", *APPS).json
    text = (apps.path / made["path"]).read_text(encoding="utf-8")
    assert "create_table" in text
    assert "customer" in text
    assert "drop_table" not in text.split("def downgrade")[0]


def test_create_joins_heads(apps: Project) -> None:
    apps.app("shop", {"id": "aa03", "down": "aa01"})
    refused = apps.run("run", *APPS)
    assert refused.code == 1
    assert "M503" in refused.err
    assert apps.run("verify", *APPS).code == 3
    assert apps.run("create", "join", "--app", "shop", "--merge", *APPS).code == 0
    assert apps.run("run", *APPS).code == 0


def test_create_needs_a_message_and_an_app(apps: Project) -> None:
    for arguments in (("create",), ("create", "m"), ("create", " ", "--app", "shop")):
        done = apps.run(*arguments)
        assert (done.code, done.out) == (2, "")
        assert "M103" in done.err


def test_stamp_says_first_what_it_changes_and_needs_consent(apps: Project) -> None:
    looked = apps.run("stamp", "aa02", "--dry-run", *APPS)
    assert looked.code == 0
    assert "- add aa02 to the version table" in looked.out
    refused = apps.run("stamp", "aa02", *APPS)
    assert refused.code == 2
    assert "- add aa02 to the version table" in refused.out
    assert "M104" in refused.err
    assert apps.run("history", *APPS, "--json").json["revisions"][0]["applied"] is False
    done = apps.run("stamp", "aa02", "--yes", *APPS)
    assert done.code == 0
    assert "stamp: 1 change made." in done.out
    assert [row["applied"] for row in apps.run("history", *APPS, "--json").json["revisions"]] == [True, True, False]
    assert "t_aa01" not in apps.tables()
    assert apps.run("stamp", "aa02", "--yes", *APPS).out == "Nothing to change.\n"
    assert apps.run("stamp", "base", "-y", "--json", *APPS).json["applied"] is True
    assert apps.query("SELECT * FROM alembic_version") == []


def test_stamp_refuses_what_makes_no_sense(apps: Project) -> None:
    assert apps.run("stamp", *APPS).code == 2
    assert apps.run("stamp", "base", "aa01", *APPS).code == 2
    unknown = apps.run("stamp", "zz", "--yes", *APPS)
    assert unknown.code == 1
    assert "M502" in unknown.err


@pytest.mark.parametrize(("typed", "code", "applied"), [("y\n", 0, True), ("n\n", 1, False), ("\n", 1, False)])
def test_stamp_asks_on_a_terminal(apps: Project, typed: str, code: int, applied: bool) -> None:
    done = apps.run_on_terminal("stamp", "aa01", *APPS, typed=typed)
    assert done.code == code
    assert done.out.index("add aa01") < done.out.index("Go ahead? [y/N]")
    assert apps.run("history", *APPS, "--json").json["revisions"][0]["applied"] is applied


def test_a_refused_stamp_under_json_says_what_it_would_change(apps: Project) -> None:
    done = apps.run("stamp", "aa01", "--json", *APPS)
    assert done.code == 2
    assert done.json["error"]["code"] == "M104"
    assert done.json["error"]["details"]["actions"] == ["add aa01 to the version table"]


def test_repair_rebuilds_the_ledger_after_asking(project: Project) -> None:
    project.run("sync")
    assert project.run("repair", "--yes").out == "Nothing to change.\n"
    project.query("UPDATE __schema_versions__ SET checksum = 'wrong'")
    looked = project.run("repair", "--dry-run")
    assert (looked.code, "store the checksum of customer" in looked.out) == (0, True)
    assert project.run("repair").code == 2
    assert project.query("SELECT checksum FROM __schema_versions__") == [("wrong",)]
    assert project.run("repair", "--yes").code == 0
    assert project.query("SELECT checksum FROM __schema_versions__") != [("wrong",)]


def test_init_writes_what_the_alembic_command_needs(apps: Project) -> None:
    done = apps.run("init", *APPS)
    assert done.code == 0
    assert (apps.path / "alembic.ini").is_file()
    assert list(apps.path.rglob("env.py"))
    again = apps.run("init", "--json", *APPS)
    assert (again.code, again.json["error"]["code"]) == (2, "M100")
    assert apps.run("run", *APPS).code == 0


def test_status_shows_both_tracks(apps: Project) -> None:
    fresh = apps.run("status", *APPS)
    assert fresh.code == 0
    for expected in ("2 pending", "1 pending", "aa01, aa02", "none yet", "0 of 1 match", "NOT READY", "m-migrate all"):
        assert expected in fresh.out
    assert apps.run("all", *APPS).code == 0
    document = apps.run("status", *APPS, "--json").json
    assert document["apps"][0]["current"] == ["aa02"]
    assert (document["doctypes"], document["matching"]) == (1, 1)
    assert document["lock_holder"] is None
    # What a revision made is in no ledger yet, and what was changed by hand still is.
    apps.query("DELETE FROM __schema_versions__")
    assert apps.run("status", *APPS, "--json").json["matching"] == 1
    apps.run("sync", *APPS)
    apps.query("ALTER TABLE customer DROP COLUMN title")
    changed = apps.run("status", *APPS).out
    assert "0 of 1 match" in changed
    assert "NOT READY" in changed


def test_a_revision_in_the_database_that_no_file_has(apps: Project) -> None:
    apps.run("run", *APPS)
    (apps.path / "stock" / "migrations" / "versions" / "bb01.py").unlink()
    done = apps.run("run", *APPS)
    assert done.code == 1
    assert "M502" in done.err
    assert "bb01" in apps.run("status", *APPS).out
    assert apps.run("verify", *APPS).code == 3


def test_run_by_steps_by_app_and_relative(apps: Project) -> None:
    """As Alembic's users expect: +N, APP@head, APP@+N, REV-N, as an argument or by --revision."""
    assert apps.run("run", *APPS, "--steps", "1", "--json").json["revisions"] == ["aa01"]
    assert apps.run("run", *APPS, "--app", "stock", "--json").json["revisions"] == ["bb01"]
    assert apps.run("rollback", "-1", *APPS, "--json").json["revisions"] == ["bb01"]
    assert apps.run("run", "stock@head", *APPS, "--json").json["revisions"] == ["bb01"]
    assert apps.run("rollback", "stock@base", *APPS, "--json").json["revisions"] == ["bb01"]
    assert apps.run("run", "shop@+1", *APPS, "--json").json["revisions"] == ["aa02"]
    assert apps.run("rollback", "aa02-1", *APPS, "--json").json["revisions"] == ["aa02"]
    assert apps.run("run", "--revision", "aa01+1", *APPS, "--json").json["revisions"] == ["aa02"]
    assert apps.run("rollback", "--to", "shop@-2", *APPS, "--json").json["revisions"] == ["aa02", "aa01"]


def test_wrong_names_of_revisions_say_what_to_do(apps: Project) -> None:
    for arguments, words in (
        (("run", "-1"), "m-migrate rollback"),
        (("rollback", "+1"), "m-migrate run"),
        (("run", "nowhere@head"), "Apps with revisions: shop, stock"),
        (("run", "stock@aa01"), "is of app 'shop', not of 'stock'"),
        (("run", "aa02+1"), "no revision is there"),
        (("show", "heads"), "stands for aa02, bb01"),
    ):
        done = apps.run(*arguments, *APPS)
        assert (done.code, done.out) == (1, ""), arguments
        assert "M502" in done.err
        assert words in done.err
    assert apps.run("run", "--steps", "0", *APPS).code == 2
    assert apps.run("run", "--sql", "--json", *APPS).code == 2


def test_what_would_run_is_listed_and_nothing_is_changed(apps: Project) -> None:
    listed = apps.run("run", "--dry-run", *APPS)
    assert listed.code == 0
    rows = [row.split() for row in listed.out.splitlines()]
    assert ["SAFE", "shop", "aa01", "first", "no", "existing", "table"] in rows
    assert "3 revisions would run." in listed.out
    document = apps.run("run", "--dry-run", "--steps", "2", "--json", *APPS).json
    assert [one["id"] for one in document["revisions"]] == ["aa01", "aa02"]
    assert document["revisions"][0]["sql"][0].startswith("CREATE TABLE t_aa01")
    assert apps.tables() == set()
    apps.run("run", *APPS)
    back = apps.run("rollback", "--dry-run", *APPS, "--json").json
    assert [one["id"] for one in back["revisions"]] == ["bb01"]
    assert back["revisions"][0]["risk"] == "breaking"
    assert back["revisions"][0]["reasons"] == ["Table t_bb01 goes, with its rows."]
    assert "t_bb01" in apps.tables()


def test_the_printed_sql_does_what_run_does(apps: Project) -> None:
    script = apps.run("run", "--sql", *APPS).out
    with closing(sqlite3.connect(apps.path / "other.db")) as other:
        other.executescript(script)
        by_hand = other.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        heads = other.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
    apps.run("run", *APPS)
    made = apps.query("SELECT type, name, sql FROM sqlite_master WHERE tbl_name <> '__schema_log__' ORDER BY name")
    assert by_hand == made
    assert heads == apps.query("SELECT version_num FROM alembic_version ORDER BY 1") == [("aa02",), ("bb01",)]
    back = apps.run("rollback", "--to", "base", "--sql", *APPS).out
    with closing(sqlite3.connect(apps.path / "other.db")) as other:
        other.executescript(back)
        assert other.execute("SELECT name FROM sqlite_master WHERE name LIKE 't\\_%' ESCAPE '\\'").fetchall() == []
        assert other.execute("SELECT * FROM alembic_version").fetchall() == []


def test_show_tells_sql_and_state(apps: Project) -> None:
    shown = apps.run("show", "bb", *APPS)
    assert shown.code == 0
    assert shown.out.startswith("Revision bb01\n  State: pending\n  App: stock\n")
    assert "CREATE TABLE t_bb01" in shown.out
    assert "DROP TABLE t_bb01;" in shown.out
    assert apps.tables() == set()
    apps.run("run", *APPS)
    document = apps.run("show", "shop@head-1", "--json", *APPS).json
    assert (document["id"], document["state"], document["followers"]) == ("aa01", "applied", ["aa02", "bb01"])
    assert document["upgrade"]["sql"][0].startswith("CREATE TABLE t_aa01")


def test_heads_and_current_are_what_alembic_calls_so(apps: Project) -> None:
    names = ("--apps", "shop,stock")
    assert [one["id"] for one in apps.run("heads", *names, "--json").json["revisions"]] == ["aa02", "bb01"]
    assert apps.run("current", *names, "--json").json["revisions"] == []
    apps.run("run", "aa01", *names)
    current = apps.run("current", *names, "--json").json
    assert (current["command"], [one["id"] for one in current["revisions"]]) == ("current", ["aa01"])
    assert [one["id"] for one in apps.run("heads", *names, "--app", "stock", "--json").json["revisions"]] == ["bb01"]
    assert apps.run("branches", *names, "--json").json["revisions"] == []
    apps.app("shop", {"id": "aa03", "down": "aa01"})
    assert [one["id"] for one in apps.run("branches", *names, "--json").json["revisions"]] == ["aa01"]


def test_codes_are_explained(project: Project) -> None:
    error = project.run("explain", "m310")
    assert error.code == 0
    assert error.out.startswith("M310: The database changed between planning and applying")
    rule = project.run("explain", "L302", "--json").json["explanations"]
    assert "A column of the table goes" in rule[0]["meaning"]
    unknown = project.run("explain", "X1")
    assert (unknown.code, "M103" in unknown.err) == (2, True)
