"""The mutation score: every mutant of mutmut's, judged by the tests that call its function.

mutmut makes the mutants; its own runner starts pytest anew for each one, which takes longer than the tests. Here the
tests are collected once. A first child runs them all and notes which functions each test calls; then each function has
a forked child of its own, which runs its tests on one mutant after the other, the quickest first, until one fails.
There are two rounds: the tests that touch nothing but memory, and for what survives them those over SQLite's files.

Run by `make mutation` in a copy of the tree (docs/mutation.md):

    python mutation.py [GLOB ...]        mutants whose name fits, e.g. "*domain.risk*"; all where none is given
    python mutation.py --survivors       the diffs of what survived, too
    python mutation.py --marks MARKS     what pytest takes as -m in the second round

It writes mutation.json: each mutant's outcome by name.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import gc
import importlib
import itertools
import json
import math
import os
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

MUTANTS = Path("mutants")
SOURCES = MUTANTS / "src" / "framework_m_migrations"
WORKERS = 2
SECONDS = 2
"""CPU time that the tests of one mutant may take beyond three times what they take without it."""
AT_ONCE = 20
"""Mutants of one function that one child judges."""
ENOUGH = 3.0
"""CPU seconds of tests, the quickest first, that a mutant is judged by in the second round."""
KILLED, SURVIVED, TIMEOUT, UNTESTED = "killed", "survived", "timeout", "no tests"
ALIVE = {SURVIVED, UNTESTED}
OVER_FILES = (
    "tests/unit", "tests/sync", "tests/run", "tests/versions", "tests/tenants", "tests/online", "tests/lint",
    "tests/sql", "tests/sqlite",
)  # fmt: skip
"""What the second round has beside the first one's tests; those that are slow or need a server are left out."""


def generate() -> None:
    """Let mutmut write the mutated tree, and put it first on the path."""
    main = importlib.import_module("mutmut.__main__")
    MUTANTS.mkdir(exist_ok=True)
    with contextlib.redirect_stdout(sys.stderr):
        main.copy_src_dir()
        main.copy_also_copy_files()
        main.setup_source_paths()
        main.create_mutants(WORKERS)


def function_of(mutant: str) -> str:
    """The mangled name of the function that a mutant is one of."""
    return mutant.partition("__mutmut_")[0]


def mutants_of(patterns: list[str]) -> list[str]:
    """The names of all mutants that fit one of the patterns, in the order of the sources."""
    names: list[str] = []
    for meta in sorted(SOURCES.rglob("*.meta")):
        names += json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return [name for name in names if not patterns or any(fnmatch.fnmatch(name, one) for one in patterns)]


