"""Adapters of other packages, as they are installed: DuckDB's in examples/, and what new_adapter writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from framework_m_migrations.testing.new_adapter import main, make
from scripts.waiting import PROGRAM_LIMIT

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def _report(package: Path, tmp_path: Path, *options: str) -> dict[str, dict[str, object]]:
    """Run the tests of a package as if it were installed; the verdict of each obligation."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    information = tmp_path / "installed" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1\n")
    ((name, value),) = project["entry-points"]["framework_m_migrations.dialects"].items()
    (information / "entry_points.txt").write_text(f"[framework_m_migrations.dialects]\n{name} = {value}\n")
    report = tmp_path / "report.json"
    plugin = ("-p", "no:cacheprovider", "-p", "framework_m_migrations.testing.plugin", f"--rootdir={package}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "pytest", "-q", *plugin, f"--contract-report-json={report}", *options],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'installed'}:{package}"},
        cwd=package,
        check=False,
        timeout=PROGRAM_LIMIT,
    )
    assert report.exists(), done.stdout + done.stderr
    found: dict[str, dict[str, object]] = json.loads(report.read_text())["adapters"][name]
    return found


def test_the_adapter_of_duckdb_holds_every_obligation(tmp_path: Path) -> None:
    package = shutil.copytree(ROOT / "examples" / "adapter_duckdb", tmp_path / "adapter_duckdb")
    verdicts = _report(package, tmp_path, "-n", "2")
    held = [key for key, one in verdicts.items() if one["verdict"] == "held"]
    open_ = {key: one["reasons"] for key, one in verdicts.items() if one["verdict"] == "NOT HELD"}
    assert open_ == {}
    assert len(held) > 100, verdicts


def test_a_skeleton_runs_and_reports_what_is_left_to_do(tmp_path: Path) -> None:
    package = make("duckdb", tmp_path / "work")
    verdicts = _report(package, tmp_path, "-k", "TestMigrationLock or test_no_lock_is_taken or reads_back")
    kinds = {key: one["verdict"] for key, one in verdicts.items()}
    assert kinds["executor.create-table.reads-back"] == "NOT HELD"
    assert "held" in {verdict for key, verdict in kinds.items() if key.startswith("lock.")}
    assert main(["duckdb", str(tmp_path / "work")]) == 2, "a folder that exists is not written over"
    assert main(["no name", str(tmp_path)]) == 2
