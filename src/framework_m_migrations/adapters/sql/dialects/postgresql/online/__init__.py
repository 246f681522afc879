"""What hand-written revisions call to change a busy PostgreSQL; see framework_m_migrations.online."""
