"""What the shop stores."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

customer = sa.Table(
    "shop_customer",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("first_name", sa.String(80), nullable=False),
    sa.Column("last_name", sa.String(80), nullable=False),
    sa.Column("email", sa.String(140)),
    sa.Column("full_name", sa.String(161), nullable=False),
    sa.UniqueConstraint("email", name="uq_shop_customer_email"),
)

product = sa.Table(
    "shop_product",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sku", sa.String(40), nullable=False),
    sa.Column("title", sa.String(140), nullable=False),
    sa.Column("price", sa.Numeric(10, 2), nullable=False, server_default=sa.text("0")),
    sa.UniqueConstraint("sku", name="uq_shop_product_sku"),
    sa.CheckConstraint("price >= 0", name="ck_shop_product_price"),
)

order = sa.Table(
    "shop_order",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("customer_id", sa.Integer, nullable=False),
    sa.Column("placed_on", sa.Date, nullable=False),
    sa.Column("status", sa.String(20), nullable=False, server_default="draft"),
    sa.ForeignKeyConstraint(
        ["customer_id"],
        ["shop_customer.id"],
        name="fk_shop_order_customer",
        ondelete="RESTRICT",
    ),
    sa.Index("ix_shop_order_customer_id", "customer_id"),
)

order_line = sa.Table(
    "shop_order_line",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("order_id", sa.Integer, nullable=False),
    sa.Column("product_id", sa.Integer, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False, server_default=sa.text("1")),
    sa.ForeignKeyConstraint(
        ["order_id"],
        ["shop_order.id"],
        name="fk_shop_order_line_order",
        ondelete="CASCADE",
    ),
    sa.ForeignKeyConstraint(["product_id"], ["shop_product.id"], name="fk_shop_order_line_product"),
    sa.Index("ix_shop_order_line_order_id", "order_id"),
)
