"""The import contracts break when a layer rule is broken, and hold where the design allows an import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.waiting import PROGRAM_LIMIT

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "framework_m_migrations"
KEPT, BROKEN = 0, 1

CASES = [
    (BROKEN, "domain/schema.py", f"import {PACKAGE}.ports"),
    (BROKEN, "domain/schema.py", "import sqlalchemy"),
    (BROKEN, "ports/lock.py", f"import {PACKAGE}.services"),
    (BROKEN, "ports/lock.py", "import asyncio"),
    (BROKEN, "services/__init__.py", f"import {PACKAGE}.adapters.sql"),
    (BROKEN, "services/__init__.py", "import alembic"),
    (BROKEN, "services/__init__.py", "import threading"),
    (BROKEN, "adapters/sql/__init__.py", f"import {PACKAGE}.services"),
    (BROKEN, "adapters/sql/__init__.py", f"import {PACKAGE}.adapters.pyodide"),
    (BROKEN, "adapters/sql/ledger.py", f"import {PACKAGE}.adapters.sql.dialects.sqlite.text"),
    (BROKEN, "adapters/sql/dialects/mariadb/text.py", f"import {PACKAGE}.adapters.sql.dialects.postgresql.text"),
    (BROKEN, "adapters/sql/__init__.py", "import asyncpg"),
    (BROKEN, "adapters/sql/engines.py", f"import {PACKAGE}.adapters.sql.async_runner"),
    (BROKEN, "adapters/filesystem/__init__.py", "import sqlalchemy"),
    (BROKEN, "adapters/sql/async_engines.py", "import dependency_injector"),
    (BROKEN, "container/mode.py", "import dependency_injector.containers"),
    (BROKEN, "container/mode.py", f"import {PACKAGE}.embedding"),
    (BROKEN, "embedding/__init__.py", "import framework_m_core"),
    (BROKEN, "adapters/doctypes/__init__.py", "import framework_m_standard"),
    (BROKEN, "somewhere_else.py", "x = 1"),
    (KEPT, "adapters/sql/async_engines.py", "import asyncpg"),
    (KEPT, "adapters/sql/dialects/sqlite/text.py", f"import {PACKAGE}.adapters.sql.names"),
    (KEPT, "adapters/doctypes/__init__.py", f"import {PACKAGE}.adapters.sql"),
    (KEPT, "adapters/doctypes/framework_m.py", "import framework_m_core"),
    (KEPT, "embedding/framework_m.py", "import framework_m_standard"),
    (KEPT, "container/di.py", "import dependency_injector.containers"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("layers")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", copy / "src", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.mark.parametrize(("expected", "module", "line"), CASES)
def test_contracts(project: Path, expected: int, module: str, line: str) -> None:
    file = project / "src" / PACKAGE / module
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    try:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("lint-imports"))],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(project / "src")},
            capture_output=True,
            text=True,
            check=False,
            timeout=PROGRAM_LIMIT,
        )
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before, encoding="utf-8")
    assert done.returncode == expected, done.stdout
    assert "Contracts:" in done.stdout, done.stdout
