"""Time, statements and memory of one case, each in a pass that the others do not disturb."""

from __future__ import annotations

import cProfile
import gc
import io
import pstats
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

LONG = 20.0
"""Seconds of one case after which three repetitions are enough."""


@dataclass(slots=True)
class Case:
    """Something to measure.

    Attributes:
        name: shown, and the key in the JSON.
        prepare: makes a fresh state, outside the clock; its result is handed to ``run``.
        run: what is timed.
        engine: gives the engine whose statements are counted, from the state; None to count nothing.
        finish: puts the state away, outside the clock.
    """

    name: str
    prepare: Callable[[], Any]
    run: Callable[[Any], object]
    engine: Callable[[Any], sa.Engine | None] = lambda _: None
    finish: Callable[[Any], None] = lambda _: None


@dataclass(slots=True)
class Result:
    """What was measured. ``failure`` says why there is nothing."""

    name: str
    seconds: list[float] = field(default_factory=list)
    statements: int | None = None
    peak_bytes: int | None = None
    failure: str | None = None

    @property
    def median(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "median_seconds": self.median,
            "fastest_seconds": min(self.seconds, default=None),
            "seconds": self.seconds,
            "statements": self.statements,
            "peak_bytes": self.peak_bytes,
            "failure": self.failure,
        }


def measure(cases: list[Case], repeat: int, told: Callable[[str], None]) -> dict[str, Result]:
    """Measure cases that are compared with each other, taking turns, so that a busy moment hits all alike."""
    results = {case.name: Result(case.name) for case in cases}
    for round_ in range(repeat):
        for case in cases:
            result = results[case.name]
            if result.failure is None and not (round_ >= 3 and sum(result.seconds) > LONG):
                told(f"{case.name}, {round_ + 1} of {repeat}")
                with _failures(result):
                    result.seconds.append(_timed(case))
    for case in cases:
        result = results[case.name]
        if result.failure is None:
            told(f"{case.name}, statements and memory")
            with _failures(result):
                result.statements = _statements(case)
                result.peak_bytes = _peak(case)
    return results


@contextmanager
def _failures(result: Result) -> Iterator[None]:
    """A reference that the database refuses is a finding (one transaction cannot lock 700 tables), not the end."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        result.failure = str(error.orig).strip().splitlines()[0]
        result.seconds.clear()
    except RecursionError as error:
        result.failure = f"RecursionError: {error}"
        result.seconds.clear()


@contextmanager
def _state(case: Case) -> Iterator[Any]:
    state = case.prepare()
    try:
        yield state
    finally:
        case.finish(state)


def _timed(case: Case) -> float:
    with _state(case) as state:
        gc.collect()
        started = time.perf_counter()
        case.run(state)
        return time.perf_counter() - started


def _statements(case: Case) -> int | None:
    with _state(case) as state:
        engine = case.engine(state)
        if engine is None:
            return None
        sent: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement != "BEGIN":  # What other drivers send by themselves, unseen.
                sent.append(statement)

        sa.event.listen(engine, "before_cursor_execute", note)
        case.run(state)
        sa.event.remove(engine, "before_cursor_execute", note)
        return len(sent)


def _peak(case: Case) -> int | None:
    with _state(case) as state:
        if case.engine(state) is None:
            return None  # It runs in another process.
        gc.collect()
        tracemalloc.start()
        try:
            case.run(state)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def profile(case: Case, lines: int = 14) -> list[str]:
    """Where the time of a case goes: the functions that take most by themselves."""
    profiler = cProfile.Profile()
    with _state(case) as state:
        gc.collect()
        profiler.enable()
        case.run(state)
        profiler.disable()
    text = io.StringIO()
    stats = pstats.Stats(profiler, stream=text)
    total: float = stats.total_tt  # type: ignore[attr-defined]
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:lines]  # type: ignore[attr-defined]
    shown = [f"{total:7.3f} s in all under the profiler"]
    for (file, line, function), (_, calls, own, cumulative, _) in rows:
        place = "/".join(file.split("/")[-2:])
        shown.append(f"{own:7.3f} s own {cumulative:7.3f} s with callees {calls:8d} calls  {place}:{line} {function}")
    return shown
