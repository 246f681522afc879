"""What is known of contacts."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

contact = sa.Table(
    "crm_contact",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(140), nullable=False),
    sa.Column("phone", sa.String(40)),
    sa.Index("ix_crm_contact_name", "name"),
)

note = sa.Table(
    "crm_note",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("contact_id", sa.Integer, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.ForeignKeyConstraint(
        ["contact_id"],
        ["crm_contact.id"],
        name="fk_crm_note_contact",
        ondelete="CASCADE",
    ),
)
