"""The fixtures and tests that a project's own suite takes from framework_m_migrations.testing.migrations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.waiting import PROGRAM_LIMIT

SUITE = """
import sqlalchemy as sa
from framework_m_migrations.testing.migrations import *

def test_rows_of_one_test(migrated_engine):
    with migrated_engine.begin() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM item")).scalar() == 0
        connection.execute(sa.text("INSERT INTO item (id) VALUES (1)"))

def test_are_not_seen_by_another(migrated_engine):
    with migrated_engine.begin() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM item")).scalar() == 0
"""
MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True), {more})
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels = "aa01", None, ("shop",)
def upgrade():
    op.create_table("item", sa.Column("id", sa.Integer(), primary_key=True))
def downgrade():
    {down}
"""


def outcomes(project: Path, *, down: str, more: str) -> dict[str, str]:
    """Runs the suite of a project with one revision; tests with their outcome."""
    files = {
        "m-migrate.toml": 'metadata = "shop.models:metadata"\napps = "shop"\n',
        "shop/__init__.py": "",
        "shop/models.py": MODELS.format(more=more),
        "shop/migrations/aa01.py": REVISION.format(down=down),
        "test_shop.py": SUITE,
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        f"--rootdir={project}",
        "-rA",
        "-q",
        str(project),
    ]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=PROGRAM_LIMIT)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(("PASSED", "FAILED", "ERROR"))]
    assert lines, done.stdout + done.stderr
    return {words[1].rpartition("::")[2]: words[0] for words in lines}


@pytest.mark.slow
def test_a_good_project_passes_and_each_test_has_rows_of_its_own(tmp_path: Path) -> None:
    found = outcomes(tmp_path, down='op.drop_table("item")', more="")
    assert set(found.values()) == {"PASSED"}
    assert {"test_revisions_go_up_down_up", "test_models_match_the_database", "test_each_app_has_one_head"} < set(found)


@pytest.mark.slow
def test_a_revision_without_a_way_back_and_a_difference_fail(tmp_path: Path) -> None:
    found = outcomes(tmp_path, down="pass", more='sa.CheckConstraint("id > 0 AND nowhere()")')
    assert found["test_revisions_go_up_down_up"] == "FAILED"
    assert found["test_models_match_the_database"] == "FAILED"
