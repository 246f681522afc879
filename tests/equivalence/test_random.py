"""Random pairs of schemas: see ways.py for what must hold, and generating.py for what they are made of.

A failure prints the number of the pair, by which ``drawn`` makes it again, and the pair as Python. Make it a case of
test_cases.py, as small as it gets, with a name that says what was wrong. `make test` has some of each database, the
same each time; `make nightly` has a thousand others each night.
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
    pytest.param(dialect, part, at_night if NIGHTLY else count, id=f"{dialect}-{part}", marks=marks)
    for dialect, count, at_night, marks in (
        ("sqlite", 16, 300, []),
        ("postgresql", 4, 120, [pytest.mark.postgres]),
        ("mariadb", 4, 80, [pytest.mark.mariadb]),
    )
    for part in range(2)
]


@pytest.mark.slow
# SQLAlchemy's own: a check on a column whose type is a domain.
@pytest.mark.filterwarnings("ignore:Type object <class .*DOMAIN")
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
