"""The log of what was done: each step and revision writes its line in its own transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from framework_m_migrations.domain.errors import ConnectionFailed, MigrationError
from framework_m_migrations.domain.events import LogUnavailable
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.ownership import LogEntry, WorkState
from framework_m_migrations.ports.session import Session


@dataclass(slots=True)
class LogLine:
    """One piece of work in the log.

    Attributes:
        track, what, risk: as LogEntry's.
        outcome: what was written last; None before.
    """

    session: Session
    limits: Limits
    track: str
    what: str
    risk: str = ""
    outcome: WorkState | None = None
    _began: str = ""
    _key: str | None = None

    def note(self, sql: Sequence[str] = (), outcome: WorkState = WorkState.DONE, error: str = "") -> None:
        """Write the line, or write it again, within the caller's transaction.

        Args:
            sql: what was sent.
            outcome: RUNNING before work that does not vanish with the transaction.
            error: of what failed.
        """
        now = _now(self.session)
        ended = "" if outcome is WorkState.RUNNING else now
        entry = LogEntry(self.track, self.what, self.risk, ";\n".join(sql), self._began, ended, outcome, error)
        self._key = self.session.ledger.log(entry, self._key)
        self.outcome = outcome

    def note_alone(self, sql: Sequence[str] = (), outcome: WorkState = WorkState.DONE, error: str = "") -> None:
        """As ``note``, in a transaction of its own. It fails quietly: the work itself is done, or has its own error."""
        try:
            with self.session.transaction(self.limits):
                self.note(sql, outcome, error)
        except ConnectionFailed:
            raise
        except Exception:  # noqa: BLE001, S110
            pass

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Where the work ends by an error, write that it failed, once it is rolled back."""
        self._began = _now(self.session)
        try:
            yield
        except ConnectionFailed:
            raise
        except MigrationError as error:
            statement = str(error.details.get("statement") or "")
            with suppress(Exception):
                self.note_alone([statement], WorkState.FAILED, f"{error.code}: {error.what}")
            raise


def open_log(session: Session) -> None:
    """Begin to keep the log, within the caller's transaction; that it cannot be kept is no error."""
    reason = session.ledger.open_log()
    if reason is not None:
        session.events.emit(LogUnavailable(reason))


def open_log_alone(session: Session, limits: Limits) -> None:
    """As ``open_log``, in a transaction of its own, whatever is wrong with the ledger."""
    try:
        with session.transaction(limits):
            open_log(session)
    except ConnectionFailed:
        raise
    except MigrationError as error:
        session.events.emit(LogUnavailable(error.what))


def log_command(session: Session, limits: Limits, track: str, what: str) -> None:
    """Write of a whole command that it was done."""
    open_log_alone(session, limits)
    LogLine(session, limits, track, what, _began=_now(session)).note_alone()


def _now(session: Session) -> str:
    return session.clock.now().isoformat(timespec="microseconds")
