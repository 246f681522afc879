"""What is killed: releases that between them take every road on which the engine changes a database.

``release`` (project.py) is the long one. Here are those that need PostgreSQL or a command of their own: a revision made
of the helpers of ``framework_m_migrations.online``, the two halves that ``create --online`` writes, drops, and tenants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.killed.project import write_project


@dataclass(frozen=True)
class Scenario:
    """One release.

    Attributes:
        write: writes the project as it was and as it is released, into a folder.
        command: what carries the release out, a command of inside.py.
        start: what makes the database of before.
        setup: statements before that.
        rows: statements after it.
        writes_revisions: the release's revisions are written by ``create --online``.
    """

    write: Callable[[Path], tuple[Path, Path]]
    command: str = "all"
    start: str = "all"
    setup: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    writes_revisions: bool = False


HEAD = """
import sqlalchemy as sa
metadata = sa.MetaData()
def table(name, *columns, tenant=None, **options):
    return sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *columns,
                    info={} if tenant is None else {"tenant": tenant}, **options)
"""
FIRST = """
revision, down_revision, branch_labels, depends_on = "yard0001", None, ("yard",), None
def upgrade():
    pass
def downgrade():
    pass
"""
HELPERS = """
from alembic import op
from framework_m_migrations import online
revision, down_revision, branch_labels, depends_on = "yard0002", "yard0001", None, None
def upgrade():
    op.execute("CREATE TABLE IF NOT EXISTS made (id integer)")
    online.create_index_concurrently("ix_big_name", "big", ["name"])
    online.add_unique("uq_big_code", "big", ["code"])
    online.add_check("ck_big_qty", "big", "qty >= 0")
    online.add_foreign_key("fk_big_kind", "big", "kind", ["kind_id"], ["id"])
    online.add_enum_value("mood", "glad")
    online.backfill("big", {"note": "'n' || id"}, where="note IS NULL", batch_size=100, pause=0)
    online.set_not_null("big", "note")
    op.execute("INSERT INTO made VALUES (1)")
def downgrade():
    pass
"""
BIG = """
table("kind")
table("big", sa.Column("name", sa.Text), sa.Column("code", sa.Integer), sa.Column("qty", sa.Integer),
      sa.Column("kind_id", sa.Integer), sa.Column("note", sa.Text), sa.Column("mood", sa.Enum("sad", name="mood")))
"""
BIG_ROWS = (
    "INSERT INTO big (id, name, code, qty, kind_id, mood) "
    "SELECT n, 'name ' || n, n, n, 1 + n %% 9, 'sad' FROM generate_series(1, 450) n"
)
BIG_AFTER = """
table("kind")
table("big", sa.Column("name", sa.Text, index=True), sa.Column("code", sa.Integer), sa.Column("qty", sa.Integer),
      sa.Column("kind_id", sa.ForeignKey("kind.id", name="fk_big_kind")), sa.Column("note", sa.Text, nullable=False),
      sa.Column("mood", sa.Enum("sad", "glad", name="mood")), sa.UniqueConstraint("code", name="uq_big_code"),
      sa.CheckConstraint("qty >= 0", name="ck_big_qty"))
"""
ITEM = """
table("item", sa.Column("title", sa.String(40), nullable=False), sa.Column("qty", sa.Integer),
      sa.Column("note", sa.Text), sa.Index("ix_title", "title"))
"""
ITEM_AFTER = """
table("item", sa.Column("label", sa.String(40), nullable=False, info={"renamed_from": "title"}),
      sa.Column("qty", sa.BigInteger), sa.Column("note", sa.Text, nullable=False, default="-"),
      sa.Index("ix_label", "label"))
"""
SURPLUS = """
table("keep", sa.Column("a", sa.Integer, index=True), sa.Column("b", sa.Integer, index=True),
      sa.Column("c", sa.Integer), sa.Column("d", sa.Integer), sa.CheckConstraint("c > 0", name="ck_c"),
      sa.UniqueConstraint("a", "d", name="uq_a"))
table("gone", sa.Column("other", sa.ForeignKey("keep.id", name="fk_keep")), sa.Column("t", sa.Text, index=True))
table("leaf", sa.Column("gone", sa.ForeignKey("gone.id", name="fk_gone")))
"""
LEAN = """
table("keep", sa.Column("a", sa.Integer), sa.Column("d", sa.Integer), sa.Column("more", sa.Integer, index=True))
"""
DROPPED_ROWS = (
    "INSERT INTO keep (id, a, b, c, d) VALUES (1, 1, 1, 1, 1), (2, 2, 2, 2, 2)",
    "INSERT INTO gone (id, other) VALUES (1, 1)",
    "INSERT INTO leaf (id, gone) VALUES (1, 1)",
)
SHARED = """
table("currency", sa.Column("code", sa.String(9)), tenant=False)
table("order", sa.Column("total", sa.Integer), tenant=True)
"""
SHARED_AFTER = """
table("currency", sa.Column("code", sa.String(20), index=True), tenant=False)
table("order", sa.Column("total", sa.Integer, index=True), sa.Column("vat", sa.Integer, server_default="7"),
      tenant=True)
table("line", sa.Column("parent", sa.ForeignKey("order.id", name="fk_line")), tenant=True)
"""


def _pair(before: str, after: str, *revisions: str) -> Callable[[Path], tuple[Path, Path]]:
    def write(folder: Path) -> tuple[Path, Path]:
        made = []
        for name, models, files in (("before", before, (FIRST,)), ("after", after, (FIRST, *revisions))):
            package = folder / name / "yard"
            versions = package / "migrations" / "versions"
            versions.mkdir(parents=True)
            (package / "__init__.py").write_text("")
            (package / "models.py").write_text(HEAD + models)
            for number, text in enumerate(files, 1):
                (versions / f"{number:04}.py").write_text(text)
            made.append(folder / name)
        return made[0], made[1]

    return write


def _release(folder: Path) -> tuple[Path, Path]:
    return (
        write_project(folder / "before", released=False),
        write_project(folder / "after", released=True),
    )


SCENARIOS = {
    "release": Scenario(
        _release,
        rows=(
            *(f"INSERT INTO customer (id, name, kind) VALUES ({n}, 'name {n}', 'trade')" for n in range(1, 40)),
            *(f"INSERT INTO invoice (id, customer_id, total) VALUES ({n}, {n % 39 + 1}, {n})" for n in range(1, 80)),
        ),
    ),
    "helpers": Scenario(
        _pair(BIG, BIG_AFTER, HELPERS),
        rows=(
            "INSERT INTO kind SELECT n FROM generate_series(1, 9) n",
            BIG_ROWS,
        ),
    ),
    "halves": Scenario(
        _pair(ITEM, ITEM_AFTER),
        command="online",
        rows=("INSERT INTO item SELECT n, 'title ' || n, n, NULLIF(n %% 3, 0)::text FROM generate_series(1, 300) n",),
        writes_revisions=True,
    ),
    "drops": Scenario(
        _pair(SURPLUS, LEAN),
        command="drops",
        rows=DROPPED_ROWS,
    ),
    "fleet": Scenario(
        _pair(SHARED, SHARED_AFTER),
        command="fleet",
        start="fleet",
        setup=("CREATE SCHEMA one", "CREATE SCHEMA two"),
        rows=tuple(
            f'INSERT INTO {schema}."order" (id, total) SELECT n, n FROM generate_series(1, 50) n'
            for schema in ("one", "two")
        ),
    ),
}
