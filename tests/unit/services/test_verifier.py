"""What `verify` makes of a plan and of the revisions."""

from __future__ import annotations

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import Judgement, Plan, PlannedChange, Risk
from framework_m_migrations.domain.results import Finding
from framework_m_migrations.domain.revisions import Revision, RevisionGraph
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.services.verifier import Verifier
from framework_m_migrations.services.version_resolver import VersionResolver
from tests.unit.domain.build import column

T = TableName("t")
NONE = VersionResolver(RevisionGraph(()), frozenset())


def planned(risk: Risk) -> PlannedChange:
    judgement = Judgement(risk, "rule", "So it is.", "sync")
    return PlannedChange("T", "shop", c.ColumnAdded(T, column("a")), judgement)


def findings(
    *revisions: Revision, at: tuple[str, ...] = (), plan: Plan | None = None, unfinished: tuple[str, ...] = ()
) -> tuple[Finding, ...]:
    return Verifier().judge(plan or Plan(), VersionResolver(RevisionGraph(revisions), frozenset(at)), unfinished)


def test_changes_are_dirty_from_the_given_risk_on_and_those_come_first() -> None:
    plan = Plan(changes=(planned(Risk.SAFE), planned(Risk.WARNING), planned(Risk.BREAKING)))
    found: tuple[Finding, ...] = ()
    for fail_on, dirty in ((Risk.SAFE, 3), (Risk.WARNING, 2), (Risk.BREAKING, 1)):
        found = Verifier(fail_on).judge(plan, NONE)
        assert [one.dirty for one in found] == [True] * dirty + [False] * (3 - dirty)
        assert {one.risk for one in found if one.dirty} == {risk for risk in Risk if risk >= fail_on}
    assert {(one.kind, one.what) for one in found} == {("change", "t: new column a integer. So it is.")}


def test_without_a_word_only_breaking_changes_are_dirty() -> None:
    assert [one.dirty for one in Verifier().judge(Plan(changes=(planned(Risk.WARNING),)), NONE)] == [False]


def test_tables_that_nobody_knows_are_dirty() -> None:
    assert findings(plan=Plan(unmanaged=(T,))) == (
        Finding("unmanaged-table", "t: no model declares it and the ledger does not list it", dirty=True),
    )


def test_a_revision_that_was_cut_off_is_dirty() -> None:
    what = "Revision a1 was cut off and a part of it stands; `m-migrate run` names what it sent (M509)"
    assert findings(unfinished=("a1",)) == (Finding("unfinished-revision", what, dirty=True),)


def test_revisions_that_are_missing_on_either_side_are_dirty() -> None:
    one, two = Revision("a1", "a"), Revision("a2", "a", ("a1",))
    assert findings(one, two, at=("a1",)) == (
        Finding("pending-revision", "Revision a2 of a is not applied", dirty=True),
    )
    assert findings(one, at=("a1", "gone")) == (
        Finding("unknown-revision", "The database is at gone, which no installed app has", dirty=True),
    )
    assert findings(one, two, at=("a2",)) == ()


def test_an_app_with_two_heads_is_dirty_and_one_with_one_is_not() -> None:
    one, left, right = Revision("a1", "a"), Revision("a2", "a", ("a1",)), Revision("a3", "a", ("a1",))
    assert findings(one, left, right, Revision("b1", "b"), at=("a2", "a3", "b1")) == (
        Finding("multiple-heads", "App a has heads a2, a3", dirty=True),
    )


def test_a_contract_half_that_is_due_is_told_and_is_not_dirty() -> None:
    expand, contract = Revision("a1", "a"), Revision("a2", "a", ("a1",), contract_of="a1")
    later = Revision("a3", "a", ("a2",))
    due = Finding(
        "contract-due",
        "Revision a2 of a ends the online change of a1; `m-migrate run --contract` applies it once no old code runs",
        dirty=False,
    )
    assert findings(expand, contract, at=("a1",)) == (due,)
    assert [(one.kind, one.dirty) for one in findings(expand, contract)] == [
        ("pending-revision", True), ("pending-revision", True),
    ]  # fmt: skip
    assert [one.what for one in findings(expand, contract, later, at=("a1",))][:1] == [
        "Revision a3 of a is not applied"
    ]
