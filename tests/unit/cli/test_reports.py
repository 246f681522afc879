"""What commands say: nothing withheld is left out, every withheld change has its command, SQL is ready to paste."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from framework_m_migrations.cli.document import render_plain
from framework_m_migrations.cli.reports import declarative as d
from framework_m_migrations.cli.reports import versioned as v
from framework_m_migrations.cli.reports.shared import SHOWN_ROWS
from framework_m_migrations.cli.reports.state import status_report
from framework_m_migrations.domain.changes import TableRemoved
from framework_m_migrations.domain.plan import Plan, Risk
from framework_m_migrations.domain.results import (
    AllResult,
    AppStatus,
    CreateResult,
    Finding,
    HistoryResult,
    InitResult,
    PlanResult,
    RepairResult,
    RunResult,
    StatusResult,
    VerifyResult,
)
from framework_m_migrations.domain.revisions import Revision
from framework_m_migrations.domain.schema import TableName
from tests.unit.cli._made import ADD_SQL, DROP_SQL, a_plan, a_sync, added, ghost, narrowed

NOTHING = PlanResult(Plan())


def test_sync_shows_what_was_applied_and_apart_what_was_withheld_with_its_command() -> None:
    text = render_plain(d.sync_report(a_sync()))
    applied, withheld = text.split("Withheld: sync leaves these alone")
    assert applied.startswith("Applied\n")
    assert "SAFE  customer  new column note TEXT  A nullable column." in applied
    assert "title" not in applied
    assert 'm-migrate create "MESSAGE" --app shop' in withheld
    assert "m-migrate sync --allow-drop" in withheld
    assert "1 change applied in 1 step, 2 withheld (1.23 s)." in withheld


def test_a_dry_run_says_so() -> None:
    text = render_plain(d.sync_report(a_sync(applied=False, steps=0)))
    assert text.startswith("To be applied\n")
    assert "1 change to be applied, 2 withheld" in text
    assert "Nothing was changed: this was a dry run." in text
    assert "Applied\n" not in text


def test_nothing_to_do_is_one_line() -> None:
    result = a_sync(plan=NOTHING, up_to_date=True, steps=0, seconds=0.05)
    assert render_plain(d.sync_report(result)) == f"{d.UP_TO_DATE} (0.05 s)\n"


def test_only_withheld_changes_are_not_called_up_to_date() -> None:
    text = render_plain(d.sync_report(a_sync(plan=a_plan(narrowed()), steps=0)))
    assert d.UP_TO_DATE not in text
    assert "Nothing to apply, 1 withheld" in text


def test_what_was_dropped_is_listed_and_no_longer_withheld() -> None:
    plan = a_plan()
    *rest, dropped = plan.plan.withheld
    after = replace(plan.plan, changes=tuple(rest))
    result = a_sync(plan=plan, dropped=(DROP_SQL,), removed=(dropped,), after=after)
    assert dropped in result.made
    assert [planned.change.table.name for planned in result.withheld] == ["customer"]
    assert result.to_dict()["withheld"] == 1
    text = render_plain(d.sync_report(result))
    assert f"Dropped\n  {DROP_SQL};" in text
    assert "--allow-drop" not in text


def test_a_drop_that_was_refused_stays_withheld() -> None:
    result = a_sync(dropped=("DROP TABLE another",))
    assert len(result.withheld) == 2
    assert "old_thing" in render_plain(d.sync_report(result)).split("Withheld")[1]


def test_a_long_list_is_cut_but_says_so_and_verbose_shows_all() -> None:
    result = a_sync(plan=a_plan(*(added(f"c{number}") for number in range(SHOWN_ROWS + 5))))
    short, long = (render_plain(d.sync_report(result, verbose=verbose)) for verbose in (False, True))
    assert "and 5 more changes; -v lists all of them" in short
    assert "c44" not in short
    assert "c44" in long
    assert f"{SHOWN_ROWS + 5} changes applied" in short


def test_withheld_changes_are_never_cut() -> None:
    result = a_sync(plan=a_plan(*(narrowed() for _ in range(SHOWN_ROWS + 5))))
    assert render_plain(d.sync_report(result)).count("WARNING") == SHOWN_ROWS + 5


def test_plan_shows_locks_hazards_and_sql_and_that_of_what_is_withheld() -> None:
    text = render_plain(d.plan_report(a_plan()))
    assert "Step 1 of 1: one transaction; locks ACCESS EXCLUSIVE on customer" in text
    assert "Note: The table is large." in text
    assert f"    {ADD_SQL};\n" in text
    assert f"    {DROP_SQL};\n" in text.split("SQL of withheld changes, for reference")[1]
    assert "1 change to be applied in 1 step, 2 withheld." in text


def test_plan_names_tables_that_nobody_manages() -> None:
    result = PlanResult(Plan(unmanaged=(TableName("legacy"), TableName("t", "other"))))
    assert "legacy, other.t" in render_plain(d.plan_report(result))


def test_sql_can_be_pasted_and_names_what_is_withheld_in_comments() -> None:
    text = d.plan_sql(a_plan())
    assert text.startswith(f"{ADD_SQL};\n")
    assert DROP_SQL not in text
    assert "-- Withheld (BREAKING): old_thing: table without a model. Handled by: m-migrate sync --allow-drop" in text
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE customer (id INTEGER)")
    database.executescript(text)
    assert [row[1] for row in database.execute("PRAGMA table_info(customer)")] == ["id", "note"]
    database.close()


def test_a_name_cannot_break_out_of_a_comment() -> None:
    planned = replace(ghost(), change=TableRemoved(TableName("x\nDROP TABLE customer; --"), owned=True))
    rows = d.plan_sql(a_plan(planned)).splitlines()
    assert len(rows) == 1
    assert rows[0].startswith("-- Withheld")


def test_what_needs_no_transaction_is_marked_in_the_sql() -> None:
    assert d.plan_sql(a_plan(added(), transactional=False)).splitlines()[0] == (
        "-- The next one must run outside a transaction."
    )


def test_statements_get_one_semicolon() -> None:
    plan = a_plan(added())
    result = PlanResult(plan.plan, plan.changes, (("SELECT 1 ;  ", "SELECT 2\n"),))
    assert d.plan_sql(result) == "SELECT 1 ;\nSELECT 2;\n"


def test_the_list_of_drops_holds_what_sync_may_drop_only() -> None:
    drops = d.drops_of_plan(a_plan(added(), narrowed(), ghost(), ghost("manual")))
    assert [planned.judgement.handled_by for planned in drops] == ["sync --allow-drop"]
    assert "old_thing" in render_plain(d.drops_report(drops))


FAILS = Finding("pending-revision", "Revision a1 of shop is not applied", dirty=True)
NOTED = Finding("change", "customer: new column note", dirty=False, risk=Risk.SAFE)


@pytest.mark.parametrize(
    ("findings", "first"),
    [
        ((), "CLEAN: database, models and revisions agree."),
        ((NOTED,), "CLEAN: 1 finding, none that fails."),
        ((FAILS, NOTED), "DIRTY: 1 finding (1 more finding below)"),
        ((FAILS,), "DIRTY: 1 finding"),
    ],
)
def test_the_verdict_comes_first(findings: tuple[Finding, ...], first: str) -> None:
    text = render_plain(d.verify_report(VerifyResult(findings, NOTHING)))
    assert text.splitlines()[0] == first
    for finding in findings:
        assert finding.what in text


def test_verify_says_what_to_do_next() -> None:
    text = render_plain(d.verify_report(VerifyResult((FAILS, NOTED), NOTHING)))
    assert "m-migrate run" in text.split("Next")[1]
    assert "m-migrate plan" in text.split("Next")[1]
    assert "merge" not in text.split("Next")[1]


def test_run_and_rollback_name_revisions_in_order() -> None:
    up = render_plain(v.run_report(RunResult(("a1", "b2"), "upgrade", ("b2",), 0.5)))
    assert up.index("a1") < up.index("b2")
    assert "2 revisions applied (0.50 s). The database is at b2." in up
    down = render_plain(v.run_report(RunResult(("b2",), "downgrade")))
    assert "1 revision rolled back (0.00 s). The database is at no revision." in down
    assert "No revision is pending." in render_plain(v.run_report(RunResult(())))
    assert "Nothing to roll back." in render_plain(v.run_report(RunResult((), "downgrade")))


def test_all_shows_both_tracks() -> None:
    text = render_plain(v.all_report(AllResult(RunResult(("a1",)), a_sync())))
    assert text.index("Versioned track") < text.index("a1") < text.index("Declarative track") < text.index("Applied\n")


def test_history_marks_what_is_applied() -> None:
    revisions = ((Revision("a1", "shop", message="first"), True), (Revision("b2", "stock", ("a1",), ("c3",)), False))
    text = render_plain(v.history_report(HistoryResult(revisions)))
    assert "applied  shop   a1" in text
    assert "pending  stock  b2" in text
    assert "2 revisions, 1 pending." in text
    assert "m-migrate create" in render_plain(v.history_report(HistoryResult(())))


def test_create_shows_path_review_and_what_was_left_out() -> None:
    result = CreateResult("shop", "a1", "shop/migrations/a1.py", "text = 1", ("check the backfill",), ("not ours",))
    text = render_plain(v.create_report(result, dry_run=False))
    assert "Wrote shop/migrations/a1.py (revision a1)" in text
    assert "- check the backfill" in text
    assert "- not ours" in text
    dry = render_plain(v.create_report(CreateResult("shop", "a1", None, "text = 1"), dry_run=True))
    assert "not written" in dry
    assert "text = 1" in dry
    empty = CreateResult("shop", None, None, "", (), ("not ours",))
    nothing = render_plain(v.create_report(empty, dry_run=False))
    assert "Nothing to write" in nothing
    assert "- not ours" in nothing


def test_stamp_and_repair_say_what_they_do() -> None:
    assert "stamp will\n  - add a1" in render_plain(v.actions_report("stamp", ("add a1",)))
    assert render_plain(v.actions_report("stamp", ())) == "Nothing to change.\n"
    done = RepairResult("stamp", ("add a1",), applied=True)
    assert render_plain(v.repair_report(done, ("add a1",))) == "stamp: 1 change made.\n"
    assert "- add a1" in render_plain(v.repair_report(done, ("add b2",)))
    assert "Nothing to change" in render_plain(v.repair_report(RepairResult("repair", (), applied=False), ()))


def test_init_lists_its_files() -> None:
    assert "  alembic.ini\n" in render_plain(v.init_report(InitResult(("alembic.ini",))))
    assert "left as they are" in render_plain(v.init_report(InitResult(())))


def a_status(**fields: object) -> StatusResult:
    made: dict[str, object] = {
        "apps": (
            AppStatus("shop", "shop/migrations", ("a1",), ("a2",), ("a2",)),
            AppStatus("crm", None, (), (), ()),
            AppStatus("stock", "stock/migrations", ("s1",), ("s1",), ()),
            AppStatus("split", "x", (), ("h1", "h2"), ()),
        ),
        "unknown": (),
        "ledger": "current",
        "doctypes": 12,
        "matching": 11,
        "plan": a_plan(added()).plan,
        "lock_holder": None,
        "database": "sqlite:///dev.db",
    }
    return StatusResult(**(made | fields))  # type: ignore[arg-type]


def test_status_shows_both_tracks_in_one_picture() -> None:
    text = render_plain(status_report(a_status()))
    for expected in (
        "sqlite:///dev.db",
        "1 pending",
        "no revisions",
        "up to date",
        "2 heads",
        "11 of 12 match",
        "free",
    ):
        assert expected in text
    assert "NOT READY" in text
    assert "m-migrate all" in text


def test_status_is_ready_when_nothing_breaks() -> None:
    text = render_plain(status_report(a_status(apps=(), matching=12, plan=Plan())))
    assert "READY: database, models and revisions agree." in text
    assert "NOT READY" not in text
    assert "Next" not in text


def test_status_and_verify_name_what_was_cut_off() -> None:
    result = a_status(unfinished=("a1",), apps=(), plan=Plan())
    text = render_plain(status_report(result))
    assert "Cut off in the middle: a1." in text
    assert "NOT READY" in text
    assert "Next: m-migrate run: see what was sent" in text
    assert result.to_dict()["unfinished_revisions"] == ["a1"]
    assert result.ready_for(tolerant=True), "an old release goes on serving"
    judged = VerifyResult((Finding("unfinished-revision", "Revision a1 was cut off", dirty=True),), NOTHING)
    assert "m-migrate run: what the revision that was cut off has sent" in render_plain(d.verify_report(judged))


def test_status_names_a_holder_and_unknown_revisions() -> None:
    text = render_plain(status_report(a_status(unknown=("zz",), lock_holder="pid 7 on web-1")))
    assert "held by pid 7 on web-1" in text
    assert "The database is at zz, which no installed app has." in text
