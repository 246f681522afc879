"""An index of a partitioned table: on each partition beside writers, and then one whole."""

from __future__ import annotations

from dataclasses import replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.lowering import Lowering
from framework_m_migrations.domain.schema import PartIndex, Partition, TableName
from framework_m_migrations.domain.steps import index_operations, part_name
from tests.unit.domain.build import SERVER, column, index, table

T, LEAF, MIDDLE = TableName("t"), TableName("leaf"), TableName("middle", "s")
INDEX = index("i", "a")
PARTS = (Partition(MIDDLE, T, False), Partition(LEAF, MIDDLE, True))
WHOLE = table("t", column("a"), partitions=PARTS, partitioned=True)
ON_MIDDLE, ON_LEAF = replace(INDEX, name="middle_i"), replace(INDEX, name="leaf_i")


def test_each_partition_gets_its_own_and_is_attached_to_its_parent() -> None:
    assert list(index_operations(WHOLE, INDEX, 63)) == [
        o.CreateIndex(T, INDEX, only=True),
        o.CreateIndex(MIDDLE, ON_MIDDLE, online=False, only=True, part=True),
        o.AttachIndex(MIDDLE, "middle_i", TableName("i")),
        o.CreateIndex(LEAF, ON_LEAF, online=True, only=False, part=True),
        o.AttachIndex(LEAF, "leaf_i", TableName("middle_i", "s")),
    ]


def test_what_is_there_is_not_made_again_and_what_is_unusable_is_built_anew() -> None:
    def left(*leaf: PartIndex) -> list[o.AdditiveOperation]:
        middle = Partition(MIDDLE, T, False, (PartIndex("other", True, None), PartIndex("theirs", False, "i")))
        there = replace(WHOLE, indexes=(INDEX,), partitions=(middle, Partition(LEAF, MIDDLE, True, leaf)))
        return list(index_operations(there, INDEX, 63))

    attach = o.AttachIndex(LEAF, "leaf_i", TableName("theirs", "s"))
    assert left(PartIndex("mine", True, "theirs")) == []
    assert left(PartIndex("leaf_i", True, None)) == [attach]
    assert left(PartIndex("leaf_i", False, None)) == [o.RebuildIndex(LEAF, ON_LEAF), attach]
    assert left() == [o.CreateIndex(LEAF, ON_LEAF, online=True, part=True), attach]


def test_an_index_is_looked_for_in_the_schema_of_its_table() -> None:
    here = TableName("t", "own")
    leaf = Partition(LEAF, here, True)
    made = list(index_operations(replace(WHOLE, name=here, partitions=(leaf,)), INDEX, None))
    assert made == [
        o.CreateIndex(here, INDEX, only=True),
        o.CreateIndex(LEAF, ON_LEAF, online=True, part=True),
        o.AttachIndex(LEAF, "leaf_i", TableName("i", "own")),
    ]


def test_what_a_partition_gets_is_named_within_the_limit_and_made_from_values_alone() -> None:
    leaf = Partition(TableName("p" * 30), T, True)
    made = list(index_operations(replace(WHOLE, partitions=(leaf,)), replace(INDEX, native=object()), 20))
    build = made[1]
    assert isinstance(build, o.CreateIndex)
    assert (len(build.index.name), build.index.native) == (20, None)
    assert made[2] == o.AttachIndex(leaf.name, build.index.name, TableName("i"))


def test_names_are_cut_only_where_they_do_not_fit_and_stay_apart() -> None:
    assert part_name("i", "p" * 61, 63) == "p" * 61 + "_i"
    cut, other = part_name("i", "p" * 62, 63), part_name("j", "p" * 62, 63)
    assert cut != other
    assert len(cut) == len(other) == 63
    assert cut.startswith("p" * 54 + "_")
    assert part_name("i", "p" * 99, None) == "p" * 99 + "_i"
    # Two bytes a letter: 54 that stay would be cut within one, so 53 do.
    letters = part_name("i", "a" + "ä" * 60, 63)
    assert letters.startswith("a" + "ä" * 26 + "_")
    assert len(letters.encode()) == 62
    assert part_name("i", "ä" * 31, 64) == "ä" * 31 + "_i"


def test_only_where_nobody_is_to_be_held_up_or_a_build_was_interrupted() -> None:
    added, invalid = c.IndexAdded(T, INDEX), c.IndexInvalid(T, INDEX)
    parts = tuple(index_operations(WHOLE, INDEX, SERVER.identifier_limit))
    assert Lowering(SERVER, online=True, there=WHOLE).operations(added) == parts
    assert Lowering(SERVER, there=WHOLE).operations(added) == (o.CreateIndex(T, INDEX),)
    assert Lowering(SERVER, there=WHOLE).operations(invalid) == parts
    plain = table("t", column("a"))
    assert Lowering(SERVER, online=True, there=plain).operations(added) == (o.CreateIndex(T, INDEX, online=True),)
    assert Lowering(SERVER, online=True, there=plain).operations(invalid) == (o.RebuildIndex(T, INDEX),)
    limited = Lowering(replace(SERVER, identifier_limit=7), online=True, there=WHOLE).operations(added)
    assert limited == tuple(index_operations(WHOLE, INDEX, 7))
