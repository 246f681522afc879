"""cities of warehouses

Revision ID: b70e51d2f9c8
Revises: 2a9f3c60d7e4
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "b70e51d2f9c8"
down_revision = "2a9f3c60d7e4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stock_warehouse", sa.Column("city", sa.String(length=80), nullable=True))


def downgrade() -> None:
    op.drop_column("stock_warehouse", "city")
