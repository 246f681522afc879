"""The graph of revisions: its order, its heads, and what it says of files that do not fit together."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain.errors import MultipleHeads, RevisionCycle, UnknownRevision
from framework_m_migrations.domain.revisions import Revision, RevisionGraph


def revision(name: str, *parents: str, needs: tuple[str, ...] = (), app: str | None = "shop") -> Revision:
    return Revision(name, app, parents, needs)


def test_a_missing_parent_is_named_with_the_file_that_wants_it() -> None:
    for given, where in (
        (Revision("b", "shop", ("a",), path="shop/b.py"), "shop/b.py"),
        (Revision("b", "shop", (), ("a",)), "shop"),
        (Revision("b", None, ("a",)), "no file"),
    ):
        with pytest.raises(UnknownRevision) as caught:
            RevisionGraph((given,))
        assert caught.value.what == f"Revision 'b' ({where}) names 'a', which no installed app has."
        assert caught.value.details == {"revision": "b", "missing": "a"}
        assert "down_revision or depends_on" in caught.value.next_step
        assert caught.value.next_step.startswith("Install the app that has it")


def test_parents_stand_before_their_children_and_equals_as_they_were_given() -> None:
    graph = RevisionGraph((revision("z"), revision("m", "b", needs=("a",)), revision("a"), revision("b")))
    assert graph.order == ("z", "b", "a", "m"), "down_revision first, then depends_on"


def test_a_revision_reached_in_two_ways_stands_once_and_before_both() -> None:
    graph = RevisionGraph((revision("top", "left", "right"), revision("left", "base"), revision("right", "base"),
                           revision("base")))  # fmt: skip
    assert graph.order == ("base", "left", "right", "top")
    crossed = RevisionGraph((revision("top", "b", "c"), revision("b", "c"), revision("c")))
    assert crossed.order == ("c", "b", "top")


def test_a_circle_is_named_by_the_revisions_in_it() -> None:
    circle = (revision("a", "c"), revision("b", "a"), revision("c", "b"))
    with pytest.raises(RevisionCycle, match=r"The revisions a, c, b wait for each other\.") as caught:
        RevisionGraph((revision("free"), *circle))
    assert caught.value.details == {"revisions": ["a", "c", "b"]}


def test_heads_are_what_nothing_follows_and_to_be_needed_is_not_to_be_followed() -> None:
    graph = RevisionGraph((
        revision("s1"), revision("s2", "s1"), revision("t1", needs=("s2",), app="stock"), revision("loose", app=None),
    ))  # fmt: skip
    assert graph.heads() == ("s2", "t1", "loose")
    assert graph.heads("shop") == ("s2",)
    assert graph.heads("stock") == ("t1",)
    assert graph.heads("nobody") == ()
    assert graph.apps() == ("shop", "stock")


def test_what_a_revision_stands_on_and_what_stands_on_it() -> None:
    graph = RevisionGraph((revision("a"), revision("b", "a"), revision("c", "b"), revision("d", needs=("b",)),
                           revision("e")))  # fmt: skip
    assert graph.closure(["c"]) == {"a", "b", "c"}
    assert graph.closure(["d", "e"]) == {"a", "b", "d", "e"}
    assert graph.closure(["e", "c", "c"]) == {"a", "b", "c", "e"}, "to be named twice changes nothing"
    assert graph.closure([]) == frozenset()
    assert graph.descendants(["b"]) == {"b", "c", "d"}
    assert graph.descendants(["c", "e"]) == {"c", "e"}
    assert graph.descendants(["a"]) == {"a", "b", "c", "d"}
    with pytest.raises(UnknownRevision, match=r"No installed app has revision 'gone'\.") as caught:
        graph.closure(["a", "gone"])
    assert caught.value.details == {"revision": "gone"}


def test_an_app_with_two_heads_is_named_and_the_heads_of_several_apps_are_no_trouble() -> None:
    RevisionGraph((revision("s1"), revision("t1", app="stock"), revision("x", app=None), revision("y", app=None))
                  ).require_single_heads()  # fmt: skip
    forked = RevisionGraph((revision("t1", app="stock"), revision("s1"), revision("s2", "s1"), revision("s3", "s1")))
    with pytest.raises(MultipleHeads, match=r"App 'shop' has 2 heads: s2, s3\.") as caught:
        forked.require_single_heads()
    assert caught.value.details == {"app": "shop", "heads": ["s2", "s3"]}
