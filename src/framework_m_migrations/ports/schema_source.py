"""Where the wanted schema comes from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from framework_m_migrations.domain.schema import DocTypeSchema


class SchemaSource(Protocol):
    """The wanted schema, in the canonical spelling of the session's dialect.

    Obligations:
        - All methods are pure reads; two calls without a change of the definitions return equal values.
        - ``checksums`` is cheap: it is called on every sync, before anything else. It changes whenever ``load`` would
          return something that is not equal, whatever the order in which DocTypes were declared.
        - No two DocTypes share a name or a table.
    """

    def apps(self) -> frozenset[str]:
        """The apps that this source speaks for: those it was asked for and those its DocTypes belong to.

        A table of ours that belongs to another app is none of its business, and is no ghost.
        """
        ...

    def schemas(self) -> frozenset[str]:
        """The schemas, beside the session's own, that wanted tables are declared in."""
        ...

    def checksums(self) -> Mapping[str, str]:
        """DocType name to SHA-256 (64 hexadecimal digits) of its definition.

        Raises:
            InvalidMetadata: the definitions contradict each other.
            AppBroken: a module that declares DocTypes failed to import.
        """
        ...

    def absent(self) -> tuple[str, ...]:
        """What was named and declares nothing, though it has to: most often the wrong name."""
        ...

    def unmanaged(self) -> tuple[str, ...]:
        """What is declared and no command manages, one sentence each: listeners that send DDL of their own."""
        ...

    def load(self, names: Collection[str] | None = None) -> tuple[DocTypeSchema, ...]:
        """The wanted schema of the named DocTypes, of all when ``names`` is None, in order of declaration.

        Names that are not declared are passed over.
        """
        ...
