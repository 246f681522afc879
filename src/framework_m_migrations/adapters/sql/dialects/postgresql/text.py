"""PostgreSQL's words.

Identifiers, literals, tokens, names of types, and pieces of SQL that are sent as they stand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.guard import GUARDED_WORDS
from framework_m_migrations.domain.schema import ColumnType, Generated, Index, IndexKey, TableName

NAME_LIMIT = 63
"""Bytes of UTF-8 that a stock server keeps of a name (NAMEDATALEN - 1)."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
_UPPER = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}


def cut(name: str) -> str:
    """The name as the server stores it: at most 63 bytes of UTF-8, cut on a character's border."""
    if len(name) * 4 <= NAME_LIMIT:
        return name
    encoded = name.encode()
    return name if len(encoded) <= NAME_LIMIT else encoded[:NAME_LIMIT].decode(errors="ignore")


def fold(name: str) -> str:
    """An unquoted name as the server reads it: ASCII letters in lower case, others as they are."""
    return name.translate(_UPPER)


@functools.lru_cache(maxsize=16384)
def quote(name: str) -> str:
    """The name as ``quote_ident`` writes it: quoted where it would not survive unquoted."""
    if _PLAIN.match(name) and name not in KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def written(name: str) -> str:
    """The name in a statement: as ``quote``, and what the additive path's guard looks for is never left bare."""
    return f'"{name}"' if name in GUARDED_WORDS else quote(name)


def unquote(text: str) -> str:
    """The name that an identifier in SQL stands for, quoted or not."""
    if text.startswith('"'):
        return text[1:-1].replace('""', '"')
    return fold(text)


