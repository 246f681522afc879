"""Order of revisions across apps, and what may be rolled back."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain.errors import (
    DependentRevision,
    MultipleHeads,
    RevisionCycle,
    UnknownRevision,
)
from framework_m_migrations.domain.revisions import Revision, RevisionGraph
from framework_m_migrations.services.version_resolver import VersionResolver


def revision(name: str, *parents: str, needs: tuple[str, ...] = ()) -> Revision:
    return Revision(name, name.rstrip("0123456789"), parents, needs)


SHOP = (revision("shop1"), revision("shop2", "shop1"), revision("shop3", "shop2"))
STOCK = (revision("stock1"), revision("stock2", "stock1", needs=("shop2",)))
GRAPH = RevisionGraph((*STOCK, *SHOP))


def at(*heads: str) -> VersionResolver:
    return VersionResolver(GRAPH, frozenset(heads))


def test_parents_and_dependencies_come_first() -> None:
    order = at().pending()
    assert set(order) == {"shop1", "shop2", "shop3", "stock1", "stock2"}
    assert order.index("shop2") < order.index("stock2")
    assert order.index("stock1") < order.index("stock2")


def test_only_what_is_not_applied_is_pending() -> None:
    assert at("shop2").pending() == ("stock1", "stock2", "shop3")
    assert at("shop3", "stock2").pending() == ()


def test_a_target_pulls_what_it_needs_and_nothing_else() -> None:
    assert at().pending("stock2") == ("stock1", "shop1", "shop2", "stock2")
    assert at().pending("shop") == ("shop1", "shop2", "shop3")
    assert at("shop1").pending("shop2") == ("shop2",)


def test_a_beginning_names_a_revision_when_only_one_fits() -> None:
    assert at().resolve("stock2") == "stock2"
    with pytest.raises(UnknownRevision, match="3 revisions begin with it"):
        at().resolve("shop")
    with pytest.raises(UnknownRevision, match="no installed app has it"):
        at().resolve("nope")
    with pytest.raises(UnknownRevision):
        at().resolve("")


def test_a_revision_in_the_database_that_no_file_has_stops_everything() -> None:
    with pytest.raises(UnknownRevision, match="gone"):
        at("gone").pending()
    with pytest.raises(UnknownRevision, match="gone"):
        at("gone").rollback()
    assert at("gone", "shop1").unknown == ("gone",)


def test_several_heads_of_one_app_are_named() -> None:
    graph = RevisionGraph((*SHOP, revision("shop4", "shop2")))
    with pytest.raises(MultipleHeads, match="shop3, shop4"):
        VersionResolver(graph, frozenset()).pending()


def test_circles_and_missing_parents_are_found_when_the_graph_is_made() -> None:
    with pytest.raises(RevisionCycle, match="wait for each other"):
        RevisionGraph((revision("a1", needs=("b1",)), revision("b1", needs=("a1",))))
    with pytest.raises(RevisionCycle):
        RevisionGraph((revision("a1", "a1"),))
    with pytest.raises(UnknownRevision, match="'a0'"):
        RevisionGraph((revision("a1", "a0"),))


def test_rollback_takes_back_the_last_applied_of_an_app() -> None:
    everything = at("shop3", "stock2")
    assert everything.rollback(app="shop") == ("shop3",)
    assert everything.rollback(app="stock") == ("stock2",)
    assert everything.rollback(app="stock", steps=9) == ("stock2", "stock1")


def test_rollback_refuses_to_pull_the_ground_from_under_another_app() -> None:
    with pytest.raises(DependentRevision, match="stock2"):
        at("shop3", "stock2").rollback(app="shop", steps=2)
    assert at("shop3", "stock1").rollback(app="shop", steps=2) == ("shop3", "shop2")


def test_rollback_to_a_revision_or_to_the_beginning() -> None:
    assert at("shop3").rollback(to="shop1") == ("shop3", "shop2")
    assert at("shop3").rollback(to="base", app="shop") == ("shop3", "shop2", "shop1")
    assert set(at("shop3", "stock2").rollback(to="base")) == set(GRAPH.order)
    assert at("shop1").rollback(to="shop1") == ()
    with pytest.raises(UnknownRevision, match="not applied"):
        at("shop1").rollback(to="shop2")


def test_rollback_of_everything_goes_backwards_through_dependencies() -> None:
    order = at("shop3", "stock2").rollback(to="base")
    assert order.index("stock2") < order.index("shop2")


def test_a_chain_of_ten_thousand_revisions_is_no_problem() -> None:
    chain = tuple(Revision(f"r{n:05}", "a", (f"r{n - 1:05}",) if n else ()) for n in range(10_000))
    resolver = VersionResolver(RevisionGraph(chain), frozenset({"r00000"}))
    assert len(resolver.pending()) == 9_999


ONLINE = RevisionGraph(
    (
        *SHOP,
        Revision("shop4", "shop", ("shop3",), contract_of="shop3"),
        Revision("shop5", "shop", ("shop4",)),
        Revision("stock1", "stock", (), ("shop4",)),
        Revision("crm1", "crm"),
    )
)


def test_a_contract_step_and_what_stands_on_it_wait_where_old_code_may_run() -> None:
    at_work = VersionResolver(ONLINE, frozenset({"shop2"}))
    assert at_work.pending() == ("shop3", "shop4", "shop5", "stock1", "crm1")
    assert at_work.held(at_work.pending()) == ("shop4", "shop5", "stock1")
    assert at_work.contract_due() == ()
    between = VersionResolver(ONLINE, frozenset({"shop3"}))
    assert between.contract_due() == ("shop4",)


def test_a_new_database_gets_everything_at_once() -> None:
    for heads in ((), ("crm1",)):
        new = VersionResolver(ONLINE, frozenset(heads))
        assert new.new_to(new.pending()) == {"shop"}
        assert new.held(new.pending()) == ()


def test_a_database_with_tables_of_the_app_is_not_new() -> None:
    synced = VersionResolver(ONLINE, frozenset())
    assert synced.held(synced.pending(), {"shop"}) == ("shop4", "shop5", "stock1")
    assert synced.held(synced.pending(), {"crm"}) == ()


BESIDE = RevisionGraph(
    (
        Revision("crm1", "crm", branch_labels=("crm",)),
        Revision("shop1", "shop", branch_labels=("shop",)),
        Revision("shop2", "shop", ("shop1",), ("crm1",), beside_sync=True),
        Revision("shop3", "shop", ("shop2",), contract_of="shop2"),
    )
)


def test_a_new_database_counts_the_revisions_of_an_app_that_sync_builds_as_applied() -> None:
    new = VersionResolver(BESIDE, frozenset({"crm1"}))
    assert new.new_to(new.pending()) == {"shop"}
    assert new.recorded(new.pending()) == ("shop1", "shop2", "shop3")
    assert new.held(new.pending()) == ()
    assert new.recorded(new.pending(), {"crm"}) == ("shop1", "shop2", "shop3")
    for heads in ("crm1", "shop1"):
        there = VersionResolver(BESIDE, frozenset({heads}))
        assert there.recorded(there.pending(), {"shop"}) == ()
        assert there.held(there.pending(), {"shop"}) == ("shop3",)
    # Somebody was stopped while they were recorded, or before sync: there is still no table.
    stopped = VersionResolver(BESIDE, frozenset({"shop1", "crm1"}))
    assert stopped.recorded(stopped.pending()) == ("shop2", "shop3")
    assert stopped.held(stopped.pending()) == ()
    assert BESIDE.is_beside_sync("shop")
    assert not BESIDE.is_beside_sync("crm")


def test_what_is_not_known_is_said_with_what_helps() -> None:
    with pytest.raises(UnknownRevision) as unknown:
        at("gone", "away", "shop1").require_known()
    assert unknown.value.what == "The database is at revision away, gone, which no installed app has."
    assert unknown.value.details == {"unknown": ["away", "gone"]}
    with pytest.raises(UnknownRevision) as several:
        at().resolve("stock")
    assert several.value.what == "Revision 'stock' is not known: 2 revisions begin with it: stock1, stock2."
    assert several.value.next_step == "`m-migrate history` lists all of them."
    with pytest.raises(UnknownRevision, match=r"Revision 'x' is not known: no installed app has it\."):
        at().resolve("x")


def test_the_beginning_of_the_only_revision_that_fits_is_enough() -> None:
    lonely = VersionResolver(RevisionGraph((revision("abc1"), revision("xyz1"))), frozenset())
    assert lonely.resolve("a") == "abc1"
    with pytest.raises(UnknownRevision, match="no installed app has it"):
        VersionResolver(RevisionGraph((revision("abc1"),)), frozenset()).resolve("")


@pytest.mark.parametrize("target", ["head", "heads", None])
def test_the_heads_are_all_revisions_and_only_where_each_app_has_one(target: str | None) -> None:
    assert at("shop2").pending(target) == ("stock1", "stock2", "shop3")
    forked = RevisionGraph((*SHOP, revision("shop4", "shop2")))
    with pytest.raises(MultipleHeads):
        VersionResolver(forked, frozenset()).pending(target)
    assert VersionResolver(forked, frozenset()).pending("shop4") == ("shop1", "shop2", "shop4")


def test_rollback_without_an_app_takes_back_the_very_last_one() -> None:
    assert at("shop3", "stock2").rollback() == ("shop3",)
    assert at("shop3", "stock2").rollback(steps=2) == ("shop3", "stock2")
    assert at().rollback() == ()


def test_what_stands_on_a_rollback_is_named_with_its_app() -> None:
    with pytest.raises(DependentRevision) as caught:
        at("shop3", "stock2").rollback(to="shop1")
    assert caught.value.what == "These applied revisions stand on what would be rolled back: stock2 (stock)."
    assert caught.value.details == {"revisions": ["stock2"]}
    two = RevisionGraph((*SHOP, revision("crm1", needs=("shop3",)), revision("app1", needs=("shop3",))))
    with pytest.raises(DependentRevision, match=r"back: app1 \(app\), crm1 \(crm\)\."):
        VersionResolver(two, frozenset({"crm1", "app1"})).rollback(app="shop")


def test_rollback_to_a_revision_stays_in_its_own_app_or_in_the_one_named() -> None:
    needed = RevisionGraph((*SHOP, revision("crm1", needs=("shop1",))))
    both = VersionResolver(needed, frozenset({"shop3", "crm1"}))
    assert both.rollback(to="shop1") == ("shop3", "shop2"), "what only depends on the target stays"
    assert both.rollback(to="shop1", app="crm") == ("crm1",), "of the app that was named"
    with pytest.raises(
        UnknownRevision, match=r"'stock1' is not applied, so there is nothing to roll back to\."
    ) as caught:
        at("shop3").rollback(to="stock1")
    assert caught.value.next_step == "`m-migrate status` shows where each app is."


def test_revisions_of_no_app_are_rolled_back_with_all_that_stands_on_them() -> None:
    loose = RevisionGraph((Revision("a", None), Revision("b", None, ("a",)), Revision("c", "shop", (), ("b",))))
    assert VersionResolver(loose, frozenset({"b", "c"})).rollback(to="a") == ("c", "b")
