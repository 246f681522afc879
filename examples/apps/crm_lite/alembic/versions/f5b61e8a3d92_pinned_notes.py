"""pinned notes

Revision ID: f5b61e8a3d92
Revises: e3d8a94f1c70
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "f5b61e8a3d92"
down_revision = "e3d8a94f1c70"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("crm_note") as batch_op:
        batch_op.add_column(sa.Column("pinned", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("crm_note", "pinned")
