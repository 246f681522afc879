"""customers and products

Revision ID: 5f0c1a7be201
Revises: nothing, it is the first one
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "5f0c1a7be201"
down_revision = None
branch_labels = ("shop",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shop_customer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("first_name", sa.String(length=80), nullable=False),
        sa.Column("last_name", sa.String(length=80), nullable=False),
        sa.Column("email", sa.String(length=140), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email", name="uq_shop_customer_email"),
    )
    op.create_table(
        "shop_product",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=140), nullable=False),
        sa.Column(
            "price",
            sa.Numeric(precision=10, scale=2),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.CheckConstraint("price >= 0", name="ck_shop_product_price"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sku", name="uq_shop_product_sku"),
    )


def downgrade() -> None:
    op.drop_table("shop_product")
    op.drop_table("shop_customer")
