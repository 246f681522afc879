"""The program's own fixtures serve here too."""

from __future__ import annotations

from tests.cli.conftest import server as server
