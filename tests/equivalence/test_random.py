"""Random pairs of schemas: see ways.py for what must hold, and generating.py for what they are made of.

To have a failure again: the last lines print the pair as Python. Make it a case of test_cases.py, as small as it gets,
with a name that says what was wrong. In `make test` are SQLite's pairs; those of the servers, which still find
something, run at night.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, reject, seed, settings

from tests.equivalence.conftest import PlacesOf
from tests.equivalence.generating import Generated, pairs
from tests.equivalence.ways import Invalid, prove
from tests.support.profile import NIGHTLY, cases

PHASES = tuple(Phase) if NIGHTLY else (Phase.explicit, Phase.generate)
# Parts, so that the workers of a run share them. Each part of `make test` has pairs of its own.
PARTS = [
    *(pytest.param("sqlite", part, cases(25, 400), id=f"sqlite-{part}") for part in range(2)),
    *(
        pytest.param(dialect, part, 150, id=f"{dialect}-{part}", marks=mark)
        for dialect, mark in (("postgresql", pytest.mark.postgres), ("mariadb", pytest.mark.mariadb))
        if NIGHTLY
        for part in range(2)
    ),
]


@pytest.mark.slow
@pytest.mark.timeout(14400 if NIGHTLY else 900)
@pytest.mark.parametrize(("dialect", "part", "count"), PARTS)
def test_three_ways_lead_to_one_schema(places_of: PlacesOf, dialect: str, part: int, count: int) -> None:
    places = places_of(dialect)

    @settings(
        max_examples=count,
        derandomize=not NIGHTLY,
        phases=PHASES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(pair=pairs(dialect))
    def attempt(pair: Generated) -> None:
        try:
            proof = prove(places, pair.pair())
        except Invalid:
            reject()
        wrong = proof.wrong + proof.unlike
        assert not wrong, f"{proof}\n{pair!r}"

    (attempt if NIGHTLY else seed(part)(attempt))()
