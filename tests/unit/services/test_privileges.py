"""The look at rights before the first change: what is asked for, and what is said when it is missing."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import MissingPrivilege
from framework_m_migrations.domain.plan import Judgement, Plan, PlannedChange, Risk, Step
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.services.waiting import require_before_revisions, require_for_plan, require_for_revisions
from tests.fakes.memory import MemoryDatabase
from tests.fakes.memory.inspector import MemoryInspector
from tests.unit.domain.build import column
from tests.unit.services.watched import Watched

T, U = TableName("t"), TableName("u")
ADD = o.AddColumn(T, column("a"))
DROP = PlannedChange(
    "U", None, c.TableRemoved(U, owned=True), Judgement(Risk.BREAKING, "r", "s", "x"), (o.DropTable(U),)
)


class Asked(MemoryInspector):
    """Notes what rights are asked for."""

    def __init__(self, session: Watched) -> None:
        super().__init__(session.connection)
        self.needs: list[Needs | None] = []
        session.inspector = self

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        self.needs.append(needed)
        return super().missing_privileges(needed)


def asked() -> tuple[Watched, Asked]:
    session = Watched(MemoryDatabase())
    return session, Asked(session)


def test_a_plan_asks_for_its_steps_and_for_the_drops() -> None:
    session, inspector = asked()
    require_for_plan(session, Plan(steps=(Step((ADD,)),)))
    require_for_plan(session, Plan(steps=(Step((ADD,)),)), (DROP,))
    require_for_plan(session, Plan(), (DROP,))
    assert inspector.needs == [
        Needs(alters=frozenset({T})),
        Needs(alters=frozenset({T, U})),
        Needs(alters=frozenset({U})),
    ]


def test_what_writes_the_ledger_alone_asks_too_and_what_writes_nothing_does_not() -> None:
    session, inspector = asked()
    require_for_plan(session, Plan())
    assert inspector.needs == []
    require_for_plan(session, Plan(forgets=("T",)))
    assert inspector.needs == [Needs()]


def test_revisions_ask_for_anything_at_all() -> None:
    session, inspector = asked()
    require_for_revisions(session)
    assert inspector.needs == [Needs(unknown=True)]


def test_the_sync_after_revisions_asks_for_what_can_be_told() -> None:
    session, inspector = asked()
    require_before_revisions(session, [ADD], (DROP,))
    assert inspector.needs == [Needs(alters=frozenset({T, U}))]


def test_every_missing_right_is_named_and_nothing_was_changed() -> None:
    session, _ = asked()
    session.connection.database.missing_rights = ("Grant one.", "Grant two.")
    with pytest.raises(MissingPrivilege) as caught:
        require_for_plan(session, Plan(forgets=("T",)))
    usual = caught.value.next_step
    assert caught.value.what == ("Nothing was changed, because the role lacks a right: Grant one. Grant two.")
    assert caught.value.details == {"missing": ["Grant one.", "Grant two."]}
    with pytest.raises(MissingPrivilege) as caught:
        require_for_revisions(session)
    assert caught.value.next_step == usual
    with pytest.raises(MissingPrivilege) as caught:
        require_before_revisions(session, [])
    assert caught.value.next_step == (
        "Grant it as the message says; where a pending revision grants it or does this work itself, apply the "
        "revisions alone first: `m-migrate run`."
    )
