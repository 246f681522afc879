"""What is told while a command works: a bar on a terminal, lines for what one should know in a log."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from framework_m_migrations.cli.document import Document, Span, line
from framework_m_migrations.cli.output import Output, is_terminal
from framework_m_migrations.cli.redaction import hide
from framework_m_migrations.domain import events as e
from framework_m_migrations.domain.describe import step_label

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from framework_m_migrations.domain.results import TenantOutcome

PATIENCE = 0.5
"""Seconds after which a bar appears; most commands are done before."""


HEARTBEAT = 25.0
"""Seconds after which a command without a terminal says that it is still at work; log watchers expect 30."""


def _waits(event: e.WaitingForLock | e.LockAwaited | e.LogUnavailable) -> str:
    """``Waiting for a lock for 2 s: process 4711 (psql), holds item``, as a sentence; or why there is no log."""
    if isinstance(event, e.LogUnavailable):
        return f"Warning: what is done is not logged. {event.reason}"
    if isinstance(event, e.WaitingForLock):
        return f"Waiting for another migrator: {event.holder or 'the database does not say who'}."
    who = "; ".join(event.holders) or "the database does not say who holds it"
    return f"Waiting for a lock for {event.seconds:.0f} s: {who}."


class ProgressSink:
    """An EventSink for one command. Never raises: a closed terminal must not stop a migration half way."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._draws = is_terminal(output.stderr) and not (output.quiet or output.json or output.verbose)
        self._began = time.monotonic()
        self._step_began = self._began
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._deaf = output.quiet
        self._said = self._began
        self._ended = threading.Event()
        self._pulse: threading.Thread | None = None
        self._step: tuple[int, int, str] | None = None
        self.apps: dict[str, str] = {}
        """The app of each revision that was applied or taken back, for the report."""

    def __enter__(self) -> Self:
        if not (self._draws or self._deaf or sys.platform == "emscripten"):
            self._pulse = threading.Thread(target=self._beat, name="m-migrate progress", daemon=True)
            self._pulse.start()
        return self

    def _beat(self) -> None:
        """Say from time to time that the command is at work: a silent log looks like a program that hangs."""
        while not self._ended.wait(max(0.1, self._said + HEARTBEAT - time.monotonic())):
            if time.monotonic() - self._said < HEARTBEAT:
                continue
            elapsed = time.monotonic() - self._began
            at = self._step
            doing = "" if at is None else f", step {at[0] + 1} of {at[1]}: {at[2]}"
            try:
                self._say(f"At work for {elapsed:.0f} s{doing}")
            except (OSError, ValueError):
                self._deaf = True
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._pulse is not None:
            self._pulse.join()
        bar, self._bar = self._bar, None
        if bar is not None:
            try:
                bar.stop()
            except (OSError, ValueError):
                self._deaf = True

    def emit(self, event: e.Event) -> None:
        """Take one event."""
        if isinstance(event, e.RevisionFinished) and event.app is not None:
            self.apps[event.revision] = event.app
        if self._deaf:
            return
        try:
            self._tell(event)
        except (OSError, ValueError):
            self._deaf = True

    def _tell(self, event: e.Event) -> None:
        match event:
            case e.StepStarted(number=number, total=total, step=step):
                self._step_began = time.monotonic()
                self._step = (number - 1, total, step_label(step))
                self._draw(*self._step)
            case e.StepFinished(number=number, total=total, step=step):
                self._step = None
                self._draw(number, total, step_label(step))
                taken = (time.monotonic() - self._step_began) * 1000
                self._detail(f"Step {number} of {total}: {step_label(step)} ({taken:.0f} ms)")
            case e.StepRetried(number=number, attempt=attempt, wait=wait, reason=reason):
                self._say(f"Step {number}, try {attempt}: {reason} Trying again in {wait:.1f} s.")
            case e.StatementRetried() | e.RevisionRetried():
                self._say(f"Try {event.attempt}: {event.reason} Trying again in {event.wait:.1f} s.")
            case e.BackfillMoved():
                self._tell_of_rows(event)
            case e.WaitingForLock() | e.LockAwaited() | e.LogUnavailable():
                self._say(_waits(event))
            case e.RevisionStarted(revision=revision, app=app, direction=direction):
                self._detail(f"Revision {revision} of {app or 'no app'}: {direction} ...")
            case e.RevisionFinished(revision=revision, app=app, direction=direction):
                self._detail(f"Revision {revision} of {app or 'no app'}: {direction} done")
            case e.HookStarted(app=app, phase=phase):
                self._detail(f"Hook {phase} of {app}")
            case e.FleetSurveyed(total=total, settled=settled):
                self._draw(settled, total, "")
                self._detail(f"{settled} of {total} tenants have nothing to do")
            case e.TenantFinished(outcome=outcome, done=done, total=total):
                self._finish_tenant(outcome, done, total)
            case e.TenantEvent(tenant=tenant, event=inner):
                self._tell_of_tenant(tenant, inner)
            case e.DatabaseAbsent() | e.ConnectionRetried():
                self._tell_of_database(event)
            case e.PlanMade(plan=plan):
                self._detail(
                    f"Plan: {len(plan.applied)} to apply, {len(plan.withheld)} withheld, steps: {len(plan.steps)}"
                )

    def _tell_of_database(self, event: e.DatabaseAbsent | e.ConnectionRetried) -> None:
        if isinstance(event, e.DatabaseAbsent):
            self._remark(f"The database file {event.file} does not exist; `sync` or `run` creates it.")
        else:
            self._say(f"{event.reason} Waiting for {event.waited:.0f} s so far; next try in {event.wait:.1f} s.")

    def _tell_of_rows(self, event: e.BackfillMoved) -> None:
        rest = "" if event.left is None else f", about {event.left:,} to go"
        if self._step is not None:
            at, total, label = self._step
            label = f"{label.partition(': ')[0]}: {event.done:,} rows{rest}{self._rate(event)}"
            self._step = (at, total, label)
            self._draw(at, total, label)
        self._detail(f"Backfill of {event.table}: {event.done:,} rows gone through, {event.changed:,} changed{rest}")

    def _rate(self, event: e.BackfillMoved) -> str:
        """Rows a second and the time that is left, once there is something to go by."""
        seconds = time.monotonic() - self._step_began
        if seconds < 1 or not event.done:
            return ""
        rate = event.done / seconds
        left = "" if event.left is None else f", {event.left / rate:,.0f} s left"
        return f" ({rate:,.0f} rows/s{left})"

    def _finish_tenant(self, outcome: TenantOutcome, done: int, total: int) -> None:
        name = outcome.tenant or ""
        self._draw(done, total, name)
        applied, withheld = outcome.counts
        words = [outcome.state, *([f"{applied} applied or to apply"] if applied else [])]
        words += [f"{withheld} withheld"] if withheld else []
        words += [hide(outcome.error.what)] if outcome.error is not None else []
        if self._bar is None or outcome.error is not None:
            self._say(f"[{done}/{total}] {name}: {', '.join(words)} ({outcome.seconds:.1f} s)")

    def _tell_of_tenant(self, tenant: str, event: e.Event) -> None:
        match event:
            case e.StepRetried(wait=wait, reason=reason) | e.StatementRetried(wait=wait, reason=reason):
                self._say(f"{tenant}: {reason} Trying again in {wait:.1f} s.")
            case e.WaitingForLock() | e.LockAwaited():
                self._say(f"{tenant}: {_waits(event)}")
            case e.StepFinished(number=number, total=total, step=step):
                self._detail(f"{tenant}: step {number} of {total}: {step_label(step)}")
            case _:
                pass  # what else happens in a tenant's turn would bury the rest, of hundreds of tenants

    def _remark(self, text: str) -> None:
        if not self._output.json:
            self._say(text)

    def _detail(self, text: str) -> None:
        if self._output.verbose:
            self._say(text)

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        document: Document = (line(Span(text, "dim")),)
        if self._bar is None:
            self._output.note(document)
        else:
            self._bar.console.print(text, style="dim", markup=False, highlight=False)

    def _draw(self, done: int, total: int, label: str) -> None:
        if not self._draws or (self._bar is None and time.monotonic() - self._began < PATIENCE):
            return
        if self._bar is None or self._task is None:
            from framework_m_migrations.cli.fancy import make_bar

            self._bar = make_bar(self._output.stderr, color=self._output.color)
            self._bar.start()
            self._task = self._bar.add_task("", total=total)
        self._bar.update(self._task, completed=done, total=total, description=label)
