"""Words of PostgreSQL's SQL that the spelling needs to know."""

from __future__ import annotations


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
