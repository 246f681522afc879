"""Imports what the page needs, once, when its memory snapshot is made: a migration forwards and backwards is run."""

import contextlib
import shutil
import sys
from pathlib import Path

import drawing
import engine  # noqa: F401
import postgres
import rows
import sqlalchemy as sa
from models import metadata_of

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.pyodide import stores  # noqa: F401
from framework_m_migrations.domain.errors import MigrationError

MODEL = """from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): ...
class Warm(Base):
    __tablename__ = "warmed"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
folder = Path("/warm")
(folder / "warmed" / "migrations" / "versions").mkdir(parents=True)
(folder / "warmed" / "__init__.py").touch()
sys.path.append(str(folder))
database = folder / "dev.db"


def migrate(text: str) -> MigrationManager:
    """Everything once, with these models."""
    metadata = metadata_of({"warmed": text})
    tables = {table.name: table for one in metadata for table in one.tables.values()}
    settings = MigrationSettings(f"sqlite:///{database}", apps=("warmed",), metadata=metadata, path=folder)
    manager = MigrationManager(settings)
    plan = manager.plan()
    for change in plan.changes:
        postgres.Postgres(metadata).shown(change.planned, ())
    manager.sync()
    rows.sample(database, tables, "warmed")
    rows.rows_of(database, tables)
    drawing.tables_in(database)
    drawing.tables_wanted(metadata)
    return manager


migrate(MODEL)
manager = migrate(f"{MODEL}    title: Mapped[str]\n")
manager.possible_renames("warmed")
manager.create("warmed", app="warmed")
manager.history()
with contextlib.suppress(MigrationError):  # its row has no title
    manager.run()
for name in [name for name in sys.modules if name.partition(".")[0] == "warmed"]:
    del sys.modules[name]
sys.path.remove(str(folder))
sa.orm.clear_mappers()
shutil.rmtree(folder)
