"""Whether this is Pyodide or the host."""

from __future__ import annotations

import platform

INSIDE: bool = platform.system() == "Emscripten"
