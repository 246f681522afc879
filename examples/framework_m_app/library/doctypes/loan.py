"""Who has which book."""

from datetime import date
from uuid import UUID

from framework_m_core.domain.base_doctype import BaseDocType, Field


class Reader(BaseDocType):
    full_name: str


class Loan(BaseDocType):
    book: UUID | None = Field(default=None, json_schema_extra={"link": "Book"})
    reader: UUID | None = Field(default=None, json_schema_extra={"link": "Reader"})
    due: date | None = None
