"""One package for each SQL dialect, each implementing base.SqlDialect with the same file names."""
