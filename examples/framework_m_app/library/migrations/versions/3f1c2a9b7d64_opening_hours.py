"""opening hours

A table that no DocType stands for, with rows that the app needs from its first day on.
"""

import sqlalchemy as sa
from alembic import op

revision = "3f1c2a9b7d64"
down_revision = None
branch_labels = ("library",)
depends_on = None


def upgrade() -> None:
    hours = op.create_table(
        "opening_hours",
        sa.Column("weekday", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("opens", sa.String(5), nullable=False),
        sa.Column("closes", sa.String(5), nullable=False),
    )
    op.bulk_insert(hours, [{"weekday": day, "opens": "09:00", "closes": "18:00"} for day in range(5)])


def downgrade() -> None:
    op.drop_table("opening_hours")
