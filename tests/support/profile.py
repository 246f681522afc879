"""What runs by day, in `make test`, and what at night, in `make nightly` (HYPOTHESIS_PROFILE=nightly).

By day generated cases are few, and what is tested through both drivers of a database runs through one of them. Which
one hangs on the name of the test, so that each driver has half of the tests. Tests marked ``night`` run at night only.
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


def cases(quick: int, nightly: int) -> int:
    """The number for the profile that runs."""
    return nightly if NIGHTLY else quick


def of_the_other_driver(names: Iterable[str]) -> set[str]:
    """The tests that are left to the night, since by day the same test runs through the other driver of its database.

    Args:
        names: node ids. The driver is named by a parameter or, in the contract suite, by the file.
    """
    ways: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for name in names:
        place = name if name.startswith("tests/contract/") else name.partition("[")[2]
        found = _DRIVER.search(place)
        if found is None:
            continue
        pair = next(number for number, drivers in enumerate(PAIRS) if found[1] in drivers)
        prefix = name[: len(name) - len(place)]
        ways[prefix + place[: found.start()] + "*" + place[found.end() :], pair][found[1]] = name
    return {
        driven[PAIRS[pair][zlib.crc32(test.encode()) % 2]] for (test, pair), driven in ways.items() if len(driven) == 2
    }


def others(old: str, types: Iterable[str], always: Container[str] = ()) -> list[str]:
    """The types that a column of type ``old`` is changed to: by day every third, beside those that are always tried."""
    other = [new for new in types if new != old]
    return [new for new in other if NIGHTLY or new in always or zlib.crc32(f"{old} {new}".encode()) % 3 == 0]
