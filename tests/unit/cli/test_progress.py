"""Progress is told on stderr, and its failures stop nothing."""

from __future__ import annotations

import io

import pytest

from framework_m_migrations.cli import progress as module
from framework_m_migrations.cli.output import Output
from framework_m_migrations.cli.progress import ProgressSink
from framework_m_migrations.domain import events as e
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.describe import step_label
from framework_m_migrations.domain.plan import Plan, Step
from framework_m_migrations.domain.schema import EnumType, TableName
from scripts.waiting import wait_until
from tests.unit.cli._made import CUSTOMER, ESCAPE, NOTE, Terminal, an_output

STEP = Step(operations=(o.AddColumn(CUSTOMER, NOTE),))
ALL_EVENTS: tuple[e.Event, ...] = (
    e.PlanMade(Plan()),
    e.HookStarted("shop", "before_sync"),
    e.StepStarted(1, 2, STEP),
    e.StepRetried(1, 1, 0.25, "Locked by pid 7."),
    e.StatementRetried(2, 0.25, "Locked by pid 8."),
    e.RevisionRetried("a1", 3, 0.25, "Locked by pid 9."),
    e.BackfillMoved("customer", 2000, 1500, 3000),
    e.BackfillMoved("customer", 2000, 1500, None),
    e.StepFinished(1, 2, STEP),
    e.RevisionStarted("a1", "shop", "upgrade"),
    e.RevisionFinished("a1", "shop", "upgrade"),
    e.WaitingForLock("pid 7"),
    e.WaitingForLock(None),
    e.LockAwaited(2.0, ("process 7 (psql), idle in transaction",)),
    e.LockAwaited(4.0, ()),
)


def told(**modes: bool) -> str:
    output, out, err = an_output(**modes)
    with ProgressSink(output) as sink:
        for event in ALL_EVENTS:
            sink.emit(event)
    assert out.getvalue() == ""
    return err.getvalue()


def test_a_log_learns_what_it_waits_for_and_nothing_more() -> None:
    text = told()
    assert "Waiting for another migrator: pid 7." in text
    assert "Step 1, try 1: Locked by pid 7. Trying again in 0.2 s." in text
    assert "Try 2: Locked by pid 8. Trying again in 0.2 s." in text
    assert "Try 3: Locked by pid 9. Trying again in 0.2 s." in text
    assert "Revision" not in text
    assert "add column" not in text


def test_verbose_tells_every_event() -> None:
    text = told(verbose=True)
    for expected in (
        "Plan: 0 to apply",
        "Hook before_sync of shop",
        "Step 1 of 2: add column customer.note",
        "Revision a1 of shop: upgrade ...",
        "Revision a1 of shop: upgrade done",
        "Backfill of customer: 2,000 rows gone through, 1,500 changed, about 3,000 to go",
    ):
        assert expected in text


def test_a_log_hears_of_long_work_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)
    output, _, err = an_output()
    with ProgressSink(output) as sink:
        sink.emit(e.StepStarted(1, 2, STEP))
        sink.emit(e.BackfillMoved("customer", 2000, 1500, 3000))
        wait_until(
            lambda: err.getvalue().count("At work for") >= 2, what="two lines of the heartbeat", seen=err.getvalue
        )
    assert "step 1 of 2: add column customer.note: 2,000 rows, about 3,000 to go" in err.getvalue()


def test_quiet_tells_nothing() -> None:
    assert told(quiet=True) == ""
    assert told(quiet=True, verbose=True) == ""


def test_labels_are_short() -> None:
    enum = EnumType(TableName("colour"), ("red",))
    operations = (o.CreateEnum(enum), o.AddEnumValue(enum.name, "blue"), *(o.AddColumn(CUSTOMER, NOTE),) * 3)
    assert (
        step_label(Step(operations))
        == "create enum colour, add enum value blue to colour, add column customer.note and 2 more"
    )


def test_a_bar_appears_on_a_terminal_only_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    # On a busy machine these few events can take longer than the half second that users are spared.
    monkeypatch.setattr(module, "PATIENCE", 3600.0)
    assert "add column" not in told(terminal=True)
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    text = told(terminal=True)
    assert "add column customer.note" in text
    assert "Waiting for another migrator" in text
    assert ESCAPE in text
    assert ESCAPE not in told()


class Gone(Terminal):
    def write(self, text: str) -> int:
        raise OSError("the terminal has gone")


def test_a_terminal_that_has_gone_stops_nothing() -> None:
    output = Output(verbose=True, stdin=io.StringIO(), stdout=io.StringIO(), stderr=Gone())
    with ProgressSink(output) as sink:
        for event in ALL_EVENTS:
            sink.emit(event)
