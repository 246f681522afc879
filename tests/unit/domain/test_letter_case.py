"""Names in another case of letters, to a database that folds ASCII letters and no others."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain.errors import NameInOtherCase
from framework_m_migrations.domain.risk.conflicts import folded, refuse_column, refuse_table
from framework_m_migrations.domain.schema import TableName

TASK = TableName("Task")


@pytest.mark.parametrize(
    ("name", "as_compared"),
    [("Task", "task"), ("TÄSK", "tÄsk"), ("ключ", "ключ"), ("КЛЮЧ", "КЛЮЧ"), ("ZzÉz", "zzÉz"), ("", "")],
)
def test_only_ascii_letters_are_folded(name: str, as_compared: str) -> None:
    assert folded(name) == as_compared


@pytest.mark.parametrize("wanted", ["task", "TASK", "tASK"])
def test_a_table_in_another_case_is_refused_with_both_names(wanted: str) -> None:
    with pytest.raises(NameInOtherCase) as caught:
        refuse_table(TableName(wanted), frozenset({TASK, TableName("other")}))
    assert caught.value.what == (
        f"The table Task is declared as {wanted}, which is the same name to this database. Nothing was changed."
    )
    assert caught.value.next_step == "Declare it as Task; or rename it in a revision, by way of a third name."
    assert caught.value.details == {"declared": wanted, "existing": "Task"}


def test_the_same_name_elsewhere_is_another_table() -> None:
    there = frozenset({TableName("Task", "archive"), TableName("TÄSK"), TableName("tasks")})
    refuse_table(TableName("task"), there)
    refuse_table(TableName("täsk"), there)
    with pytest.raises(NameInOtherCase):
        refuse_table(TableName("task", "archive"), there)


def test_a_column_in_another_case_is_refused_with_both_names() -> None:
    with pytest.raises(NameInOtherCase) as caught:
        refuse_column(TASK, "TITLE", ["id", "Title"])
    assert caught.value.what == (
        "The column Task.Title is declared as TITLE, which is the same name to this database. Nothing was changed."
    )
    assert caught.value.next_step == "Declare it as Title; or rename it in a revision."
    assert caught.value.details == {"declared": "Task.TITLE", "existing": "Task.Title"}


def test_other_columns_are_none_of_its_business() -> None:
    refuse_column(TASK, "Title", ["id", "titles", "tit_le"])
    refuse_column(TASK, "überschrift", ["ÜBERSCHRIFT"])
