"""Real databases, as the contract suite wants them."""

from framework_m_migrations.testing.databases import AppFiles, SqlHarness, SqlRunnerHarness, recorded

__all__ = ["AppFiles", "SqlHarness", "SqlRunnerHarness", "recorded"]
