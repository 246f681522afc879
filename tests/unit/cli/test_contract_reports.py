"""What run, create, status and verify say of online changes between their halves."""

from __future__ import annotations

from framework_m_migrations.cli.document import render_plain
from framework_m_migrations.cli.reports import declarative as d
from framework_m_migrations.cli.reports import versioned as v
from framework_m_migrations.cli.reports.state import status_report
from framework_m_migrations.domain.changes import ColumnRemoved
from framework_m_migrations.domain.plan import Plan, PlannedChange
from framework_m_migrations.domain.results import (
    AppStatus,
    CreateResult,
    Finding,
    PlanResult,
    RenderedChange,
    RunResult,
    StatusResult,
    SyncResult,
    VerifyResult,
)
from framework_m_migrations.domain.risk.rules import Knowledge, judge
from tests.unit.cli._made import CUSTOMER, NOTE

COMMAND = "m-migrate run --contract"


def test_run_names_what_it_held_back_and_how_to_go_on() -> None:
    for result in (RunResult(("a1",), held=("a2", "a3")), RunResult((), held=("a2", "a3"))):
        text = render_plain(v.run_report(result))
        assert "2 revisions held back: a2, a3." in text
        assert COMMAND in text
        assert result.to_dict()["held"] == ["a2", "a3"]
        assert "No revision is pending" not in text


def test_run_and_sync_name_what_they_recorded() -> None:
    words = "2 revisions recorded without being run: a1, a2. The database is new to the app"
    ran = (RunResult((), recorded=("a1", "a2")), RunResult(("b1",), recorded=("a1", "a2")))
    for result in ran:
        text = render_plain(v.run_report(result))
        assert words in text
        assert ("b1" in text) == bool(result.revisions)
        assert "No revision is pending" not in text
        assert result.to_dict()["recorded"] == ["a1", "a2"]
    synced = SyncResult(PlanResult(Plan(), (), ()), applied=True, recorded=("a1", "a2"))
    assert words in render_plain(d.sync_report(synced))
    assert synced.to_dict()["recorded"] == ["a1", "a2"]


def test_create_names_both_halves() -> None:
    second = CreateResult("shop", "b2", "/apps/b2.py", "second text")
    result = CreateResult("shop", "b1", "/apps/b1.py", "first text", contract=second)
    text = render_plain(v.create_report(result, dry_run=False))
    assert text.index("/apps/b1.py") < text.index("/apps/b2.py") < text.index(COMMAND)
    shown = render_plain(v.create_report(result, dry_run=True))
    assert "first text" in shown
    assert "second text" in shown
    assert result.to_dict()["contract"]["revision"] == "b2"


def test_a_due_contract_step_is_shown_and_leaves_the_release_ready() -> None:
    app = AppStatus("shop", None, ("a1",), ("a2",), ("a2",))
    due = StatusResult((app,), (), "current", 1, 1, Plan(), None, contract_due=("a2",))
    assert due.ready
    assert due.to_dict()["contract_due"] == ["a2"]
    text = render_plain(status_report(due))
    assert COMMAND in text
    assert "READY" in text
    behind = StatusResult((AppStatus("shop", None, ("a1",), ("a3",), ("a2", "a3")),), (), "current", 1, 1, Plan(), None,
                          contract_due=("a2",))  # fmt: skip
    assert not behind.ready
    findings = (Finding("contract-due", "Revision a2", dirty=False),)
    assert COMMAND in render_plain(d.verify_report(VerifyResult(findings, PlanResult(Plan()))))


def test_a_superseded_column_is_no_drop_on_offer() -> None:
    change = ColumnRemoved(CUSTOMER, NOTE, owned=True, superseded_by="remark")
    planned = PlannedChange("Customer", "shop", change, judge(change, Knowledge()))
    result = PlanResult(Plan((planned,)), (RenderedChange(planned, ()),))
    text = render_plain(d.sync_report(SyncResult(result, applied=True, up_to_date=False)))
    assert COMMAND in text
    assert "--allow-drop" not in text
    assert d.drops_of_plan(result) == ()
