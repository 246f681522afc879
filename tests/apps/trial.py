"""Runs within an application's environment: its MetaData against real databases. Prints what is wrong, as JSON.

Arguments: the application's name, then the URLs of three empty databases.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import re
import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from tests.apps.applications import APPLICATIONS, Application
from tests.equivalence.judges import JUDGES, Dump, difference

INI = """[alembic]
[loggers]
keys = root
[handlers]
keys =
[formatters]
keys =
[logger_root]
level = CRITICAL
handlers =
"""


def metadata_of(app: Application) -> sa.MetaData:
    """The application's MetaData."""
    exec(app.prepared)
    module, _, attribute = app.metadata.partition(":")
    found = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    assert isinstance(found, sa.MetaData)
    return found


def dump(url: str) -> Dump:
    """What the database itself says."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        return JUDGES[connection.dialect.name](connection)


def upgrade(app: Application, url: str) -> None:
    """The application's own history, by plain Alembic."""
    from alembic import command
    from alembic.config import Config

    package = Path(str(importlib.import_module(app.package).__file__)).parent
    # Many an env.py reads the file once more, for its loggers.
    file = Path(tempfile.mkdtemp()) / "alembic.ini"
    file.write_text(INI)
    config = Config(str(file))
    config.set_main_option("script_location", str(package / app.history))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "heads")


_NAME = r"(?:[\w$]+|\"[^\"]+\")"
_SAME = (
    # Models give few constraints a name, and one under another name is the one that is wanted.
    (rf"CONSTRAINT {_NAME} (?=UNIQUE|FOREIGN|CHECK|PRIMARY|NOT NULL)", lambda said: ""),
    (r"(?<=UNIQUE )\(([^)]*)\)", lambda said: ", ".join(sorted(one.strip() for one in said[1].split(",")))),
    (rf"REFERENCES (?:public\.)?{_NAME}", lambda said: "REFERENCES " + hashlib.sha256(said[0].encode()).hexdigest()),
    (r"ON (DELETE|UPDATE) (\w+)", lambda said: said[0].upper()),
    (r"(?<=DEFAULT )'(\d+)'", lambda said: said[1]),
)


def rules(dump: Dump) -> Dump:
    """What a dump says, without what makes no other schema; a table that is referred to is not named."""

    def plain(text: str) -> str:
        for pattern, other in _SAME:
            text = re.sub(pattern, other, text)
        return text

    return {
        plain(name): tuple(sorted(plain(part) for part in parts if not part.startswith("foreign key (")))
        for name, parts in dump.items()
        if not name.startswith(("CREATE FUNCTION", "IF ", "END", "  IF"))
    }


def touched(found: Dump, wanted: Dump, tables: set[str]) -> set[str]:
    """The tables whose objects differ."""
    found, wanted = rules(found), rules(wanted)
    differing = [name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)]
    # An index and a sequence name their table in their definition; a table may have a column called like another one.
    texts = [
        name if "TABLE " in name[:13].upper() else " ".join((name, *found.get(name, ()), *wanted.get(name, ())))
        for name in differing
    ]
    return {table for table in tables for text in texts if re.search(rf"\b{re.escape(table)}\b", text)}


def trial(app: Application, work: str, ideal: str, adopted: str) -> dict[str, object]:
    """What is wrong with sync into an empty database, and with the adoption of one that the application made."""
    metadata = metadata_of(app)
    settings = MigrationSettings(database_url=work, metadata=(metadata,))
    manager = MigrationManager(settings)
    withheld = [item.to_dict() if hasattr(item, "to_dict") else str(item) for item in manager.sync().withheld]
    planned = [one["what"] for one in manager.plan(force=True).to_dict()["changes"]]
    metadata.create_all(sa.create_engine(ideal, poolclass=sa.pool.NullPool))
    wanted = dump(ideal)
    found: dict[str, object] = {"withheld": withheld, "planned": planned, "differs": difference(dump(work), wanted)}
    if app.history:
        upgrade(app, adopted)
        before = dump(adopted)
        plan = MigrationManager(MigrationSettings(database_url=adopted, metadata=(metadata,))).plan(force=True)
        changes = plan.to_dict()["changes"]
        tables = set(metadata.tables)
        told = {change["table"].split(".")[-1] for change in changes}
        told |= {note.what.partition(":")[0] for note in plan.plan.notes}
        real = touched(before, wanted, tables)
        # A table differs by the database's own words, and the plan says nothing of it; or the other way round.
        found |= {"masked": sorted(real - told), "phantom": [one for one in changes if one["table"] not in real]}
        found["adoption"] = [f"{one['table']}: {one['what']}" for one in changes]
        found["differences"] = difference(before, wanted)
    return found


def main() -> None:
    """Try one application."""
    logging.disable(logging.CRITICAL)
    name, *urls = sys.argv[1:]
    app = next(one for one in APPLICATIONS if one.name == name)
    sys.stdout.write(json.dumps(trial(app, *urls)) + "\n")


if __name__ == "__main__":
    main()
