"""Figures of Framework M's present engine, quoted: taken in process on another machine, medians, and labelled so.

Its no-op is hashing alone; one changed column makes it reflect everything. `make bench` also runs the real one, through
its own MigrationManager, where framework-m-standard is installed.
"""

from __future__ import annotations

from dataclasses import dataclass

OPERATIONS = ("no-op sync", "full comparison", "one changed table", "first sync")


@dataclass(frozen=True, slots=True)
class Quoted:
    """Seconds, and statements where they were counted."""

    seconds: float
    statements: int | None = None


FRAMEWORK_M: dict[tuple[str, int, str], Quoted] = {
    ("sqlite", 200, "no-op sync"): Quoted(0.093, 2),
    ("sqlite", 700, "no-op sync"): Quoted(0.24, 2),
    ("postgres", 200, "no-op sync"): Quoted(0.069, 2),
    ("postgres", 700, "no-op sync"): Quoted(0.23, 2),
    ("sqlite", 200, "full comparison"): Quoted(1.86, 5_379),
    ("sqlite", 700, "full comparison"): Quoted(7.0, 18_796),
    ("postgres", 200, "full comparison"): Quoted(1.06, 412),
    ("postgres", 700, "full comparison"): Quoted(3.9),
    ("sqlite", 200, "one changed table"): Quoted(1.36, 4_983),
    ("sqlite", 700, "one changed table"): Quoted(5.0, 17_400),
    ("postgres", 200, "one changed table"): Quoted(1.09, 18),
    ("postgres", 700, "one changed table"): Quoted(3.3, 18),
    ("sqlite", 200, "first sync"): Quoted(5.0, 2_532),
    ("sqlite", 700, "first sync"): Quoted(16.7, 8_824),
    ("postgres", 200, "first sync"): Quoted(4.0, 2_134),
    ("postgres", 700, "first sync"): Quoted(13.4, 7_426),
}

COMMANDS: dict[int, tuple[float, float]] = {50: (2.9, 2.9), 200: (3.6, 4.0)}
"""Seconds that a whole no-op `m migrate sync` takes, from and to, by number of tables."""
