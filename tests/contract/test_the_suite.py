"""The contract suite itself: it catches adapters that break their obligations, and its report says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from scripts.waiting import PROGRAM_LIMIT

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HEADER = """
from __future__ import annotations
import dataclasses
import pytest
from tests.fakes.memory import *
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.testing import *
from tests.contract.memory import MemoryHarness, MemoryRunnerHarness


class Memory:
    @pytest.fixture
    def harness(self) -> MemoryHarness:
        return MemoryHarness()

    @pytest.fixture
    def runner(self) -> MemoryRunnerHarness:
        return MemoryRunnerHarness(wait=False)

"""

# Contract, what is done to the memory adapter before each test, and the obligations that must be found not to be held.
MUTANTS: dict[str, tuple[str, str, set[str]]] = {
    "hides lost races": (
        "ExecutorContract",
        """
        real = MemoryExecutor.apply
        def apply(self, operation):
            try:
                real(self, operation)
            except DatabaseError as error:
                if "already" not in str(error):
                    raise
        monkeypatch.setattr(MemoryExecutor, "apply", apply)
        """,
        {"executor.create-table.exists", "executor.add-column.exists", "executor.create-index.exists"},
    ),
    "commits by itself": (
        "ExecutorContract",
        """
        real = MemoryExecutor.apply
        def apply(self, operation):
            real(self, operation)
            self._connection.database.state = self._connection.state.copy()
        monkeypatch.setattr(MemoryExecutor, "apply", apply)
        """,
        {"executor.apply.never-commits"},
    ),
    "makes columns nullable": (
        "ExecutorContract",
        """
        real = MemoryExecutor.apply
        def apply(self, operation):
            if hasattr(operation, "column") and hasattr(operation.column, "fill"):
                operation = dataclasses.replace(operation, column=dataclasses.replace(operation.column, nullable=True))
            real(self, operation)
        monkeypatch.setattr(MemoryExecutor, "apply", apply)
        """,
        {"executor.add-column.refused", "executor.add-column.fill", "executor.add-column.default"},
    ),
    "does not notice": (
        "InspectorContract",
        """
        monkeypatch.setattr(MemoryInspector, "catalog_token", lambda self: "1")
        """,
        {"inspector.token.changes-with-ddl", "inspector.token.changes-with-own-ddl", "inspector.token.each-kind"},
    ),
    "notices columns only": (
        "InspectorContract",
        """
        def catalog_token(self):
            tables = self._connection.state.tables
            return str(sorted((str(name), [column.name for column in tables[name].columns]) for name in tables))
        monkeypatch.setattr(MemoryInspector, "catalog_token", catalog_token)
        """,
        {"inspector.token.each-kind"},
    ),
    "invents differences": (
        "InspectorContract",
        """
        monkeypatch.setattr(MemoryInspector, "normalise", lambda self, pairs: [wanted for wanted, _ in pairs])
        """,
        {"inspector.normalise.no-phantoms"},
    ),
    "hides differences": (
        "InspectorContract",
        """
        monkeypatch.setattr(MemoryInspector, "normalise", lambda self, pairs: [actual for _, actual in pairs])
        """,
        {"inspector.normalise.keeps-differences"},
    ),
    "calls all changes safe": (
        "InspectorContract",
        """
        monkeypatch.setattr(MemoryInspector, "type_change", lambda self, table, before, after: TypeChange.WIDENING)
        """,
        {"inspector.type-change.classes"},
    ),
    "answers that all is well": (
        "InspectorContract",
        """
        monkeypatch.setattr(MemoryInspector, "ask", lambda self, questions: dict.fromkeys(questions, 0))
        """,
        {"inspector.ask.right-answers", "inspector.ask.assuming"},
    ),
    "drops too much": (
        "PrunerContract",
        """
        real = MemoryPruner.apply
        def apply(self, operation):
            real(self, operation)
            with self._connection.changing() as state:
                state.rows = {name: () for name in state.rows}
        monkeypatch.setattr(MemoryPruner, "apply", apply)
        """,
        {"pruner.drop-table.gone", "pruner.drop-column.with-what-stands-on-it", "pruner.drop-constraint.gone"},
    ),
    "lets two in": (
        "MigrationLockContract",
        """
        monkeypatch.setattr(MemoryLock, "try_acquire", lambda self: True)
        """,
        {"lock.try-acquire.excludes", "lock.try-acquire.never-waits", "lock.release.not-held"},
    ),
    "frees what others hold": (
        "MigrationLockContract",
        """
        def release(self):
            self._connection.database.lock_owner = None
        monkeypatch.setattr(MemoryLock, "release", release)
        """,
        {"lock.release.not-held"},
    ),
    "keeps a dead man's lock": (
        "MigrationLockContract",
        """
        monkeypatch.setattr("framework_m_migrations.testing.contracts.lock.NOTICE", 0.1)
        def close(self):
            self._open = False
        monkeypatch.setattr(MemoryConnection, "close", close)
        """,
        {"lock.holder-dies.frees"},
    ),
    "writes the ledger at once": (
        "LedgerContract",
        """
        def put(self, ledger):
            with self._connection.changing() as state:
                state.ledger = ledger
            self._connection.database.state.ledger = ledger
        monkeypatch.setattr(MemoryLedger, "_put", put)
        """,
        {"ledger.write.rolls-back", "ledger.prepare.rolls-back", "ledger.write.seen-after-commit"},
    ),
    "does not roll back": (
        "SessionContract",
        """
        from contextlib import contextmanager
        @contextmanager
        def transaction(self, limits):
            with self.autocommit():
                yield
        monkeypatch.setattr(MemoryConnection, "transaction", transaction)
        """,
        {
            "session.transaction.rolls-back",
            "session.transaction.rolls-back-on-interrupt",
            "session.transaction.nested",
            "session.transaction.lock-timeout",
        },
    ),
    "half a revision": (
        "VersionedTrackContract",
        """
        real = MemoryTrack._run
        def run(self, change, revision):
            real(self, change, revision)
            self._connection.database.state = self._connection.state.copy()
            raise RuntimeError("after the commit")
        monkeypatch.setattr(MemoryTrack, "_run", run)
        """,
        {"track.upgrade.one-revision", "track.downgrade.one-revision"},
    ),
    "leaves sessions open": (
        "RunnerContract",
        """
        monkeypatch.setattr(MemoryConnection, "close", lambda self: None)
        monkeypatch.setattr(MemorySession, "close", lambda self: None)
        """,
        {"runner.end.closes"},
    ),
    "swallows failing hooks": (
        "RunnerContract",
        """
        import tests.fakes.memory.runner as runner
        real = runner._call
        async def call(effect, connection):
            try:
                await real(effect, connection)
            except Exception:
                pass
        monkeypatch.setattr(runner, "_call", call)
        """,
        {"runner.hook.failure-thrown-in", "runner.hook.failure-ends-run"},
    ),
}


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on the files of a folder, with the plugin and no other."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line"]
    command += ["-p", "framework_m_migrations.testing.plugin", f"--rootdir={folder}", *arguments, str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, check=False, timeout=PROGRAM_LIMIT
    )


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report on all mutants, made in one run."""
    folder = tmp_path_factory.mktemp("mutants")
    text = HEADER
    for number, (name, (contract, sabotage, _)) in enumerate(MUTANTS.items()):
        text += f"\nclass Mutant{number}(Memory):\n    adapter = {name!r}\n\n    @pytest.fixture(autouse=True)\n"
        text += "    def sabotage(self, monkeypatch: pytest.MonkeyPatch) -> None:\n"
        text += indent(dedent(sabotage).strip(), "        ")
        text += f"\n\nclass TestMutant{number}(Mutant{number}, {contract}): ...\n"
    (folder / "test_mutants.py").write_text(text, encoding="utf-8")
    done = run_pytest(folder, f"--contract-report-json={folder / 'report.json'}")
    assert done.returncode == 1, done.stdout + done.stderr
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_adapter_is_caught(mutants: dict[str, Any], name: str) -> None:
    broken = {key for key, entry in mutants["adapters"][name].items() if entry["verdict"] == "NOT HELD"}
    assert broken >= MUTANTS[name][2]
    assert not mutants["conforms"]


