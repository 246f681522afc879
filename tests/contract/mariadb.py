"""MariaDB, as the contract suite wants it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations.testing import Meddling
from tests._mariadb import MariadbDatabase
from tests.contract.sql import SqlHarness

MEDDLING = {
    Meddling.CREATE_TABLE: "CREATE TABLE `{0}` (id INTEGER NOT NULL PRIMARY KEY, note TEXT)",
    Meddling.ADD_COLUMN: "ALTER TABLE `{0}` ADD COLUMN extra INTEGER",
    Meddling.DROP_COLUMN: "ALTER TABLE `{0}` DROP COLUMN extra",
    Meddling.CREATE_INDEX: "CREATE INDEX `ix_{0}_note` ON `{0}` (note(50))",
    Meddling.DROP_INDEX: "DROP INDEX `ix_{0}_note` ON `{0}`",
    Meddling.DROP_TABLE: "DROP TABLE `{0}`",
}


class MariadbHarness(SqlHarness):
    """One database, and another one beside it as the other schema."""

    volatile = "rand()"

    def __init__(self, url: str, database: MariadbDatabase, folder: Path) -> None:
        super().__init__(url, database.sync_url, folder)
        self.beside = self.other_schema = f"{database.name}_beside"
        self.execute(f"CREATE OR REPLACE DATABASE {self.beside}")

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def literal(self, text: str) -> str:
        return super().literal(text.replace("\\", "\\\\"))

    def meddle(self, meddling: Meddling, table: str) -> None:
        self.execute(MEDDLING[meddling].format(table))

    def execute(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement.replace(":", "\\:")))
