"""Column types that revision files name. What is written today must run in years: nothing here goes away."""

from __future__ import annotations

from framework_m_migrations.adapters.sql.verbatim import SqlType

__all__ = ["SqlType"]
