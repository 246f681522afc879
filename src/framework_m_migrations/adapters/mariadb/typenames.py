"""Names of types in one spelling: what SQLAlchemy writes and what information_schema tells become the same text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from framework_m_migrations.adapters.mariadb.tokens import STRING, literal, lower, tokens
from framework_m_migrations.domain.schema import ColumnType

_TYPE = re.compile(r"\s*(?P<name>[A-Za-z_]\w*(?:\s+\w+)*)\s*(?:\((?P<arguments>.*)\))?\s*(?P<rest>[^()]*)\Z", re.DOTALL)
_SYNONYMS = {
    "integer": "int",
    "int1": "tinyint",
    "int2": "smallint",
    "int3": "mediumint",
    "middleint": "mediumint",
    "int4": "int",
    "int8": "bigint",
    "dec": "decimal",
    "numeric": "decimal",
    "fixed": "decimal",
    "number": "decimal",
    "double precision": "double",
    "real": "double",
    "float8": "double",
    "float4": "float",
    "character varying": "varchar",
    "char varying": "varchar",
    "varchar2": "varchar",
    "nvarchar": "varchar",
    "national varchar": "varchar",
    "character": "char",
    "nchar": "char",
    "national char": "char",
    "char byte": "binary",
    "raw": "varbinary",
    "clob": "longtext",
    "long": "mediumtext",
    "long varchar": "mediumtext",
}
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_ONE_BY_DEFAULT = frozenset({"char", "binary", "bit"})
_FRACTIONS = frozenset({"datetime", "timestamp", "time"})
_MODIFIERS = re.compile(
    r"(?P<unsigned>unsigned)|(?P<zerofill>zerofill)|(?:character set|charset)\s+(?P<charset>\w+)"
    r"|collate\s+[`'\"]?(?P<collate>\w+)[`'\"]?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParsedType:
    """A type: its parts, and ``bare``, its spelling without character set and collation."""

    bare: str
    base: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    charset: str | None = None
    collation: str | None = None

    @property
    def spelling(self) -> str:
        """The canonical text."""
        if self.collation is not None:
            return f"{self.bare} collate {self.collation}"
        return self.bare if self.charset is None else f"{self.bare} character set {self.charset}"

    def column_type(self, native: object = None) -> ColumnType:
        """As a value of the domain."""
        return ColumnType(
            self.spelling, self.base, self.length, self.precision, self.scale, self.collation, None, native
        )


def parse_type(text: str) -> ParsedType:
    """Read a type as DDL or information_schema writes it. What is not understood is kept as it stands."""
    match = _TYPE.match(text)
    if match is None:
        return ParsedType(lower(text.strip()), lower(text.strip()))
    name, arguments = " ".join(lower(match["name"]).split()), match["arguments"]
    if arguments is None:
        # Modifiers have no parentheses before them to tell them apart from a name of several words.
        name, rest = _split_name(name)
    else:
        rest = match["rest"]
    found: dict[str, str] = {}
    for modifier in _MODIFIERS.finditer(rest):
        found |= {key: lower(value) for key, value in modifier.groupdict().items() if value is not None}
    base, bare, numbers = _canonical(_SYNONYMS.get(name, name), arguments)
    if "zerofill" in found:
        bare += " unsigned zerofill"
    elif "unsigned" in found:
        bare += " unsigned"
    charset = "utf8mb3" if found.get("charset") == "utf8" else found.get("charset")
    length = numbers[0] if numbers and base in {"char", "varchar", "binary", "varbinary", "bit"} else None
    precision = numbers[0] if numbers and base in {"decimal", *_FRACTIONS} else None
    scale = numbers[1] if base == "decimal" and len(numbers) > 1 else None
    return ParsedType(bare, base, length, precision, scale, charset, found.get("collate"))


def _split_name(text: str) -> tuple[str, str]:
    match = _MODIFIERS.search(text)
    return (text, "") if match is None else (text[: match.start()].strip(), text[match.start() :])


def _canonical(name: str, arguments: str | None) -> tuple[str, str, tuple[int, ...]]:
    """Base, text and numbers of a type."""
    if name in {"bool", "boolean"}:
        return "tinyint", "tinyint(1)", ()
    if name in {"enum", "set"}:
        values = [literal(item.value) for item in tokens(arguments or "") if item.kind == STRING]
        return name, f"{name}({','.join(values)})", ()
    numbers = tuple(int(number) for number in re.findall(r"\d+", arguments or ""))
    if name in _INTEGERS:
        # The width of the others is a matter of display; the one of tinyint(1) says boolean to every driver.
        return name, "tinyint(1)" if name == "tinyint" and numbers == (1,) else name, ()
    if name == "decimal":
        numbers = (*numbers, *(10, 0)[len(numbers) :])
    elif name in _ONE_BY_DEFAULT and not numbers:
        numbers = (1,)
    elif name in _FRACTIONS and numbers == (0,):
        numbers = ()
    elif name == "float" and len(numbers) == 1:
        name, numbers = ("double" if numbers[0] > 24 else "float"), ()
    elif name == "year":
        numbers = ()
    return name, f"{name}({','.join(str(number) for number in numbers)})" if numbers else name, numbers
