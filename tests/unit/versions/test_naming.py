from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from framework_m_migrations.adapters.sql.revisions.writer import source
from framework_m_migrations.domain.revisions import revision_id


def test_slugs() -> None:
    assert source.slug("Add  a Table: customers!") == "add_a_table_customers"
    assert source.slug("Größe ändern") == "groe_andern"
    assert source.slug("日本語") == "revision"
    assert source.slug("") == "revision"
    assert source.slug("../../etc/passwd") == "etc_passwd"


@given(st.text(max_size=300))
def test_any_message_makes_a_safe_file_name(message: str) -> None:
    name = source.file_name("aaaaaaaaaaa1", message)
    assert name.isascii()
    assert name.startswith("aaaaaaaaaaa1_")
    assert len(name) <= 12 + 1 + source.SLUG_LENGTH + 3
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.")
    assert name.count(".") == 1


def test_ids_come_from_content_alone() -> None:
    first = revision_id("shop", ["a"], "m", "body")
    assert first == revision_id("shop", ["a"], "m", "body")
    assert len(first) == 12
    assert int(first, 16) >= 0
    others = {
        revision_id("crm", ["a"], "m", "body"),
        revision_id("shop", ["b"], "m", "body"),
        revision_id("shop", ["a", "b"], "m", "body"),
        revision_id("shop", [], "am", "body"),
        revision_id("shop", ["a"], "n", "body"),
        revision_id("shop", ["a"], "m", "other"),
        first,
    }
    assert len(others) == 7
