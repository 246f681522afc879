"""full names of customers

Revision ID: c41b7d09e8a6
Revises: 8d24e6f90b13

A data migration: the rows that exist get their value before NOT NULL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "c41b7d09e8a6"
down_revision = "8d24e6f90b13"
branch_labels = None
depends_on = None

customer = sa.table(
    "shop_customer",
    sa.column("first_name", sa.String()),
    sa.column("last_name", sa.String()),
    sa.column("full_name", sa.String()),
)


def upgrade() -> None:
    op.add_column("shop_customer", sa.Column("full_name", sa.String(length=161)))
    op.execute(customer.update().values(full_name=customer.c.first_name + " " + customer.c.last_name))
    with op.batch_alter_table("shop_customer") as batch_op:
        batch_op.alter_column("full_name", existing_type=sa.String(length=161), nullable=False)


def downgrade() -> None:
    op.drop_column("shop_customer", "full_name")
