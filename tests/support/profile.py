"""How many generated cases a test runs: few in `make test`, many under HYPOTHESIS_PROFILE=nightly (`make nightly`)."""

from __future__ import annotations

import os

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"


def cases(quick: int, nightly: int) -> int:
    """The number for the profile that runs."""
    return nightly if NIGHTLY else quick
