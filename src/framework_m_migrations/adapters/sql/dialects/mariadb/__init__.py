"""MariaDB: one dialect for the drivers PyMySQL and asyncmy. Every DDL statement commits by itself."""
