"""Whatever the graph: after each step the version table says exactly what is applied."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m_migrations.adapters.sql.revisions import AlembicTrack
from framework_m_migrations.ports.app_discovery import App
from tests.versions.support import SCOPES, Apps, connected

APPS = ("one", "two", "three")


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """Revisions in an order of creation: (id, app, down revisions of the app, dependencies on any)."""
    made: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = []
    for number in range(draw(st.integers(1, 9))):
        app = draw(st.sampled_from(APPS))
        same = [one[0] for one in made if one[1] == app]
        other = [one[0] for one in made if one[1] != app]
        down = draw(st.lists(st.sampled_from(same), unique=True, max_size=2)) if same else []
        depends = draw(st.lists(st.sampled_from(other), unique=True, max_size=2)) if other else []
        made.append((f"rev{number:09d}", app, tuple(down), tuple(depends)))
    return made


class Fixed:
    def __init__(self, root: Path) -> None:
        self.root = root

    def apps(self) -> tuple[App, ...]:
        return tuple(App(name, name, self.root / name / "migrations/versions") for name in APPS)

    def holding(self, revision: str) -> tuple[str, ...]:
        del revision
        return ()


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs(), data=st.data())
def test_heads_tell_what_is_applied(
    graph: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder, connected(f"sqlite:///{folder}/test.db") as connection:
        apps = Apps(Path(folder))
        for id_, app, down, depends in graph:
            apps.revision(app, id_, down=down or None, depends_on=depends or None)
        track = AlembicTrack(connection, SCOPES["sqlite"], Fixed(Path(folder)))
        known = track.graph()
        applied: set[str] = set()
        for _ in itertools.repeat(None, 3 * len(graph)):
            up = [one for one in known.order if one not in applied and set(known.by_id[one].parents) <= applied]
            down_ = [one for one in applied if not (known.descendants([one]) - {one}) & applied]
            revision = data.draw(st.sampled_from(sorted([*up, *down_])))
            if revision in applied:
                track.downgrade(revision)
                applied.discard(revision)
            else:
                track.upgrade(revision)
                applied.add(revision)
            assert known.closure(track.current()) == applied


def test_a_parent_that_another_dependency_implies(tmp_path: Path) -> None:
    """Two apps that wait for each other in turn, where Alembic's own bookkeeping ends in a KeyError."""
    apps = Apps(tmp_path)
    apps.revision("one", "one000000001")
    apps.revision("two", "two000000001", depends_on="one000000001")
    apps.revision("three", "three0000001")
    apps.revision("one", "one000000002", down="one000000001", depends_on=("two000000001", "three0000001"))
    with connected(f"sqlite:///{tmp_path}/test.db") as connection:
        track = AlembicTrack(connection, SCOPES["sqlite"], Fixed(tmp_path))
        order = track.graph().order
        for revision in order:
            track.upgrade(revision)
        assert track.current() == {"one000000002"}
        track.downgrade("one000000002")
        assert track.current() == {"two000000001", "three0000001"}
