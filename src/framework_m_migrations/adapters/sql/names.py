"""Names as the database stores them, and those that no database should be asked to store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import TableName


def hostile(name: str) -> str | None:
    """What is wrong with a name, in words; None where it can be stored and shown."""
    if not name:
        return "is empty"
    if name.isprintable():
        return None
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name):
        return "holds a control character"
    if any(0xD800 <= ord(character) <= 0xDFFF for character in name):
        return "is not valid Unicode"
    return None


def unsendable(text: str) -> str | None:
    """What is wrong with a text, in words; None where it can be part of a statement.

    A driver ends a statement at a NUL, and would carry out what stands before it.
    """
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        return "is not valid Unicode"
    return None


class Names:
    """Checks and cuts names.

    Args:
        identifier: Spelling.identifier.
        schema: the session's schema: tables declared in it are the default schema's.
        folds_case: two names that differ in the case of ASCII letters only are one to the database.
        folds_tables: the server keeps or compares names of tables and schemas in lower case.
    """

    def __init__(
        self, identifier: Callable[[str], str], *, schema: str | None, folds_case: bool, folds_tables: bool = False
    ) -> None:
        self._identifier = identifier
        self._schema = schema
        self._folds_case = folds_case
        self._folds_tables = folds_tables
        self._stored: dict[object, str] = {}
        self.known: Callable[[object], str | None] = self._stored.get
        """The stored name, where it was asked for before; the quick way to what ``stored`` returns. What cannot be
        hashed raises TypeError."""
        self._tables: dict[tuple[object, object], TableName] = {}

    def stored(self, name: object, what: str) -> str:
        """The name as the database stores it.

        Args:
            name: as declared.
            what: what it names, for the error: ``a column of table customer``.

        Raises:
            InvalidMetadata: it is empty, or holds what no name should.
        """
        if not isinstance(name, str):
            raise InvalidMetadata(f"The name {name!r} of {what} is not a string.")
        known = self.known(name)
        if known is not None:
            return known
        wrong = hostile(name)
        if wrong is not None:
            raise InvalidMetadata(f"The name {name!r} of {what} {wrong}.")
        text = str(name)
        stored = self._stored[text] = str(self._identifier(text))
        return stored

    def table(self, name: object, schema: object) -> TableName:
        """A table's name; the session's own schema becomes None."""
        try:
            known = self._tables.get((name, schema))
        except TypeError:  # What cannot be hashed is no name, as is said below.
            known = None
        if known is not None:
            return known
        found = TableName(self.stored(name, "a table"))
        if schema is not None:
            found = self.relative(found._replace(schema=self.stored(schema, f"the schema of table {found.name}")))
        if self._folds_tables:
            found = TableName(found.name.lower(), None if found.schema is None else found.schema.lower())
        self._tables[name, schema] = found
        return found

    def relative(self, name: TableName) -> TableName:
        """The same name, without its schema where that is the session's."""
        return TableName(name.name) if name.schema is not None and name.schema == self._schema else name

    def distinct(self, names: Sequence[str], what: str) -> None:
        """Raise InvalidMetadata where two names are one to the database, e.g. after both were cut."""
        if len(set(self.keys(names))) == len(names):
            return
        seen: dict[str, str] = {}
        for name, key in zip(names, self.keys(names), strict=True):
            if key in seen:
                raise InvalidMetadata(f"Two {what} have the same name to this database: {seen[key]!r} and {name!r}.")
            seen[key] = name

    def keys(self, names: Sequence[str]) -> Sequence[str]:
        """``key`` of each name."""
        if not self._folds_case:
            return names
        if "".join(names).isascii():
            return [name.lower() for name in names]
        return [self.key(name) for name in names]

    def key(self, name: str) -> str:
        """What decides whether two names are the same."""
        if not self._folds_case:
            return name
        if name.isascii():
            return name.lower()
        return "".join(chr(ord(character) + 32) if "A" <= character <= "Z" else character for character in name)