class Mutation:
    """A pytest plugin that judges mutants instead of running the tests once.

    Args:
        mutants: the names to be judged.
        enough: CPU seconds of tests that one mutant is judged by at most, the quickest first.
    """

    def __init__(self, mutants: list[str], enough: float) -> None:
        self.mutants = mutants
        self.enough = enough
        self.outcomes: dict[str, str] = {}
        self.broken: list[str] = []
        self._trampoline: Any = importlib.import_module("mutmut.mutation.trampoline")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure, then fork."""
        if session.testsfailed:
            # What a module that cannot be imported holds would count as held by nobody.
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        items = {item.nodeid: item for item in session.items}
        callers, seconds = self._measure(list(items.values()))
        if self.broken and self.enough == math.inf:
            return True
        # A collection in a child would touch, and so copy, all that parent and child share.
        gc.collect()
        gc.freeze()
        gc.disable()
        work: list[tuple[list[str], list[pytest.Item], int]] = []
        for function, group in itertools.groupby(self.mutants, key=function_of):
            tests = _quickest(callers.get(function, set()).difference(self.broken), seconds, self.enough)
            limit = SECONDS + int(3 * sum(seconds[name] for name in tests))
            work += [
                (list(mutants), [items[name] for name in tests], limit) for mutants in itertools.batched(group, AT_ONCE)
            ]
        running: dict[int, tuple[list[str], list[pytest.Item], int]] = {}
        started = time.monotonic()
        while work or running:
            if work and len(running) < WORKERS:
                piece = work.pop()
                if piece[1]:
                    running[self._fork(*piece)] = piece
                else:
                    self.outcomes.update(dict.fromkeys(piece[0], UNTESTED))
                continue
            work += self._reap(running)
            self._progress(started)
        return True

    def _progress(self, started: float) -> None:
        spent = time.monotonic() - started
        used = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        print(f"{len(self.outcomes)}/{len(self.mutants)} after {spent:.0f} s, {used:.0f} of CPU", file=sys.__stderr__)

    def _measure(self, items: list[pytest.Item]) -> tuple[dict[str, set[str]], dict[str, float]]:
        """Which tests call each function, and how long each takes, found in a child so that nothing stays behind."""
        out, into = os.pipe()
        if os.fork() == 0:
            os.close(out)
            with os.fdopen(into, "w") as pipe:
                json.dump(self._measured(items), pipe)
            os._exit(0)
        os.close(into)
        with os.fdopen(out) as pipe:
            callers, seconds, self.broken = json.load(pipe)
        os.wait()
        return {function: set(tests) for function, tests in callers.items()}, seconds

    def _measured(self, items: list[pytest.Item]) -> tuple[dict[str, list[str]], dict[str, float], list[str]]:
        state = importlib.import_module("mutmut.state").state()
        self._trampoline.set_mutant_under_test("stats")
        callers: dict[str, list[str]] = defaultdict(list)
        seconds: dict[str, float] = {}
        broken = []
        for item, following in zip(items, [*items[1:], None], strict=True):
            before = time.process_time()
            if _fails(item, following):
                broken.append(item.nodeid)
            seconds[item.nodeid] = time.process_time() - before
            for function in state._stats:  # noqa: SLF001
                callers[function].append(item.nodeid)
            state._stats.clear()  # noqa: SLF001
        return callers, seconds, broken

    def _fork(self, mutants: list[str], items: list[pytest.Item], limit: int) -> int:
        """Judge the mutants of one function, one after the other, in a child; it writes what it finds into a file."""
        child = os.fork()
        if child:
            return child
        code = 3
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            with Path(f"found-{os.getpid()}").open("w", encoding="utf-8", buffering=1) as found:
                for mutant in mutants:
                    self._trampoline.set_mutant_under_test(mutant)
                    # It ends the process: a mutant that loops for ever.
                    signal.setitimer(signal.ITIMER_PROF, limit)
                    found.write(f"{KILLED if _any_fails(items) else SURVIVED}\n")
                self._trampoline.set_mutant_under_test("")
                code = 4 if len(mutants) > 1 and _any_fails(items) else 0
        finally:
            os._exit(code)

    def _reap(self, running: dict[int, Any]) -> list[tuple[list[str], list[pytest.Item], int]]:
        """Take over what a child found; what is left of its work."""
        child, status = os.wait()
        mutants, items, limit = running.pop(child)
        file = Path(f"found-{child}")
        found = file.read_text(encoding="utf-8").splitlines()
        file.unlink()
        code = os.waitstatus_to_exitcode(status)
        if code == 4:
            # A mutant left something behind, so that the tests fail without any: each has a child of its own then.
            return [([mutant], items, limit) for mutant in mutants]
        if len(found) < len(mutants):
            found.append(TIMEOUT if code < 0 else KILLED)
        self.outcomes.update(zip(mutants, found, strict=False))
        rest = mutants[len(found) :]
        return [(rest, items, limit)] if rest else []


def _quickest(tests: set[str], seconds: dict[str, float], enough: float) -> list[str]:
    """The tests in the order of their time, as many as stay within the time and one at least."""
    ordered = sorted(tests, key=lambda name: (seconds[name], name))
    spent = itertools.accumulate(seconds[name] for name in ordered)
    return [name for at, (name, so_far) in enumerate(zip(ordered, spent, strict=True)) if not at or so_far <= enough]


def _any_fails(items: list[pytest.Item]) -> bool:
    """Whether one fails; it comes first from then on, as what notices one mutant often notices the next."""
    for at, item in enumerate(items):
        if _fails(item, items[at + 1] if at + 1 < len(items) else None):
            # What the next test would have shared must not be found by another one, which pytest takes for a failure.
            item.session._setupstate.teardown_exact(None)  # noqa: SLF001
            items.insert(0, items.pop(at))
            return True
    return False


def _fails(item: pytest.Item, following: pytest.Item | None) -> bool:
    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=following))


def table(outcomes: dict[str, str]) -> Iterator[str]:
    """The score of each file, as rows of Markdown."""
    files: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant, outcome in outcomes.items():
        module = mutant.rpartition(".")[0].removeprefix("framework_m_migrations.")
        files[module.replace(".", "/") + ".py"][outcome] += 1
    yield "| file | killed | of | | not reached by a test |"
    yield "|---|---|---|---|---|"
    for name, counts in [*sorted(files.items()), ("**all**", sum(files.values(), Counter()))]:
        dead, every = counts[KILLED] + counts[TIMEOUT], counts.total()
        yield f"| `{name}` | {dead} | {every} | {dead / every:.0%} | {counts[UNTESTED] or ''} |"


def diff_of(mutant: str) -> str:
    """What a mutant changes, without context."""
    show = importlib.import_module("mutmut.mutation.diff_apply").get_diff_for_mutant
    lines = show(mutant).splitlines()[2:]
    return "\n".join(line for line in lines if line.startswith(("-", "+")))


def run_tests(mutation: Mutation, given: list[str]) -> int:
    """Let pytest collect what is given, in the mutated tree, and the plugin judge its mutants."""
    here = Path.cwd()
    os.chdir(MUTANTS)
    # What a failure looks like is of no interest, and working it out takes longer than most tests.
    quick = ["--tb=no", "--assert=plain", "-p", "no:xdist", "-p", "no:logging"]
    try:
        return int(pytest.main(["--rootdir=.", *quick, *given], plugins=[mutation]))
    finally:
        os.chdir(here)


def main() -> int:
    """Make the mutants that fit, judge them, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("patterns", nargs="*", metavar="GLOB")
    parser.add_argument("--survivors", action="store_true")
    parser.add_argument("--marks", default="")
    arguments = parser.parse_args()
    generate()
    mutants = mutants_of(arguments.patterns)
    if not mutants:
        print("No mutant has such a name.", file=sys.stderr)
        return 2
    os.environ["MUTANT_UNDER_TEST"] = ""
    config = importlib.import_module("mutmut.configuration").config()
    first = config.pytest_add_cli_args_test_selection
    outcomes: dict[str, str] = {}
    for selected, enough in ((first, math.inf), ([*first, *OVER_FILES, "-m", arguments.marks], ENOUGH)):
        alive = [name for name in mutants if outcomes.get(name, SURVIVED) in ALIVE]
        if not alive:
            break
        mutation = Mutation(alive, enough)
        code = run_tests(mutation, [*config.pytest_add_cli_args, *selected])
        if mutation.broken:
            # Those that start a program of their own do not find what they need in the mutated tree.
            print(f"Tests that fail without any mutant, and judge none: {mutation.broken}", file=sys.stderr)
        if not mutation.outcomes:
            print(f"Nothing was judged; pytest ended with {code}.", file=sys.stderr)
            return 1
        outcomes |= mutation.outcomes
    ordered = {name: outcomes[name] for name in mutants}
    Path("mutation.json").write_text(json.dumps(ordered, indent=1, ensure_ascii=False), encoding="utf-8")
    if arguments.survivors:
        for mutant, outcome in ordered.items():
            if outcome in ALIVE:
                print(f"\n{mutant} ({outcome})\n{diff_of(mutant)}")
    print("\n" + "\n".join(table(ordered)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