def test_the_report_tells_held_not_held_not_applicable_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        HEADER
        + dedent("""
        class TestPruner(Memory, PrunerContract):
            adapter = "mine"

            def test_an_index_is_dropped(self):
                pytest.skip("no time")

        class TestClock(ClockContract):
            adapter = "mine"
        """),
        encoding="utf-8",
    )
    done = run_pytest(tmp_path, "--contract-report", "--contract-report-json=report.json")
    assert done.returncode == 1
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    mine = report["adapters"]["mine"]
    assert mine["pruner.drop-table.gone"] == {"verdict": "held", "tests": 1, "reasons": []}
    assert mine["pruner.render.is-what-apply-sends"]["verdict"] == "not applicable"
    assert mine["pruner.render.is-what-apply-sends"]["reasons"] == ["recording"]
    assert mine["clock.now.utc"]["verdict"] == "NOT HELD"
    assert "failed: " in mine["clock.now.utc"]["reasons"][0], "the report was expected to say what was seen"
    assert "mine was expected to hold clock.now.utc: " in done.stdout
    assert "pruner.drop-index.gone" not in mine
    assert report["obligations"]["ledger.write.rolls-back"].startswith("Every write vanishes")
    assert "mine: not applicable (recording): pruner.render.is-what-apply-sends" in done.stdout
    line = next(line for line in done.stdout.splitlines() if line.startswith("ledger.write.rolls-back"))
    assert line.split() == ["ledger.write.rolls-back", "-"]


