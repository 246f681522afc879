"""orders

Revision ID: 8d24e6f90b13
Revises: 5f0c1a7be201
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "8d24e6f90b13"
down_revision = "5f0c1a7be201"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shop_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("placed_on", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=20), server_default="draft", nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["shop_customer.id"],
            name="fk_shop_order_customer",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_shop_order_customer_id", "shop_order", ["customer_id"])
    op.create_table(
        "shop_order_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["shop_order.id"],
            name="fk_shop_order_line_order",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["product_id"], ["shop_product.id"], name="fk_shop_order_line_product"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_shop_order_line_order_id", "shop_order_line", ["order_id"])


def downgrade() -> None:
    op.drop_index("ix_shop_order_line_order_id", table_name="shop_order_line")
    op.drop_table("shop_order_line")
    op.drop_index("ix_shop_order_customer_id", table_name="shop_order")
    op.drop_table("shop_order")
