"""Revision files as text: what a revision does, in Alembic's vocabulary or through helpers of ours."""
