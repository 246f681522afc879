"""run --dry-run and --sql on MariaDB: what is printed makes the same table, and looking changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.cli.reports.previews import preview_sql
from framework_m_migrations.domain.plan import Risk
from tests._mariadb import MariadbDatabase
from tests.versions.conftest import apps as apps
from tests.versions.support import Apps, Bench, connected
from tests.versions.test_preview import other_words

pytestmark = pytest.mark.mariadb

FILE = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "{id}", {down!r}, {labels!r}, None
def upgrade():
    {up}
def downgrade():
    {back}
"""


def test_the_printed_sql_does_what_run_does(
    mariadb_database: MariadbDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "previewed" / "migrations" / "versions"
    folder.mkdir(parents=True)
    (tmp_path / "previewed" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    table = 'op.create_table("item", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("t", sa.String(9)))'
    first = FILE.format(id="aa01", down=None, labels=("previewed",), up=table, back='op.drop_table("item")')
    change = 'op.alter_column("item", "t", type_=sa.String(20), existing_type=sa.String(9))'
    second = FILE.format(id="aa02", down="aa01", labels=None, up=change, back="pass")
    (folder / "aa01.py").write_text(first, encoding="utf-8")
    (folder / "aa02.py").write_text(second, encoding="utf-8")
    url = mariadb_database.sync_url
    settings = MigrationSettings(database_url=url, apps=("previewed",), metadata=(), path=tmp_path)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    manager = MigrationManager(settings, engine=engine)

    def tables() -> list[str]:
        with engine.connect() as connection:
            names = [str(row[0]) for row in connection.exec_driver_sql("SHOW TABLES")]
            return [str(connection.exec_driver_sql(f"SHOW CREATE TABLE `{name}`").one()[1]) for name in names]

    before = tables()
    result = manager.preview_run()
    assert tables() == before
    assert [revision.id for revision, _ in result.revisions] == ["aa01", "aa02"]
    _, preview = result.revisions[1]
    assert preview.risk is Risk.SAFE
    assert "The run reads the table first" in preview.notes[0]
    script = preview_sql(result)
    assert "BEGIN" not in script
    with engine.begin() as connection:
        for statement in "\n".join(line for line in script.splitlines() if not line.startswith("--")).split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    by_hand = tables()
    assert manager.history().revisions[1][1]
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE item")
        connection.exec_driver_sql("DROP TABLE alembic_version")
    manager.run()
    kept = [text for text in tables() if "`__schema" not in text]
    assert kept == by_hand


def test_what_is_printed_is_what_is_sent(mariadb_database: MariadbDatabase, apps: Apps) -> None:
    with connected(mariadb_database.sync_url) as connection:
        assert other_words(Bench(connection, apps)) == {"change", "tighten", "drop"}
