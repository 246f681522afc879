"""What runs by day, in `make test`, and what at night, in `make nightly` (HYPOTHESIS_PROFILE=nightly).

By day generated cases are few, what is tested through both drivers of a database runs through one of them, and what
stands above the databases (ABOVE) runs on one of those that its test is written for. Which one hangs on the name of
the test, so that each has its part of the tests. Tests marked ``night`` run at night only.
"""

from __future__ import annotations

import os
import re
import zlib
from collections import defaultdict
from collections.abc import Container, Iterable

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
PAIRS = (("sqlite", "aiosqlite"), ("psycopg", "asyncpg"), ("pymysql", "asyncmy"))
"""The drivers of each database."""
_DRIVERS = "|".join(driver for pair in PAIRS for driver in pair)
_DRIVER = re.compile(rf"(?<![a-z])(?:[a-z]+\+)?({_DRIVERS})(?![a-z+])")


ABOVE = ("tests/cli/", "tests/crowds/", "tests/framework_m/", "tests/run/", "tests/tenants/")
"""Folders of tests of what is the same on each database."""
_DATABASE = re.compile(rf"(?<![a-z])(?:[a-z]+\+)?({_DRIVERS}|postgres(?:ql)?|mariadb)(?![a-z+])")


def cases(quick: int, nightly: int) -> int:
    """The number for the profile that runs."""
    return nightly if NIGHTLY else quick


def by_day(arguments: Iterable[str]) -> bool:
    """False where everything runs: at night, and where the command line names single tests."""
    return not NIGHTLY and not any("::" in argument for argument in arguments)


def left_to_the_night(names: Iterable[str]) -> set[str]:
    """The tests that are left to the night, since by day the same test runs through another driver or database.

    Args:
        names: node ids. The driver or database is named by a parameter or, in the contract suite, by the file.
    """
    ways: dict[tuple[str, int | None], list[str]] = defaultdict(list)
    for name in names:
        place = name if name.startswith("tests/contract/") else name.partition("[")[2]
        above = name.startswith(ABOVE)
        found = (_DATABASE if above else _DRIVER).search(place)
        if found is None:
            continue
        pair = None if above else next(number for number, drivers in enumerate(PAIRS) if found[1] in drivers)
        prefix = name[: len(name) - len(place)]
        ways[prefix + place[: found.start()] + "*" + place[found.end() :], pair].append(name)
    return {
        name
        for (test, _), same in ways.items()
        for number, name in enumerate(sorted(same))
        if number != zlib.crc32(test.encode()) % len(same)
    }


def others(old: str, types: Iterable[str], always: Container[str] = ()) -> list[str]:
    """The types that a column of type ``old`` is changed to: by day every third, beside those that are always tried."""
    other = [new for new in types if new != old]
    return [new for new in other if NIGHTLY or new in always or zlib.crc32(f"{old} {new}".encode()) % 3 == 0]
