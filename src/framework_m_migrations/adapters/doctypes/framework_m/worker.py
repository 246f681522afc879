"""The host in a browser's worker, where there is no greenlet.

The host's package ``framework_m_standard.adapters.db`` imports its asynchronous connections when it is imported, and
these need greenlet, which exists for no browser. The schema mapper in the same folder needs none of that.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

PACKAGE = "framework_m_standard.adapters.db"


def make_importable() -> None:
    """Let modules of the host's package for databases be imported one by one, where the package itself cannot be.

    Does nothing where greenlet is installed, and nothing when the package is there already. A module that does need
    greenlet still fails when it is imported, with an error of its own.
    """
    if PACKAGE in sys.modules or importlib.util.find_spec("greenlet") is not None:
        return
    import framework_m_standard.adapters

    package = ModuleType(PACKAGE)
    package.__path__ = [f"{folder}/db" for folder in framework_m_standard.adapters.__path__]
    sys.modules[PACKAGE] = package
    vars(framework_m_standard.adapters)["db"] = package
