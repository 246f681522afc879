"""Books, and the copies that stand on the shelves."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from framework_m_core.domain.base_doctype import BaseDocType, Field


class State(StrEnum):
    NEW = "new"
    WORN = "worn"


class BookCopy(BaseDocType):
    shelf: str = "it's in the cellar"
    state: State = State.NEW

    class Meta:
        is_child_table = True


class Book(BaseDocType):
    title: str
    isbn: str | None = Field(default=None, max_length=17, json_schema_extra={"unique": True})
    price: Decimal = Decimal(0)
    copies: list[BookCopy] = Field(default_factory=list)

    class Meta:
        indexes: ClassVar = [{"fields": ["title"]}]
