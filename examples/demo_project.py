"""The project that the demo plays with: the example apps in a folder of their own, a database, rows, and edits."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
APPS = ("shop", "stock", "crm_lite", "support")
SOURCES = (EXAMPLES / "apps", EXAMPLES / "demo_apps")
COMMAND = Path(sys.executable).with_name("m-migrate")

ROWS: dict[str, list[tuple[object, ...]]] = {
    "shop_customer (id, first_name, last_name, full_name, email)": [
        (1, "Ada", "Lovelace", "Ada Lovelace", "ada@example.org"),
        (2, "Grace", "Hopper", "Grace Hopper", "grace@example.org"),
        (3, "Edsger", "Dijkstra", "Edsger Dijkstra", None),
    ],
    "shop_product (id, sku, title, price)": [(1, "B-1", "Notes", 12.5), (2, "B-2", "Compilers", 40)],
    "shop_order (id, customer_id, placed_on)": [(1, 1, "2026-01-05"), (2, 2, "2026-02-07"), (3, 1, "2026-03-01")],
    "stock_warehouse (id, code, city)": [(1, "N", "Oslo"), (2, "S", "Porto")],
    "crm_contact (id, name, phone)": [(1, "Alan Turing", "+44 1")],
    "support_ticket (id, subject)": [(1, "The parcel is late"), (2, "Wrong book")],
}


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a file: ``old`` occurs once and becomes ``new``."""

    file: str
    old: str
    new: str


FULL_NAME = '    sa.Column("full_name", sa.String(161), nullable=False),\n'
PHONE = '    sa.Column("phone", sa.String(40)),\n'
STATUS = '    sa.Column("status", sa.String(20), nullable=False, server_default="draft"),\n'

A_FIELD_MORE = (Edit("shop/models.py", FULL_NAME, FULL_NAME + PHONE),)
THREE_RISKS = (
    Edit(
        "shop/models.py",
        STATUS,
        STATUS + '    sa.Column("note", sa.Text),\n    sa.Column("currency", sa.String(3), nullable=False),\n',
    ),
    Edit("shop/models.py", '"title", sa.String(140)', '"title", sa.String(80)'),
    Edit("shop/models.py", PHONE, ""),
)


class Project:
    """A copy of the apps in ``folder``, and the SQLite file ``demo.db`` beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "demo.db"
        for app in APPS:
            source = next(place / app for place in SOURCES if (place / app).is_dir())
            shutil.copytree(source, folder / app, ignore=shutil.ignore_patterns("__pycache__"))

    def environment(self) -> dict[str, str]:
        """The environment of the commands: theirs, with nothing that could lead them to another database."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FRAMEWORK_M", "DATABASE", "PYTHON")) and name != "INSTALLED_APPS"
        }
        return {**kept, "DATABASE_URL": "sqlite:///demo.db", "INSTALLED_APPS": ",".join(APPS)}

    def put_rows_in(self) -> int:
        """Insert the rows; returns how many."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection, connection:
            for target, rows in ROWS.items():
                places = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {target} VALUES ({places})", rows)
        return sum(len(rows) for rows in ROWS.values())

    def rows_lost(self) -> list[str]:
        """The rows put in that are not there any more as they were."""
        lost = []
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            for target, rows in ROWS.items():
                table, columns = target.rstrip(")").split(" (")
                there = set(connection.execute(f"SELECT {columns} FROM {table}"))
                lost += [f"{table} {row}" for row in rows if row not in there]
        return lost

    def edit(self, edits: tuple[Edit, ...]) -> None:
        """Change files.

        Raises:
            RuntimeError: what was to be replaced is not there, or there more than once.
        """
        for one in edits:
            path = self.folder / one.file
            text = path.read_text(encoding="utf-8")
            if text.count(one.old) != 1:
                raise RuntimeError(f"{one.file} has this {text.count(one.old)} times instead of once: {one.old!r}")
            path.write_text(text.replace(one.old, one.new), encoding="utf-8")
