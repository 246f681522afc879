"""What a use case asks its runner to do while it waits.

Use cases are generators: they yield effects and get the answer back. That is how one piece of logic waits for a lock
or runs an ``async`` hook on a server, in a script and in a browser worker, without a thread or a greenlet of its own
(docs/adr/0002).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framework_m_migrations.domain.plan import Plan
    from framework_m_migrations.domain.results import SyncResult


class HookPhase(StrEnum):
    """When a hook runs."""

    BEFORE_SYNC = "before_sync"
    AFTER_SYNC = "after_sync"


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that an app wants called; plain or ``async``."""

    app: str
    phase: HookPhase
    function: Callable[..., object]


@dataclass(frozen=True, slots=True)
class CallHook:
    """Call ``hook`` with what it names among engine, connection, plan, result, app and schema; await it if it is async.

    The runner answers None, or throws HookFailed into the use case.
    """

    hook: Hook
    plan: Plan
    result: SyncResult | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for ``seconds`` without blocking anybody else."""

    seconds: float


Effect = CallHook | Pause

type UseCase[T] = Generator[Effect, None, T]