# Words of PostgreSQL's SQL that the spelling needs to know.


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEYWORDS = _words(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both
    case cast char character check coalesce collate collation column concurrently constraint create cross
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
    decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign
    freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
    interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
    json_scalar json_serialize json_table json_value lateral leading least left like limit localtime
    localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on
    only or order out outer overlaps overlay placing position precision primary real references returning right
    row select session_user setof similar smallint some substring symmetric system_user table tablesample then
    time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when
    where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi
    xmlroot xmlserialize xmltable
    """
)
"""pg_get_keywords() of PostgreSQL 18 without the unreserved ones: as names these are quoted."""

CAPITALS = _words(
    """
    all and any array asc case collate current_catalog current_date current_role current_time current_timestamp
    current_user desc distinct else end from ilike in is like localtime localtimestamp not null or session_user
    similar some then to user when
    """
)
"""Written in capitals, as the server writes them: none of these can be the name of a column."""

STABLE_FUNCTIONS = _words(
    """
    now transaction_timestamp statement_timestamp timezone date_trunc date_part make_date make_time
    make_timestamp make_timestamptz make_interval to_char to_date to_timestamp to_number lower upper initcap
    trim btrim ltrim rtrim concat concat_ws left right lpad rpad replace repeat substr substring md5 length
    char_length abs round floor ceil ceiling power coalesce nullif greatest least json_build_object
    json_build_array jsonb_build_object jsonb_build_array to_json to_jsonb json_object jsonb_object
    array_to_json uuid_nil current_database current_schema current_setting current_time current_timestamp
    localtime localtimestamp version inet_client_addr numeric_in date_in row array_fill cast int4 int8 float8
    text date numeric
    """
)
"""Functions of pg_catalog that are immutable or stable: evaluated once for all rows of an ADD COLUMN."""

_TYPES = _words(
    """
    aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray
    anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange bigint bigserial bit bool boolean box
    bpchar bytea char character cid cidr circle cstring date datemultirange daterange dec decimal event_trigger
    fdw_handler float float4 float8 gtsvector index_am_handler inet int int2 int2vector int4 int4multirange
    int4range int8 int8multirange int8range integer internal interval json jsonb jsonpath language_handler line lseg
    macaddr macaddr8 money name national nchar numeric nummultirange numrange oid oidvector path
    pg_brin_bloom_summary pg_brin_minmax_multi_summary pg_ddl_command pg_dependencies pg_lsn pg_mcv_list
    pg_ndistinct pg_node_tree pg_snapshot point polygon real record refcursor regclass regcollation regconfig
    regdictionary regnamespace regoper regoperator regproc regprocedure regrole regtype serial serial2 serial4
    serial8 smallint smallserial table_am_handler text tid time timestamp timestamptz timetz trigger tsm_handler
    tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot unknown uuid varbit varchar void
    xid xid8 xml
    """
)
"""pg_type of PostgreSQL 18 without arrays and rows, and the words that its grammar reads as types."""

_ROWS = _words(
    """
    aggregate aios am amop amproc attrdef attribute auth_members authid available_extension_versions
    available_extensions backend_memory_contexts cast class collation config constraint conversion cursors database
    db_role_setting default_acl depend description enum event_trigger extension file_settings foreign_data_wrapper
    foreign_server foreign_table group hba_file_rules ident_file_mappings index indexes inherits init_privs language
    largeobject largeobject_metadata locks matviews namespace opclass operator opfamily parameter_acl
    partitioned_table policies policy prepared_statements prepared_xacts proc publication publication_namespace
    publication_rel publication_tables range replication_origin replication_origin_status replication_slots rewrite
    roles rules seclabel seclabels sequence sequences settings shadow shdepend shdescription shmem_allocations
    shmem_allocations_numa shseclabel stat_activity stat_all_indexes stat_all_tables stat_archiver stat_bgwriter
    stat_checkpointer stat_database stat_database_conflicts stat_gssapi stat_io stat_progress_analyze
    stat_progress_basebackup stat_progress_cluster stat_progress_copy stat_progress_create_index
    stat_progress_vacuum stat_recovery_prefetch stat_replication stat_replication_slots stat_slru stat_ssl
    stat_subscription stat_subscription_stats stat_sys_indexes stat_sys_tables stat_user_functions stat_user_indexes
    stat_user_tables stat_wal stat_wal_receiver stat_xact_all_tables stat_xact_sys_tables stat_xact_user_functions
    stat_xact_user_tables statio_all_indexes statio_all_sequences statio_all_tables statio_sys_indexes
    statio_sys_sequences statio_sys_tables statio_user_indexes statio_user_sequences statio_user_tables statistic
    statistic_ext statistic_ext_data stats stats_ext stats_ext_exprs subscription subscription_rel tables tablespace
    timezone_abbrevs timezone_names transform trigger ts_config ts_config_map ts_dict ts_parser ts_template type
    user user_mapping user_mappings views wait_events
    """
)
"""Tables and views of pg_catalog in PostgreSQL 18, without their ``pg_``: each is the type of its rows."""


def is_built_in_type(name: str) -> bool:
    """Whether a type of that name, written without a schema, is one of PostgreSQL's own.

    pg_catalog is searched before every other schema, so that a type of the application's would never be found.
    """
    element = name.removeprefix("_")
    return element in _TYPES or (element.removeprefix("pg_") in _ROWS and element.startswith("pg_"))


# SQL text cut into tokens, after PostgreSQL's lexer (scan.l), as far as default and check expressions need it.


class Token(NamedTuple):
    """``kind`` is one of ``string``, ``number``, ``name``, ``keyword``, ``cast``, ``operator``, ``punctuation``.

    ``text`` is canonical SQL: names and keywords unquoted in lower case, quoted names only where they need it,
    strings with doubled quotes and without escapes where that is possible.
    """

    kind: str
    text: str


_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
  | (?P<prefixed>[bBxX]'[^']*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<word>[^\W\d][\w$]*(?!['"]))
  | (?P<cast>::)
  | (?P<operator>[-+*/<>=~!@\#%^&|`?]+)
  | (?P<punctuation>[()\[\],.])
    """,
    re.VERBOSE | re.DOTALL,
)
_MAY_END_IN_SIGN = frozenset("~!@#%^&|`?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Unreadable(ValueError):
    """The text holds something that is better left alone: a comment, dollar quotes, Unicode escapes."""


def tokenize(sql: str) -> list[Token]:
    """The tokens of a SQL text without white space.

    Raises:
        Unreadable: the text holds what this lexer does not cover.
    """
    tokens: list[Token] = []
    position, end = 0, len(sql)
    while position < end:
        match = _TOKEN.match(sql, position)
        if match is None:
            raise Unreadable(sql)
        position = match.end()
        text = match[0]
        match match.lastgroup:
            case "space":
                continue
            case "operator":
                if "--" in text or "/*" in text:
                    raise Unreadable(sql)
                tokens.extend(_operators(text))
            case "word":
                tokens.append(_word(fold(text)))
            case "quoted":
                tokens.append(Token("name", written(unquote(text))))
            case "string":
                tokens.append(Token("string", text))
            case "escaped":
                tokens.append(Token("string", _plain_string(text, sql)))
            case "prefixed":
                tokens.append(Token("string", text[0].upper() + text[1:]))
            case kind:
                tokens.append(Token(str(kind), text))
    return tokens


def _word(folded: str) -> Token:
    return Token("keyword", folded) if folded in KEYWORDS else Token("name", written(folded))


def _operators(text: str) -> list[Token]:
    """A run of operator characters: PostgreSQL lets one end in a sign only if it holds an unusual character."""
    signs: list[Token] = []
    while len(text) > 1 and text[-1] in "+-" and not _MAY_END_IN_SIGN.intersection(text):
        signs.insert(0, Token("operator", text[-1]))
        text = text[:-1]
    return [Token("operator", "<>" if text == "!=" else text), *signs]


def _plain_string(text: str, sql: str) -> str:
    """``E'...'`` without its escapes, where they are none but backslashes and quotes."""
    body = text[2:-1]

    def replaced(match: re.Match[str]) -> str:
        if match[1] == "'":
            return "''"
        if match[1] == "\\":
            return "\\"
        raise Unreadable(sql)

    return f"'{_ESCAPE.sub(replaced, body)}'"


def string_value(token: str) -> str:
    """The characters that a canonical string token stands for."""
    return token[1:-1].replace("''", "'")


def escaped_literal(value: str) -> str:
    """A string as a literal that reads the same whatever ``standard_conforming_strings`` is."""
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def string_literal(value: str) -> str:
    """A string as a canonical literal, under ``standard_conforming_strings``."""
    return "'" + value.replace("'", "''") + "'"


# Type names in the one spelling that ``format_type`` gives them (PostgreSQL 15 to 18).


class ParsedType(NamedTuple):
    """See ColumnType for the fields. ``printed`` is the form in which casts to the type are written: no modifiers."""

    spelling: str
    base: str
    printed: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    collation: str | None = None


_ALIASES = {
    "int": "integer",
    "int4": "integer",
    "int2": "smallint",
    "int8": "bigint",
    "serial": "integer",
    "serial4": "integer",
    "bigserial": "bigint",
    "serial8": "bigint",
    "smallserial": "smallint",
    "serial2": "smallint",
    "bool": "boolean",
    "float4": "real",
    "float8": "double precision",
    "decimal": "numeric",
    "dec": "numeric",
    "varchar": "character varying",
    "char varying": "character varying",
    "nchar varying": "character varying",
    "national character varying": "character varying",
    "national char varying": "character varying",
    "char": "character",
    "nchar": "character",
    "national character": "character",
    "national char": "character",
    "varbit": "bit varying",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
}
_COLLATE = re.compile(r'^(?P<type>.*?)\s+COLLATE\s+(?P<name>(?:"(?:[^"]|"")+"|[\w$]+|\.)+)$', re.IGNORECASE | re.DOTALL)
_ARRAY = re.compile(r"(?:\s*\[\s*\d*\s*\])+$|\s+ARRAY(?:\s*\[\s*\d+\s*\])?$", re.IGNORECASE)
_PLAIN_TYPE = re.compile(r"^(?P<name>[a-z_][a-z0-9_ $]*?)\s*(?:\((?P<args>[^()]*)\))?(?P<rest> [a-z ]+)?$")
_INTERVAL = re.compile(
    r"^interval(?P<fields>(?: (?:year|month|day|hour|minute|second|to))*)\s*(?:\(\s*(?P<p>\d)\s*\))?$"
)
_NAMED = re.compile(
    r'^(?:(?P<schema>"(?:[^"]|"")+"|[^\s".()\[\]]+)\s*\.\s*)?(?P<name>"(?:[^"]|"")+"|[^\s".()\[\]]+)'
    r"\s*(?P<args>\([^()]*\))?$"
)
_FLOAT_REAL_LIMIT = 24  # FLOAT(p) of the SQL standard: up to 24 binary digits are a real.


@functools.lru_cache(maxsize=8192)
def parse_type(text: str) -> ParsedType:
    """A type as DDL or ``format_type`` writes it, in canonical form.

    What is not known is taken for a type that somebody defined: its name is kept, unquoted letters in lower case.
    """
    stripped = text.strip()
    collation = None
    collate = _COLLATE.match(stripped)
    if collate is not None:
        stripped = collate["type"]
        collation = canonical_collation(collate["name"])
    array = _ARRAY.search(stripped)
    element = _element(stripped[: array.start()].strip() if array is not None else stripped)
    if array is not None:
        element = ParsedType(
            f"{element.spelling}[]",
            f"{element.base}[]",
            f"{element.printed}[]",
            element.length,
            element.precision,
            element.scale,
        )
    if collation is None:
        return element
    return element._replace(spelling=f"{element.spelling} COLLATE {collation}", collation=collation)


def canonical_collation(text: str) -> str | None:
    """A collation's name, always quoted, without the schema of the built-in ones; None for the default one."""
    parts = re.findall(r'"(?:[^"]|"")+"|[^".]+', text)
    names = [unquote(part) for part in parts]
    if len(names) > 1 and names[0] == "pg_catalog":
        names = names[1:]
    if names == ["default"]:
        return None
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def named_type(name: str, schema: str | None, arguments: str = "", *, array: bool = False) -> str:
    """The spelling of a type that is not built in."""
    written = quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"
    return f"{written}{arguments}{'[]' if array else ''}"


def _element(text: str) -> ParsedType:
    if '"' in text or "." in text.partition("(")[0]:
        return _user_type(text)
    lowered = " ".join(text.lower().split())
    interval = _INTERVAL.match(lowered)
    if interval is not None:
        precision = None if interval["p"] is None else int(interval["p"])
        spelling = f"interval{interval['fields']}" + ("" if precision is None else f"({precision})")
        return ParsedType(spelling, "interval", "interval", precision=precision)
    plain = _PLAIN_TYPE.match(lowered)
    if plain is None:
        return _user_type(text)
    name = plain["name"] + (plain["rest"] or "")
    arguments = [] if plain["args"] is None else [part.strip() for part in plain["args"].split(",")]
    return _builtin(_ALIASES.get(name, name), arguments) or _user_type(lowered)


def _builtin(name: str, arguments: list[str]) -> ParsedType | None:
    numbers = [int(part) for part in arguments if re.fullmatch(r"-?\d+", part)]
    if len(numbers) != len(arguments):
        return None
    first = numbers[0] if numbers else None
    if name in {"character", "bit"}:
        return _sized(name, 1 if first is None else first, "bpchar" if name == "character" else '"bit"')
    if name in {"character varying", "bit varying"}:
        return _sized(name, first, name)
    if name == "numeric":
        return _numeric(first, numbers[1] if len(numbers) > 1 else 0)
    if name == "float":
        name = "real" if first is not None and first <= _FLOAT_REAL_LIMIT else "double precision"
        return ParsedType(name, name, name)
    if name.endswith(" time zone"):
        word, _, rest = name.partition(" ")
        shown = name if first is None else f"{word}({first}) {rest}"
        return ParsedType(shown, name, name, precision=first)
    return ParsedType(name, name, name) if first is None else None


def _sized(name: str, length: int | None, printed: str) -> ParsedType:
    return ParsedType(name if length is None else f"{name}({length})", name, printed, length=length)


def _numeric(precision: int | None, scale: int) -> ParsedType:
    if precision is None:
        return ParsedType("numeric", "numeric", "numeric")
    return ParsedType(f"numeric({precision},{scale})", "numeric", "numeric", precision=precision, scale=scale)


def _user_type(text: str) -> ParsedType:
    match = _NAMED.match(text)
    if match is None:
        shown = " ".join(text.split())
        return ParsedType(shown, shown.lower(), shown)
    schema = None if match["schema"] is None else unquote(match["schema"])
    arguments = re.sub(r"\s+", "", match["args"] or "").lower()
    if match["name"].startswith('"'):
        name = named_type(unquote(match["name"]), schema)
    else:
        # As it stands: "json" is a keyword, and still the plain name of a type.
        name = ("" if schema is None else f"{quote(schema)}.") + unquote(match["name"])
    if name.startswith("pg_catalog."):
        name = name.removeprefix("pg_catalog.")
    return ParsedType(name + arguments, name.lower(), name)


# Pieces of SQL that are sent as they stand.


def qualified(name: TableName, schema: str | None) -> str:
    """A table's or type's name with its schema, the session's where it has none of its own."""
    place = name.schema or schema
    return written(name.name) if place is None else f"{written(place)}.{written(name.name)}"


def column_list(names: Iterable[str]) -> str:
    """``(a, b)``."""
    return f"({', '.join(written(name) for name in names)})"


def type_sql(type_: ColumnType, schema: str | None) -> str:
    """A type as DDL takes it, an enumeration with the session's schema."""
    if type_.enum is None or type_.enum.schema is not None or schema is None:
        return type_.spelling
    return named_type(type_.enum.name, schema, array=type_.spelling.endswith("[]"))


def key_sql(key: IndexKey) -> str:
    """One key of an index."""
    body = written(key.column) if key.column is not None else f"({key.expression})"
    return f"{body} {key.modifiers}".rstrip()


def index_sql(index: Index, table: str, *, name: str, words: str = "") -> str:
    """CREATE INDEX from the value alone.

    Args:
        index: what is wanted.
        table: SQL, ONLY included where it is meant.
        name: SQL.
        words: what stands before the name (``CONCURRENTLY ``).
    """
    parts = [f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {words}{name} ON {table}"]
    if index.method:
        parts.append(f"USING {written(index.method)}")
    parts.append(f"({', '.join(key_sql(key) for key in index.keys)})")
    if index.include:
        parts.append(f"INCLUDE {column_list(index.include)}")
    options = dict(index.options)
    if options.get("nulls_not_distinct") == "true":
        parts.append("NULLS NOT DISTINCT")
    storage = [f"{written(k[5:])} = {string_literal(v)}" for k, v in index.options if k.startswith("with.")]
    if storage:
        parts.append(f"WITH ({', '.join(storage)})")
    if "tablespace" in options:
        parts.append(f"TABLESPACE {written(options['tablespace'])}")
    if index.where is not None:
        parts.append(f"WHERE {index.where}")
    return " ".join(parts)


def computed_sql(generated: Generated) -> str:
    """The clause of a computed column."""
    return f"GENERATED ALWAYS AS ({generated.expression}) {'STORED' if generated.stored else 'VIRTUAL'}"


def execute(connection: sa.Connection, sql: str) -> sa.CursorResult[Any]:
    """Send literal SQL: no driver looks for placeholders in it."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