def test_a_skipped_obligation_is_not_held(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        HEADER
        + dedent("""
        class TestClock(ClockContract):
            adapter = "mine"

            @pytest.fixture
            def clock(self):
                pytest.skip("no time")
        """),
        encoding="utf-8",
    )
    done = run_pytest(tmp_path, "--contract-report-json=report.json")
    assert done.returncode == 0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {entry["verdict"] for entry in report["adapters"]["mine"].values()} == {"NOT HELD"}


def test_a_missing_fixture_is_an_error_that_helps(tmp_path: Path) -> None:
    text = HEADER + "class TestLedger(LedgerContract): ...\nclass TestClock(ClockContract): ...\n"
    (tmp_path / "test_mine.py").write_text(text, encoding="utf-8")
    done = run_pytest(tmp_path)
    assert done.returncode == 1
    assert " passed" not in done.stdout
    assert "TestLedger needs a fixture 'harness'" in done.stdout
    assert "TestClock needs a fixture 'clock'" in done.stdout


def test_without_its_options_the_plugin_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("def test_nothing() -> None:\n    assert True\n", encoding="utf-8")
    code = dedent("""
        import sys, pytest
        code = pytest.main(["-q", "-p", "framework_m_migrations.testing.plugin", "-p", "no:cacheprovider", sys.argv[1]])
        loaded = [name for name in sys.modules if name.startswith("framework_m_migrations.")]
        print(code, [name for name in loaded if not name.startswith("framework_m_migrations.testing")])
        print([name for name in loaded if "contracts" in name or "sqlalchemy" in name])
    """)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True, timeout=PROGRAM_LIMIT
    )
    assert done.stdout.splitlines()[-2:] == ["0 []", "[]"]


def test_the_package_works_without_pytest() -> None:
    code = dedent("""
        import sys
        sys.modules["pytest"] = None
        import framework_m_migrations, framework_m_migrations.testing, tests.fakes.memory
        print("sqlalchemy" in sys.modules)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PROGRAM_LIMIT
    )
    assert done.stdout == "False\n"


def test_the_options_are_there_only_where_the_plugin_is_asked_for(tmp_path: Path) -> None:
    from importlib.metadata import distribution

    assert not [entry for entry in distribution("framework-m-migrations").entry_points if entry.group == "pytest11"]
