"""Random schema histories: what must hold after every sync, whatever came before it.

Each release changes the schema, every world is synced (memory, SQLite and PostgreSQL, through the public managers), and
then, by readers of the tests' own: every row that was there is there and equal; planning again gives nothing but what
is withheld; the catalogue is that of a database built by ``create_all``, but for what is withheld, and everything that
is withheld is a real difference; nothing destructive left the sync path; the adapters planned and withheld the same,
and rows mean the same in each. No column of a table with rows is asked of old code that could leave it out before. Some
releases sync with ``--allow-drop``, after a stranger has made a table and columns by hand: those stay, with their rows.

What the mutations leave out: a name that two tables want at once, as no database could be built with it to compare
with, and one of a unique constraint that another table's still has, which is taken in PostgreSQL alone
(tests/sync/test_taken_names.py has both).

To have a failure again: the last lines print the releases. Copy them into ``CASES`` of test_regressions.py, with a name
that says what was wrong, and leave out what the failure does not need. ``make test`` runs the same histories each time
and does not shrink them, so that it ends in time; ``HYPOTHESIS_PROFILE=nightly pytest tests/histories`` runs a thousand
new ones and does.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.histories.choices import Mutation
from tests.histories.conftest import MakeHistory
from tests.histories.mutations import VERBS
from tests.support.profile import NIGHTLY, cases

NUMBERS = st.integers(0, 11)
ADDING = (
    "add_table", "add_field", "add_key", "add_rule", "add_reference", "label", "compute_field", "partial_key",
    "lower_key",
)  # fmt: skip
MUTATIONS = st.builds(Mutation, st.sampled_from(sorted(VERBS)), NUMBERS, NUMBERS, NUMBERS, NUMBERS)
ADDITIONS = st.builds(Mutation, st.sampled_from(ADDING), NUMBERS, NUMBERS, NUMBERS, NUMBERS)
ROWS = st.lists(st.integers(0, 59), max_size=4)
PHASES = tuple(Phase) if NIGHTLY else (Phase.explicit, Phase.generate)
# Parts, so that the workers of a run share them. Each part of `make test` has histories of its own.
PARTS = range(4)
HISTORIES = cases(6, 250)


@pytest.mark.slow
@pytest.mark.timeout(14400 if NIGHTLY else 3600)
@pytest.mark.parametrize("part", PARTS)
def test_random_histories(make_history: MakeHistory, part: int) -> None:
    class Histories(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.history = make_history()
            self.history.release([Mutation("add_table", 0, 0, 2, 1)], [0])

        @rule(mutations=st.lists(ADDITIONS, min_size=3, max_size=8), rows=ROWS)
        def grow(self, mutations: list[Mutation], rows: list[int]) -> None:
            self.history.release(mutations, rows)

        @rule(mutations=st.lists(MUTATIONS, max_size=5), rows=ROWS)
        def change(self, mutations: list[Mutation], rows: list[int]) -> None:
            self.history.release(mutations, rows)

        @rule(mutations=st.lists(MUTATIONS, max_size=5), rows=ROWS)
        def clean(self, mutations: list[Mutation], rows: list[int]) -> None:
            self.history.release(mutations, rows, drop=True)

    if not NIGHTLY:
        seed(part)(Histories)
    run_state_machine_as_test(
        Histories,
        settings=settings(
            settings.default,
            max_examples=HISTORIES,
            stateful_step_count=6 if NIGHTLY else 3,
            derandomize=not NIGHTLY,
            phases=PHASES,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
