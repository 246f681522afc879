"""warehouses and stock levels

Revision ID: 2a9f3c60d7e4
Revises: nothing, it is the first one
Depends on: 5f0c1a7be201

It refers to the shop's products, so it waits for the revision that makes them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2a9f3c60d7e4"
down_revision = None
branch_labels = ("stock",)
depends_on = "5f0c1a7be201"


def upgrade() -> None:
    op.create_table(
        "stock_warehouse",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code", name="uq_stock_warehouse_code"),
    )
    op.create_table(
        "stock_level",
        sa.Column("warehouse_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["warehouse_id"],
            ["stock_warehouse.id"],
            name="fk_stock_level_warehouse",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["product_id"], ["shop_product.id"], name="fk_stock_level_product"),
        sa.PrimaryKeyConstraint("warehouse_id", "product_id"),
    )
    op.create_index("ix_stock_level_product_id", "stock_level", ["product_id"])


def downgrade() -> None:
    op.drop_index("ix_stock_level_product_id", table_name="stock_level")
    op.drop_table("stock_level")
    op.drop_table("stock_warehouse")
