"""Killed after each statement in turn: nothing is half done, the ledger is true, and the next run gets there.

``make test`` takes a part of the statements, spread over the whole run; the nightly profile takes every one, and the
second driver.
"""

from __future__ import annotations

import signal

import pytest

from tests.killed.conftest import Stage
from tests.killed.facts import checksums, of_users, untrue
from tests.killed.sites import Copy, look
from tests.support.profile import NIGHTLY

STOPS = {"release-sqlite": 6}
"""How many stops `make test` makes at least."""
RELEASES = ["release-sqlite", "release-psycopg", "release-asyncpg"]
OTHERS = ["halves-psycopg", "drops-psycopg"]
AT_NIGHT = ["helpers-psycopg", "fleet-psycopg", "helpers-asyncpg", "halves-asyncpg", "drops-asyncpg"] if NIGHTLY else []


def stops(stage: Stage, offset: int = 0) -> list[int]:
    """Numbers of statements, the last one always among them."""
    last = len(stage.statements)
    count = STOPS.get(f"{stage.name}-{stage.driver}", 3)
    step = 1 if NIGHTLY else max(1, last // count)
    return sorted({*range(1 + offset, last + 1, step), last})


def ledger_is_true(stage: Stage, copy: Copy, where: str) -> None:
    """What the engine says of a database that was left in the middle is so."""
    found = look(copy)
    assert untrue(found.facts, stage.expected.facts) == [], where
    if stage.name == "fleet":
        return
    said = stage.fork("look", copy, stage.project)
    tables = {key[1] for key in found.traits if key[0] == "type"}
    if stage.name != "drops":
        # A table that goes is forgotten in the same transaction; where it is recorded, it is there.
        assert found.column("__schema_objects__", 1) <= tables, where
    recorded = found.column("__schema_versions__")
    wanted = {row[0]: row[1] for row in stage.expected.rows["__schema_versions__"]}
    held = {str(row[0]) for row in found.rows["__schema_versions__"] if wanted.get(row[0]) == row[1]}
    assert not held & set(said["differing"]), (where, "a checksum is stored of what the database does not match")
    assert recorded <= tables, where
    if stage.name != "release":
        return
    done = {int(name.removeprefix("made")) for name in tables if name.startswith("made")}
    version = found.column("alembic_version")
    assert version <= {f"yard{number:04}" for number in range(1, 9)}
    latest = max(int(one.removeprefix("yard")) for one in version)
    assert done == set(range(1, min(latest, 7) + 1)), (where, "a revision is recorded that was not done, or reversed")
    matches = found.traits == stage.expected.traits
    assert said["empty"] or not matches, where
    assert said["pending"] == [f"yard{number:04}" for number in range(latest + 1, 9)], where
    findings = {*(() if said["empty"] else ("change",)), *(("pending-revision",) if latest < 8 else ())}
    assert set(said["findings"]) == findings, (where, said)


def goes_on(stage: Stage, copy: Copy, where: str) -> None:
    """Another run converges to what an undisturbed one gives."""
    again = stage.fork(stage.scenario.command, copy, stage.project)
    assert again["code"] is None, (where, again)
    assert again["withheld"] == [], where
    now = look(copy)
    assert now.traits == stage.expected.traits, where
    assert now.users == stage.expected.users, where
    assert of_users(now.facts) == of_users(stage.expected.facts), where
    assert checksums(now.facts) == checksums(stage.expected.facts), where
    assert not [fact for fact in now.facts if fact[0] in {"index", "constraint"} and fact[-1] is False], where
    assert now.column("__schema_versions__") == stage.expected.column("__schema_versions__"), where
    assert now.rows.get("__schema_backfills__", []) == [], where


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stage", [*RELEASES, *OTHERS, *AT_NIGHT], indirect=True)
def test_killed_after_each_statement(stage: Stage) -> None:
    for stop in stops(stage):
        where = f"killed after statement {stop}: {stage.statements[stop - 1]}"
        with stage.site.copy(stage.base) as copy:
            ended = stage.fork(stage.scenario.command, copy, stage.project, stop=stop)
            assert ended["exit"] == -signal.SIGKILL, (where, ended)
            ledger_is_true(stage, copy, where)
            goes_on(stage, copy, where)


ENDED = ["release-psycopg", "release-asyncpg", "helpers-psycopg"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "stage", [*ENDED, *(["halves-psycopg", "drops-psycopg", *AT_NIGHT[1:]] if NIGHTLY else [])], indirect=True
)
def test_backend_ended_after_each_statement(stage: Stage) -> None:
    for stop in stops(stage, offset=2):
        where = f"backend ended after statement {stop}: {stage.statements[stop - 1]}"
        with stage.site.copy(stage.base) as copy:
            told = stage.fork(stage.scenario.command, copy, stage.project, stop=stop, way="terminate")
            assert told["exit"] == 0, (where, told)
            # Also while the engine only asks: what was asked in the lost session is not to be relied on.
            if stop < len(stage.statements):
                assert told["code"] is not None, (where, "the loss of the connection was not told")
            ledger_is_true(stage, copy, where)
            goes_on(stage, copy, where)
