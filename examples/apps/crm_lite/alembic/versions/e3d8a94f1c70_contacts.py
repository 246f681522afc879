"""contacts and notes

Revision ID: e3d8a94f1c70
Revises: nothing, it is the first one
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "e3d8a94f1c70"
down_revision = None
branch_labels = ("crm_lite",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "crm_contact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=140), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_contact_name", "crm_contact", ["name"])
    op.create_table(
        "crm_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contact.id"],
            name="fk_crm_note_contact",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("crm_note")
    op.drop_index("ix_crm_contact_name", table_name="crm_contact")
    op.drop_table("crm_contact")
