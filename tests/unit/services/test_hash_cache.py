"""When nothing has to be compared, and what has to be when something has."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain.ownership import CATALOG_TOKEN, LedgerForm, LedgerSnapshot
from framework_m_migrations.services.hash_cache import HashCache

WANTED = {"A": "1", "B": "2"}


def snapshot(
    form: LedgerForm = LedgerForm.CURRENT, checksums: dict[str, str] | None = None, **state: str
) -> LedgerSnapshot:
    return LedgerSnapshot(form, WANTED if checksums is None else checksums, {CATALOG_TOKEN: "t", **state})


def test_equal_checksums_and_an_equal_token_are_a_hit() -> None:
    verdict = HashCache().judge(WANTED, snapshot(), "t")
    assert verdict.hit
    assert (verdict.full, verdict.changed, verdict.removed, verdict.ghosts) == (False, frozenset(), frozenset(), False)


def test_a_database_without_tokens_is_a_hit_by_its_checksums() -> None:
    assert HashCache().judge(WANTED, LedgerSnapshot(LedgerForm.CURRENT, WANTED, {}), None).hit


@pytest.mark.parametrize(
    ("stored", "token", "force"),
    [
        (snapshot(), "t", True),
        (snapshot(), "other", False),
        (snapshot(), None, False),
        (snapshot(LedgerForm.LEGACY), "t", False),
        (snapshot(LedgerForm.ABSENT), "t", False),
    ],
)
def test_everything_is_compared(stored: LedgerSnapshot, token: str | None, force: bool) -> None:
    verdict = HashCache().judge(WANTED, stored, token, force=force)
    assert verdict.full is True
    assert verdict.changed == {"A", "B"}
    assert not verdict.hit


def test_only_what_changed_is_compared() -> None:
    verdict = HashCache().judge(WANTED, snapshot(checksums={"A": "1", "B": "old", "C": "3"}), "t")
    assert (verdict.full, verdict.changed, verdict.removed) == (False, frozenset("B"), frozenset("C"))
    assert not verdict.hit
    assert HashCache().judge(WANTED, snapshot(checksums={"A": "1"}), "t").changed == {"B"}


def test_ghosts_of_the_last_look_are_looked_at_again() -> None:
    verdict = HashCache().judge(WANTED, snapshot(ghosts="yes"), "t")
    assert verdict.ghosts
    assert not verdict.hit
