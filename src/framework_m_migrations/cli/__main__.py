"""``python -m framework_m_migrations.cli``: the same as ``m-migrate``."""

from __future__ import annotations

import sys

from framework_m_migrations.cli import main

if __name__ == "__main__":
    sys.exit(main())
