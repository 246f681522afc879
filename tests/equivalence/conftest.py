"""The databases of each dialect, made when the first test asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.equivalence.places import Places, places

type PlacesOf = Callable[[str], Places]


@pytest.fixture(scope="module")
def places_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlacesOf]:
    """The places of a dialect by its name."""
    made: dict[str, Places] = {}
    with ExitStack() as stack:

        def get(dialect: str) -> Places:
            if dialect not in made:
                server = {"postgresql": "postgres_server", "mariadb": "mariadb_server"}.get(dialect, "")
                folder = tmp_path_factory.mktemp(dialect)
                opened = places(dialect, lambda: request.getfixturevalue(server), folder)
                made[dialect] = stack.enter_context(opened)
            return made[dialect]

        yield get
