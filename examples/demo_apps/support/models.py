"""What support knows of its customers' troubles."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

ticket = sa.Table(
    "support_ticket",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("subject", sa.String(140), nullable=False),
    sa.Column("opened_at", sa.DateTime),
    sa.Index("ix_support_ticket_opened_at", "opened_at"),
)
