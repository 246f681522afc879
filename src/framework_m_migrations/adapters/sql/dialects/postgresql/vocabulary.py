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
