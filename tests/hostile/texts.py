"""Texts that nobody means well with: names, values, and what tries to end a quotation."""

from __future__ import annotations

from hypothesis import strategies as st

PAYLOADS = (
    '"; DROP TABLE sentinel; --',
    "'; DROP TABLE sentinel; --",
    '"); CREATE TABLE pwned (i int); --',
    "'); CREATE TABLE pwned (i int); --",
    '" (id int); CREATE TABLE pwned2 (i int); --',
    "x'||(SELECT 1)||'",
    "/* */ DROP TABLE sentinel /*",
    "*/; DELETE FROM sentinel; /*",
    "$$; DROP TABLE sentinel; $$",
    "$x$; DROP TABLE sentinel; --",
    "\\'; DROP TABLE sentinel; --",
    "\\",
    "\\\\",
    "]; DROP TABLE sentinel; --",
    "`; DROP TABLE sentinel; --",
    "--",
    ";",
    '""',
    "''",
    '"',
    "'",
    "%",
    "%s",
    "%(x)s",
    "%%",
    ":name",
    ":1",
    "?",
    "$1",
    "{}",
    "{0.__class__}",
    "[/red]",
    '"""',
    "'''",
    '"""\nimport os\nos._exit(3)\n"""',
    "select",
    "TABLE",
    "drop",
    "delete from",
    "sqlite_master",
    "sqlite_stat9",
    "__schema_versions__",
    "__schema_state__",
    "alembic_version",
    "sentinel",
    "pg_class",
    "ctid",
    "rowid",
    "oid",
    " ",
    " leading",
    "trailing ",
    "a.b",
    "Ünïcode",
    "名前",
    "\u202e",
    "\u200b",
    "\U0001f4a3",
    "\ud800",
    "\x00",
    "a\x00b",
    "a\nb",
    "a\r\nb",
    "\x1b[31m",
    "\x7f",
    "\u0085",
    "\u2028",
    "\ufeff",
    "",
    "x" * 63,
    "x" * 64,
    "é" * 40,
    "x" * 10_000,
    '"' * 300,
)

_ALPHABET = st.sampled_from("aZ_0 \"'`;-\\%:$?()[]{}*/\n\t\x00\x01é\u202e名.,=@#!&|<>~^")
fragments = st.text(_ALPHABET, max_size=12)
anything = st.text(max_size=30)
hostile = st.one_of(
    st.sampled_from(PAYLOADS), fragments, anything, st.builds("{}{}".format, fragments, st.sampled_from(PAYLOADS))
)
"""Any text."""

plain = st.sampled_from(("a", "title", "note_2", "Camel", "with space"))
names = st.one_of(hostile, hostile, plain)
"""Names, some of which are harmless, so that not every case ends at its first name."""
