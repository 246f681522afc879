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
        assert new.held(new.pending()) == ()
