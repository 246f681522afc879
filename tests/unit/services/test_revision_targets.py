"""Names of revisions, absolute and relative, as Alembic's users write them."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain.errors import MigrationError, MultipleHeads, UnknownRevision
from framework_m_migrations.domain.revisions import Revision, RevisionGraph, Target, parse_target
from framework_m_migrations.services.version_resolver import Downward, VersionResolver, downward, named, upward

GRAPH = RevisionGraph(
    (
        Revision("b1", "stock", branch_labels=("stock", "warehouse")),
        Revision("b2", "stock", ("b1",), ("a2",)),
        Revision("a1", "shop", branch_labels=("shop",)),
        Revision("a2", "shop", ("a1",)),
        Revision("a3", "shop", ("a2",)),
        Revision("c1", "shop-2"),
    )
)


def at(*heads: str) -> VersionResolver:
    return VersionResolver(GRAPH, frozenset(heads))


def up(text: str | None = None, *heads: str, app: str | None = None, steps: int | None = None) -> tuple[str, ...]:
    wanted = upward(at(*heads), text, app=app, steps=steps)
    return wanted.cut(wanted.pending, GRAPH)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ae10", Target("ae10", symbol="ae10")),
        ("ae10+2", Target("ae10+2", symbol="ae10", delta=2)),
        ("head-1", Target("head-1", symbol="head", delta=-1)),
        ("+1", Target("+1", delta=1)),
        ("shop@-3", Target("shop@-3", "shop", delta=-3)),
        ("shop@head", Target("shop@head", "shop", "head")),
        ("my-shop@head", Target("my-shop@head", "my-shop", "head")),
        ("shop-2", Target("shop-2", symbol="shop-2")),
        ("shop-2@head-1", Target("shop-2@head-1", "shop-2", "head", -1)),
        ("shop-2@c1", Target("shop-2@c1", "shop-2", "c1")),
    ],
)
def test_forms(text: str, target: Target) -> None:
    assert parse_target(text, {"shop-2", "c1"}) == target


@pytest.mark.parametrize("text", ["", " ", "@", "@head", "shop@", "a@b@c"])
def test_what_names_nothing(text: str) -> None:
    assert parse_target(text) is None
    with pytest.raises(UnknownRevision, match="names no revision"):
        upward(at(), text)


@pytest.mark.parametrize("text", [None, "head", "heads"])
def test_everything(text: str | None) -> None:
    assert up(text) == GRAPH.order


@pytest.mark.parametrize("text", ["shop", "shop@head", "shop@heads", "a3", "shop@a3", "a1+2", "base+3"])
def test_all_of_an_app(text: str) -> None:
    app = "shop" if text == "base+3" else None
    assert up(text, app=app) == ("a1", "a2", "a3")
    assert up(text, "a1", app=app) == ("a2", "a3")


def test_a_label_stands_for_its_app() -> None:
    assert up("warehouse@head") == up("stock") == ("b1", "a1", "a2", "b2")


def test_steps_are_counted_over_all_or_in_an_app_with_what_it_needs() -> None:
    assert up("+2") == up(steps=2) == GRAPH.order[:2]
    assert up("stock@+2") == up(app="stock", steps=2) == ("b1", "a1", "a2", "b2")
    assert up("stock@+1") == up("+1", app="stock") == up("stock", steps=1) == ("b1",)
    assert up("shop@+1", "a1") == ("a2",)
    assert up("shop@+9", "a1") == ("a2", "a3")
    assert up("a3", steps=1) == ("a1",)


def test_one_revision_is_asked_for_by_name_and_the_head_is_not() -> None:
    assert upward(at(), "a2").explicit
    assert upward(at(), "head-1", app="shop").explicit
    for text in ("head", "shop", "shop@head", "+1", None):
        assert not upward(at(), text).explicit


@pytest.mark.parametrize(
    ("text", "app", "steps", "words"),
    [
        ("-1", None, None, "rollback"),
        ("+1", None, 2, "Give one of them"),
        ("nowhere@head", None, None, "Apps with revisions: stock, shop, shop-2"),
        ("shop@b1", None, None, "is of app 'stock', not of 'shop'"),
        ("shop@head", "stock", None, "Name one app"),
        ("a3+1", None, None, "no revision is there"),
        ("base-1", None, None, "no revision is there"),
        ("base+1", None, None, "it could be b1, a1, c1"),
        ("head-1", None, None, "there are 3 heads"),
        ("zz", None, None, "no installed app has it"),
        (None, "zz", None, "Apps with revisions"),
    ],
)
def test_what_cannot_be_run(text: str | None, app: str | None, steps: int | None, words: str) -> None:
    with pytest.raises(UnknownRevision) as raised:
        upward(at(), text, app=app, steps=steps)
    assert words in str(raised.value)


def test_several_heads_of_an_app() -> None:
    graph = RevisionGraph((Revision("a1", "shop"), Revision("a2", "shop", ("a1",)), Revision("a3", "shop", ("a1",))))
    versions = VersionResolver(graph, frozenset())
    with pytest.raises(MultipleHeads):
        upward(versions)
    for text in ("a1+1", "shop@head-1"):
        with pytest.raises(MigrationError, match=r"a2, a3|2 heads"):
            upward(versions, text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (None, Downward()),
        ("-2", Downward(2)),
        ("shop@-2", Downward(2, "shop")),
        ("base", Downward(to="base")),
        ("shop@base", Downward(app="shop", to="base")),
        ("a2", Downward(to="a2")),
        ("a2-1", Downward(to="a1")),
        ("a1-1", Downward(app="shop", to="base")),
        ("shop@head-1", Downward(app="shop", to="a2")),
        ("shop", Downward(to="a3")),
    ],
)
def test_down(text: str | None, wanted: Downward) -> None:
    assert downward(at("a3", "b2"), text) == wanted


def test_what_cannot_be_rolled_back() -> None:
    with pytest.raises(UnknownRevision, match="only goes down"):
        downward(at("a3"), "+1")
    with pytest.raises(UnknownRevision, match="how many"):
        downward(at("a3"), "-1", steps=2)


def test_revisions_by_themselves() -> None:
    assert named(at(), "heads") == ("b2", "a3", "c1")
    assert named(at(), "shop@head") == named(at(), "shop") == ("a3",)
    assert named(at(), "a3-1") == ("a2",)
    assert named(at(), "base") == ()
    with pytest.raises(UnknownRevision, match="counts from the current"):
        named(at(), "+1")
