"""Choices of the caller that reach the core, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework_m_migrations.domain.changes import Change


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the statements of one transaction may wait and take. There is no transaction without.

    Attributes:
        lock: seconds to wait for a lock before LockTimeout is raised.
        statement: seconds after which a statement is given up, where the database can; None for no limit.
        brief: nothing in it takes long once it has its locks. Where the database can, a statement then waits for all of
            its locks together, those of several tables or partitions, no longer than ``lock``: whoever waits behind it
            must not wait for their sum.
    """

    lock: float
    statement: float | None = None
    brief: bool = False


@dataclass(frozen=True, slots=True)
class LockOptions:
    """How long to wait for locks.

    Attributes:
        lock_timeout: seconds that a step waits for a table's lock before it is rolled back and tried again.
        retries: how often a step is tried again.
        backoff_first, backoff_limit: seconds between tries, growing by half each time, with jitter; none is shorter
            than two lock timeouts, so that what queued up behind a try is worked off before the next one.
        wait: seconds to wait for another migrator; 0 gives up at once.
        poll: seconds between looks at the migration lock.
        statement_timeout: seconds that a statement of a step may take under its locks, None for no limit; builds
            outside transactions and validations, which hold nobody up, never have one.
    """

    lock_timeout: float = 0.5
    retries: int = 30
    backoff_first: float = 0.05
    backoff_limit: float = 60.0
    wait: float = 600.0
    poll: float = 0.1
    statement_timeout: float | None = None

    @property
    def limits(self) -> Limits:
        """Those of one try that writes a few rows."""
        return Limits(self.lock_timeout)


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """What sync may do.

    Attributes:
        force: compare everything, whatever the ledger says.
        dry_run: plan only; nothing is written and no hook is called.
        allow_drop: also drop what no model declares and the ledger records as ours.
        reviewed: the changes that somebody was shown: of them alone anything is dropped. None drops what there is.
        expected: the statements of each step that was approved; nothing else is applied. None applies what there is.
        online: use non-blocking DDL on tables with rows.
        locks: waiting.
        schema: the schema worked in, as hooks are told it; None for the connection's default.
    """

    force: bool = False
    dry_run: bool = False
    allow_drop: bool = False
    online: bool = True
    locks: LockOptions = field(default_factory=LockOptions)
    reviewed: tuple[Change, ...] | None = None
    expected: tuple[tuple[str, ...], ...] | None = None
    schema: str | None = None
