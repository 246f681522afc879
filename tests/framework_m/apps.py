"""Sources of the apps that these tests install."""

from __future__ import annotations

HEADER = """\
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal
from uuid import UUID

from framework_m_core.domain.base_doctype import BaseDocType, Field
"""

AWKWARD = (
    HEADER
    + """

class Colour(str, Enum):
    RED = "red"
    SEA = "deep 'sea' :blue 100%"


class Tier(StrEnum):
    SILVER = "silver"


class Level(IntEnum):
    HIGH = 3


class Plain(Enum):
    ONE = 1


class Awkward(BaseDocType):
    quote: str = "it's"
    colon: str = ":x and a::b"
    percent: str = "100% %s %(x)s"
    backslash: str = "a\\\\b"
    empty: str = ""
    unicode: str = "Zoë ✓ 猫"
    newline: str = "one\\ntwo"
    order: str = "select"
    firstName: str = "Ann"
    colour: Colour = Colour.SEA
    tier: Tier = Tier.SILVER
    level: Level = Level.HIGH
    plain: Plain = Plain.ONE
    kind: Literal["a", "b"] = "a"
    flag: bool = True
    off: bool = False
    whole: int = -5
    real: float = 1e-7
    whole_real: float = 2
    credit: Decimal = Decimal("12.50")
    day: date = date(2024, 2, 29)
    moment: datetime = datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC)
    clock: time = time(8, 15)
    ref: UUID = UUID("a2345678-b234-5678-1234-567812345678")
    data: dict[str, Any] = Field(default_factory=dict)
    rows: list[str] = Field(default_factory=list)
    preset: dict[str, Any] = {"it's": [":x", "100%"]}
"""
)

AWKWARD_VALUES: dict[str, object] = {
    "quote": "it's",
    "colon": ":x and a::b",
    "percent": "100% %s %(x)s",
    "backslash": "a\\b",
    "empty": "",
    "unicode": "Zoë ✓ 猫",
    "newline": "one\ntwo",
    "order": "select",
    "firstName": "Ann",
    "colour": "deep 'sea' :blue 100%",
    "tier": "silver",
    "level": 3,
    "plain": "1",
    "kind": "a",
    "flag": True,
    "off": False,
    "whole": -5,
    "real": 1e-7,
    "whole_real": 2.0,
    "clock": "08:15:00",
    "data": {},
    "rows": [],
    "preset": {"it's": [":x", "100%"]},
}
"""What rows must hold in these columns after they were added, as the host reads them."""

EMPTY_AWKWARD = (
    HEADER
    + """

class Awkward(BaseDocType):
    pass
"""
)

SHOP = {
    "doctypes/customer.py": HEADER
    + """

class Customer(BaseDocType):
    title: str
    email: str | None = Field(default=None, max_length=140, json_schema_extra={"unique": True})
    parent_company: UUID | None = Field(default=None, json_schema_extra={"link": "Customer"})

    class Meta:
        indexes = [
            {"fields": ["title"]},
            {"fields": ["creation"]},
            {"fields": ["owner"], "unique": True},
            {"fields": ["email"], "where": "email IS NOT NULL", "name": "ix_part"},
        ]
""",
    "doctypes/basket.py": HEADER
    + """
from shop.doctypes.line import Line


class Basket(BaseDocType):
    # Mapped before its targets: Customer and Warehouse come later in the alphabet or keep their tables elsewhere.
    buyer: UUID | None = Field(default=None, json_schema_extra={"link": "Customer"})
    depot: UUID | None = Field(default=None, json_schema_extra={"link": "Warehouse"})
    seller_name: str = Field(default="", json_schema_extra={"link": "Customer"})
    report: UUID | None = Field(default=None, json_schema_extra={"link": "Figures"})
    nowhere: UUID | None = Field(default=None, json_schema_extra={"link": "Nothing"})
    lines: list[Line] = Field(default_factory=list)
""",
    "doctypes/line.py": HEADER
    + """

class Line(BaseDocType):
    item: str
    quantity: int = 1

    class Meta:
        is_child_table = True
""",
    "doctypes/warehouse.py": HEADER
    + """
from shop.doctypes.virtual_part import VirtualPart


class Shelf(BaseDocType):
    label: str


class Warehouse(BaseDocType):
    city: str
    shelves: list[Shelf] = Field(default_factory=list)
    ghosts: list[VirtualPart] = Field(default_factory=list)

    class Meta:
        table_name = "depots"
        is_tenant_specific = True
""",
    "doctypes/virtual_part.py": HEADER
    + """

class VirtualPart(BaseDocType):
    label: str

    class Meta:
        is_child_table = True
        create_schema = False
""",
    "doctypes/figures.py": HEADER
    + """

class Hidden(BaseDocType):
    label: str


class Figures(BaseDocType):
    total: Decimal = Decimal("0")
    parts: list[Hidden] = Field(default_factory=list)

    class Meta:
        create_schema = False
""",
    "doctypes/settings.py": HEADER
    + """

class ShopSettings(BaseDocType):
    currency: str = "EUR"

    class Meta:
        is_singleton = True
""",
}
