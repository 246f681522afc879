"""Random pairs of schemas: see ways.py for what must hold, and generating.py for what they are made of.

A failure prints the number of the pair, by which ``drawn`` makes it again, and the pair as Python. Make it a case of
test_cases.py, as small as it gets, with a name that says what was wrong. In `make test` are some of SQLite and MariaDB,
the same each time; `make nightly` has a thousand others each night, of PostgreSQL too, where some still find something.
"""

from __future__ import annotations

import datetime as dt

import pytest

from tests.equivalence.conftest import PlacesOf
from tests.equivalence.generating import drawn
from tests.equivalence.ways import Invalid, prove
from tests.support.profile import NIGHTLY

FIRST = 1000 * dt.datetime.now(dt.UTC).toordinal() if NIGHTLY else 0
# Parts, so that the workers of a run share them.
PARTS = [
    pytest.param(dialect, part, count * 10 if NIGHTLY else count, id=f"{dialect}-{part}", marks=marks)
    for dialect, parts, count, marks in (
        ("sqlite", 2, 30, []),
        ("postgresql", 2, 12, [pytest.mark.postgres]),
        ("mariadb", 2, 8, [pytest.mark.mariadb]),
    )
    for part in range(parts)
    if NIGHTLY or dialect != "postgresql"
]


@pytest.mark.slow
@pytest.mark.timeout(14400 if NIGHTLY else 900)
@pytest.mark.parametrize(("dialect", "part", "count"), PARTS)
def test_three_ways_lead_to_one_schema(places_of: PlacesOf, dialect: str, part: int, count: int) -> None:
    places = places_of(dialect)
    wrong: list[str] = []
    proved, number = 0, FIRST + part * count * 2
    while proved < count:
        pair = drawn(dialect, number)
        try:
            proof = prove(places, pair.pair())
        except Invalid:
            pass
        else:
            proved += 1
            if proof.wrong or proof.unlike:
                wrong.append(f"{dialect} {number}: {proof}\n{pair!r}")
        number += 1
    assert not wrong, "\n\n".join(wrong)
