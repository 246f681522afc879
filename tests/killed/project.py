"""The project that is killed: one app with a chain of revisions and models, as it was and as it is released next.

The release takes every road that the engine has: new tables that reference each other in a circle, columns with
defaults of the server and of the application, wider types, indexes and unique constraints on tables with rows, checks
and foreign keys that are validated later, enumerations; and revisions with DDL, with rows, and with a block that is
outside any transaction.
"""

from __future__ import annotations

from pathlib import Path

MODELS_BEFORE = """
import sqlalchemy as sa
metadata = sa.MetaData()
customer = sa.Table(
    "customer", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20)),
    sa.Column("kind", sa.Enum("retail", "trade", name="kind", length=20)),
)
invoice = sa.Table(
    "invoice", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("customer_id", sa.Integer),
    sa.Column("total", sa.Integer),
)
"""
MODELS_AFTER = """
import sqlalchemy as sa
metadata = sa.MetaData()
customer = sa.Table(
    "customer", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(80), index=True),
    sa.Column("kind", sa.Enum("retail", "trade", "export", name="kind", length=20)),
    sa.Column("email", sa.String(100), index=True), sa.Column("code", sa.String(20)),
    sa.Column("vat", sa.Integer, nullable=False, server_default="19"),
    sa.Column("stage", sa.Enum("new", "known", name="stage", length=20), nullable=False, default="new"),
    sa.UniqueConstraint("name", name="uq_customer_name"), sa.UniqueConstraint("code"),
)
invoice = sa.Table(
    "invoice", metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("customer_id", sa.ForeignKey("customer.id", name="fk_invoice_customer")),
    sa.Column("total", sa.Integer, index=True), sa.Column("note", sa.Text, comment="what it's for"),
    sa.CheckConstraint("total > -1", name="ck_total"),
)
for number in range(3):
    sa.Table(
        f"ring{number}", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("label", sa.String(9)),
        sa.Column("next", sa.ForeignKey(f"ring{(number + 1) % 3}.id", name=f"fk_ring{number}", use_alter=True)),
        sa.Index(f"ix_ring{number}", "label"),
    )
"""
REVISION = '''
"""r{number}"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "yard{number:04}", {down!r}
branch_labels, depends_on = {labels!r}, None
def upgrade():
    op.create_table("made{number}", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.String(40)))
    {body}
def downgrade():
    op.drop_table("made{number}")
'''
ROWS = 'op.execute("INSERT INTO made{number} (id, text) SELECT id, name FROM customer")'
UPDATE = "op.execute(\"UPDATE customer SET name = name || '{number}'\")"
COLUMN = 'op.add_column("made{number}", sa.Column("more", sa.Integer, server_default="3"))'
INDEX = 'op.create_index("ix_made{number}", "made{number}", ["text"])'
# What a transaction does not hold must bear to be repeated: the table is made before the block, and committed with it.
OUTSIDE = """pass
    with op.get_context().autocommit_block():
        concurrently = op.get_bind().dialect.name == "postgresql"
        op.create_index("ix_outside", "invoice", ["total", "id"], if_not_exists=True,
                        postgresql_concurrently=concurrently)"""
BODIES_BEFORE = ("pass", INDEX)
BODIES_AFTER = (ROWS, UPDATE, COLUMN, ROWS, INDEX)


def write_project(folder: Path, *, released: bool) -> Path:
    """Write the project as it was, or as it is released; returns its folder."""
    versions = folder / "yard" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "yard" / "__init__.py").write_text("")
    (folder / "yard" / "models.py").write_text(MODELS_AFTER if released else MODELS_BEFORE)
    bodies = (*BODIES_BEFORE, *(BODIES_AFTER if released else ()))
    for number, body in enumerate(bodies, start=1):
        down = None if number == 1 else f"yard{number - 1:04}"
        labels = ("yard",) if number == 1 else None
        text = REVISION.format(number=number, down=down, labels=labels, body=body.format(number=number))
        (versions / f"{number:04}.py").write_text(text)
    if released:
        number = len(bodies) + 1
        text = REVISION.format(number=number, down=f"yard{number - 1:04}", labels=None, body="pass")
        head, _, tail = text.partition("def upgrade():")
        upgrade = f"def upgrade():\n    {OUTSIDE}\n"
        (versions / f"{number:04}.py").write_text(f"{head}{upgrade}def downgrade():\n    op.drop_index('ix_outside')\n")
        assert tail
    return folder
