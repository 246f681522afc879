"""The contracts, one file a port. Import them from framework_m_migrations.testing."""
