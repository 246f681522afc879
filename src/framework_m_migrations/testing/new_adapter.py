"""``python -m framework_m_migrations.testing.new_adapter NAME [FOLDER]``: the skeleton of an adapter's package."""

from __future__ import annotations

import sys
from pathlib import Path

ADAPTER = '''"""{title} for framework_m_migrations."""

from __future__ import annotations

from typing import ClassVar

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import BaseDialect
from framework_m_migrations.adapters.sql.dialects.base_spelling import BaseSpelling
from framework_m_migrations.adapters.sql.dialects.base_inspector import BaseInspector
from framework_m_migrations.adapters.sql.guard import Lexical
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import MigrationError


class {class_}Spelling(BaseSpelling):
    """Canonical names of types: {{"DOUBLE PRECISION": "DOUBLE"}}, and types whose length the catalog does not tell."""

    aliases: ClassVar = {{}}
    plain = ()


class {class_}Inspector(BaseInspector):
    """The catalog reader. ``read`` is by SQLAlchemy's reflection: override it with a few queries for all tables."""

    spelling_class = {class_}Spelling


class {class_}Dialect(BaseDialect[{class_}Spelling, {class_}Inspector]):
    """The services of {title}."""

    name = "{name}"
    spelling_class = {class_}Spelling
    inspector_class = {class_}Inspector

    def capabilities(self, dialect: sa.Dialect) -> Capabilities:
        """Say False where the database cannot do something: planning withholds it then."""
        return Capabilities(
            self.name,
            transactional_ddl=True,
            savepoints=True,
            constraint_names=True,
            batched_reads=False,  # True with a ``read`` of your own
        )

    def lexical(self, dialect: sa.Dialect) -> Lexical:
        """How texts, names and comments are written: without it the guard refuses every suspicious word."""
        return Lexical()

    def translate(self, error: sa.exc.DBAPIError) -> MigrationError | None:
        """LockTimeout where trying again helps, MissingPrivilege, DatabaseReadOnly, StorageFull, ConnectionFailed."""
        return None
'''
TESTS = '''"""The contracts of a database. Report: pytest -p framework_m_migrations.testing.plugin --contract-report"""

from __future__ import annotations

from pathlib import Path

import pytest

from framework_m_migrations.testing import RunnerContract, SqlHarness, SqlRunnerHarness, database_contracts


class Database:
    adapter = "{name}"

    @pytest.fixture
    def harness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlHarness:
        monkeypatch.syspath_prepend(str(tmp_path / "apps"))
        url = f"{name}:///{{tmp_path / 'app.db'}}"  # of an empty database
        return SqlHarness(url, url, tmp_path)


globals().update(database_contracts(Database))


class TestRunner(RunnerContract):
    adapter = "{name}"

    @pytest.fixture
    def runner(self, tmp_path: Path) -> SqlRunnerHarness:
        nowhere = tmp_path / "nowhere" / "app.db"
        return SqlRunnerHarness(f"{name}:///{{tmp_path / 'app.db'}}", f"{name}:///{{nowhere}}")
'''
PROJECT = """[project]
name = "adapter-{name}"
version = "0.1.0"
description = "{title} for framework_m_migrations"
requires-python = ">=3.12"
dependencies = ["framework-m-migrations"]

[project.entry-points."framework_m_migrations.dialects"]
{name} = "adapter_{name}:{class_}Dialect"

[build-system]
requires = ["setuptools >= 77"]
build-backend = "setuptools.build_meta"

[tool.setuptools]
py-modules = ["adapter_{name}"]
"""


def make(name: str, folder: Path) -> Path:
    """Write the skeleton.

    Args:
        name: SQLAlchemy's name of the dialect.
        folder: in which the package's folder ``adapter-NAME`` is made.

    Returns:
        The package's folder.

    Raises:
        ValueError: the name is no identifier.
        FileExistsError: the folder exists.
    """
    if not name.isidentifier():
        raise ValueError(f"{name!r} is not a name of a dialect: letters, digits and _ make one.")
    # A name that Python cannot import: from the folder above, the module and not its folder is found.
    made = folder / f"adapter-{name}"
    made.mkdir(parents=True)
    says = {"name": name, "title": name.title(), "class_": name.title().replace("_", "")}
    files = {f"adapter_{name}.py": ADAPTER, f"test_adapter_{name}.py": TESTS, "pyproject.toml": PROJECT}
    for file, text in files.items():
        (made / file).write_text(text.format(**says), encoding="utf-8")
    return made


def main(arguments: list[str]) -> int:
    """Write the skeleton and say what comes next; 2 where it cannot be written."""
    if len(arguments) not in {1, 2}:
        sys.stderr.write("Usage: python -m framework_m_migrations.testing.new_adapter NAME [FOLDER]\n")
        return 2
    try:
        made = make(arguments[0], Path(arguments[1] if len(arguments) == 2 else "."))
    except (ValueError, FileExistsError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(
        f"{made} is written. Next:\n"
        f"  pip install -e {made}\n"
        f"  pytest -p framework_m_migrations.testing.plugin --contract-report {made}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
