"""Issue 2, point 7: hooks of apps around a sync."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager
from framework_m_migrations.domain.errors import AppBroken, HookFailed
from tests.sync.conftest import Site

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
"""


@pytest.fixture
def app(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """An app package with models and hooks, importable for the time of the test; its log is ``seen``."""
    package = tmp_path / "apps" / "hookapp"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").write_text("seen = []\n")
    (package / "models.py").write_text(MODELS)
    sys.path.insert(0, str(package.parent))
    yield package
    sys.path.remove(str(package.parent))
    for name in [name for name in sys.modules if name == "hookapp" or name.startswith("hookapp.")]:
        del sys.modules[name]


def write_hooks(app: Path, text: str) -> None:
    (app / "migrations" / "__init__.py").write_text(textwrap.dedent(text))


def manager(site: Site) -> MigrationManager:
    return site.manager(apps=("hookapp",))


def seen() -> list[object]:
    module = sys.modules["hookapp"]
    found: list[object] = module.seen
    return found


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_hooks_are_called_with_what_they_ask_for_by_name(site: Site, app: Path, kind: str) -> None:
    write_hooks(
        app,
        f"""
        from hookapp import seen
        {kind} before_sync(app, plan):
            seen.append(("before", app, len(plan.changes)))
        {kind} after_sync(result, engine, connection):
            seen.append(("after", result.steps, engine is not None, connection is not None))
        """,
    )
    manager(site).sync()
    assert seen() == [("before", "hookapp", 1), ("after", 1, True, True)]


def test_hooks_can_write_through_the_connection_they_are_given(site: Site, app: Path) -> None:
    write_hooks(
        app,
        """
        import sqlalchemy as sa
        def after_sync(connection):
            connection.execute(sa.text("INSERT INTO thing (id) VALUES (7)"))
        """,
    )
    manager(site).sync()
    assert site.rows("SELECT id FROM thing") == [(7,)]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_failing_before_hook_stops_before_any_change(site: Site, app: Path, kind: str) -> None:
    write_hooks(app, f"{kind} before_sync():\n    raise ValueError('not today')\n")
    with pytest.raises(HookFailed, match="not today"):
        manager(site).sync()
    assert "thing" not in site.inspect().get_table_names()
    write_hooks(app, "")
    for name in [name for name in sys.modules if name.startswith("hookapp.migrations")]:
        del sys.modules[name]
    manager(site).sync()
    assert "thing" in site.inspect().get_table_names(), "the lock was given back"


def test_no_hook_runs_when_nothing_is_applied(site: Site, app: Path) -> None:
    write_hooks(app, "from hookapp import seen\ndef before_sync():\n    seen.append('before')\n")
    manager(site).sync(dry_run=True)
    manager(site).plan()
    assert seen() == []
    manager(site).sync()
    manager(site).sync()
    assert seen() == ["before"]


def test_what_a_before_hook_changes_is_taken_into_account(site: Site, app: Path) -> None:
    write_hooks(
        app,
        """
        import sqlalchemy as sa
        def before_sync(connection):
            connection.execute(sa.text("CREATE TABLE thing (id integer PRIMARY KEY)"))
        """,
    )
    manager(site).sync()
    assert manager(site).plan(force=True).plan.is_empty


def test_a_hook_module_that_does_not_import_is_an_error_that_names_it(site: Site, app: Path) -> None:
    write_hooks(app, "import nothing_of_that_name\n")
    with pytest.raises(AppBroken, match="hookapp"):
        manager(site).sync()
    assert sa.inspect(site.plain).get_table_names() == []
