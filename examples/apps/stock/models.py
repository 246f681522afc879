"""What the warehouses store. Products belong to the shop: the foreign key is made by a revision."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

warehouse = sa.Table(
    "stock_warehouse",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.String(20), nullable=False),
    sa.Column("city", sa.String(80)),
    sa.UniqueConstraint("code", name="uq_stock_warehouse_code"),
)

level = sa.Table(
    "stock_level",
    metadata,
    sa.Column("warehouse_id", sa.Integer, primary_key=True),
    sa.Column("product_id", sa.Integer, primary_key=True),
    sa.Column("quantity", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.ForeignKeyConstraint(
        ["warehouse_id"],
        ["stock_warehouse.id"],
        name="fk_stock_level_warehouse",
        ondelete="CASCADE",
    ),
    sa.ForeignKeyConstraint(["product_id"], ["shop_product.id"], name="fk_stock_level_product"),
    sa.Index("ix_stock_level_product_id", "product_id"),
)
