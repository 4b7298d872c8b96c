# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The statements that read the status of a server. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from .._settings.state import OUR_LINES

#: What this session may see, and whether it comes from the server's own machine.
RIGHTS = """
SELECT has_function_privilege('pg_stat_file(text,boolean)', 'execute') AS stat_file,
       has_function_privilege('pg_ls_waldir()', 'execute') AS ls_waldir,
       has_function_privilege('pg_ls_archive_statusdir()', 'execute') AS ls_archive,
       has_table_privilege('pg_file_settings', 'select')
         AND has_function_privilege('pg_show_all_file_settings()', 'execute') AS file_settings,
       has_table_privilege('pg_hba_file_rules', 'select')
         AND has_function_privilege('pg_hba_file_rules()', 'execute') AS hba_rules,
       inet_server_addr() IS NOT DISTINCT FROM inet_client_addr() AS local
"""

#: Everything that any role may ask for; what it may not see comes back as NULL.
FACTS = """
SELECT recovering,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       CASE WHEN NOT recovering THEN pg_walfile_name(pg_current_wal_lsn()) END AS wal_file,
       (SELECT greatest(timeline_id, min_recovery_end_timeline)
          FROM pg_control_checkpoint(), pg_control_recovery()) AS control_timeline,
       CASE WHEN NOT recovering THEN pg_current_wal_lsn()::text END AS current,
       CASE WHEN NOT recovering THEN pg_current_wal_flush_lsn()::text END AS flush,
       CASE WHEN recovering THEN pg_last_wal_receive_lsn()::text END AS receive,
       CASE WHEN recovering THEN pg_last_wal_replay_lsn()::text END AS replay,
       CASE WHEN recovering THEN pg_is_wal_replay_paused() ELSE false END AS replay_paused,
       CASE WHEN NOT recovering THEN NULL
            WHEN pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
       END::float8 AS replay_lag_seconds,
       CASE WHEN recovering THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8
         AS replayed_age_seconds,
       (SELECT coalesce(json_agg(s ORDER BY s.name, s.pid), '[]') FROM (
          SELECT application_name AS name, host(client_addr) AS address, pid, state, sync_state,
                 sent_lsn::text, write_lsn::text, flush_lsn::text, replay_lsn::text,
                 greatest(0, pg_wal_lsn_diff(here, replay_lsn))::bigint AS lag_bytes,
                 CASE WHEN replay_lsn >= here THEN 0 ELSE extract(epoch FROM replay_lag) END::float8 AS lag_seconds,
                 slot_name AS slot
            FROM pg_stat_replication
            LEFT JOIN pg_replication_slots ON active_pid = pid
           WHERE pid <> pg_backend_pid() AND state IS DISTINCT FROM 'backup' AND slot_type IS DISTINCT FROM 'logical') AS s) AS standbys,
       (SELECT row_to_json(r) FROM (
          SELECT status, sender_host, sender_port, slot_name AS slot, received_tli, flushed_lsn::text,
                 latest_end_lsn::text,
                 extract(epoch FROM clock_timestamp() - last_msg_receipt_time)::float8 AS last_message_age_seconds
            FROM pg_stat_wal_receiver) AS r) AS wal_receiver,
       (SELECT json_build_array(pid, extract(epoch FROM clock_timestamp() - backend_start)::float8) FROM pg_stat_activity
         WHERE backend_type = 'walreceiver' AND lower(wait_event) = 'libpqwalreceiverconnect') AS connecting,
       (SELECT row_to_json(a) FROM (
          SELECT current_setting('archive_mode') AS mode, archived_count, failed_count, last_archived_wal,
                 last_failed_wal,
                 coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing,
                 extract(epoch FROM clock_timestamp() - last_archived_time)::float8 AS last_archived_seconds,
                 CASE WHEN last_archived_wal ~ '^[0-9A-F]{24}($|[.][0-9A-F]{8}[.])' THEN
                   ('0/0'::pg_lsn + ('x' || substr(last_archived_wal, 9, 8))::bit(32)::bigint * 4294967296
                     + (('x' || substr(last_archived_wal, 17, 8))::bit(32)::bigint + 1)
                       * pg_size_bytes(current_setting('wal_segment_size')))::text END AS last_archived_lsn,
                 (SELECT setting::int FROM pg_settings WHERE name = 'archive_timeout') AS timeout_seconds,
                 NOT recovering AND current_setting('archive_mode') <> 'off' AND current_setting('archive_command') = ''
                   AND coalesce(current_setting('archive_library', true), '') = '' AS nowhere
            FROM pg_stat_archiver) AS a) AS archiver,
       (SELECT sum(checksum_failures)::bigint FROM pg_stat_database) AS checksum_failures,
       (SELECT count(*) FROM pg_stat_replication WHERE pid <> pg_backend_pid()) AS used_wal_senders,
       (SELECT json_object_agg(name, setting) FROM pg_settings
         WHERE name IN ('cluster_name', 'data_checksums', 'data_directory', 'max_replication_slots',
                        'max_slot_wal_keep_size', 'max_wal_senders', 'primary_conninfo', 'primary_slot_name',
                        'recovery_min_apply_delay', 'restore_command')) AS setting,
       (SELECT json_object_agg(r.rolname, concat_ws(', ',
                 CASE WHEN NOT r.rolcanlogin THEN 'NOLOGIN' END,
                 CASE WHEN NOT (r.rolreplication OR r.rolsuper) THEN 'NOREPLICATION' END,
                 CASE WHEN r.rolvaliduntil < clock_timestamp() THEN 'VALID UNTIL ' || r.rolvaliduntil::text END,
                 CASE WHEN r.rolconnlimit = 0 THEN 'CONNECTION LIMIT 0' END))
          FROM pg_roles AS r WHERE r.oid IN (SELECT usesysid FROM pg_stat_replication)
           AND (NOT r.rolcanlogin OR NOT (r.rolreplication OR r.rolsuper) OR r.rolvaliduntil < clock_timestamp()
                OR r.rolconnlimit = 0)) AS barred_roles,
       (SELECT coalesce(json_agg(json_build_object('name', s.subname, 'database', d.datname) ORDER BY s.subname), '[]')
          FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid WHERE s.subenabled) AS subscriptions,
       (SELECT json_object_agg(name, setting::int) FROM pg_settings
         WHERE name IN ('max_connections', 'max_locks_per_transaction', 'max_prepared_transactions', 'max_wal_senders',
                        'max_worker_processes')) AS standby_limits,
       (SELECT string_agg(name || ' = ' || quote_literal(setting), ', ' ORDER BY name) FROM pg_settings
         WHERE setting <> '' AND name IN ('recovery_target', 'recovery_target_lsn', 'recovery_target_name',
                                          'recovery_target_time', 'recovery_target_xid')) AS recovery_target,
       (SELECT json_object_agg(name, json_build_array(setting, boot_val) ORDER BY name) FROM pg_settings WHERE pending_restart) AS pending_restart
  FROM (SELECT pg_is_in_recovery() AS recovering) AS node
 CROSS JOIN LATERAL (SELECT CASE WHEN recovering THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                                 ELSE pg_current_wal_lsn() END AS here) AS position
"""

#: The configuration files, and those of TLS, which a reload reads as well; the parts in braces are empty where the role has no right to them.
_CONFIG = """
WITH line AS MATERIALIZED ({lines}), rule AS MATERIALIZED ({rules}), file AS (
  SELECT sourcefile AS name FROM line WHERE sourcefile IS NOT NULL
  UNION SELECT file FROM rule WHERE file IS NOT NULL
  UNION SELECT setting FROM pg_settings WHERE name IN ('config_file', 'hba_file', 'ident_file')
  UNION SELECT setting FROM pg_settings WHERE name IN ('ssl_cert_file', 'ssl_ca_file') AND setting LIKE '/%'
                                         AND current_setting('ssl')::boolean)
SELECT extract(epoch FROM pg_conf_load_time())::float8 AS loaded,
       (SELECT json_object_agg(name, {modified}) FROM file) AS modified,
       EXISTS (SELECT FROM line JOIN pg_settings AS s ON lower(s.name) = lower(line.name)
                WHERE applied AND error IS NULL AND s.context NOT IN ('postmaster', 'backend', 'superuser-backend')
                  AND (s.source = 'default'
                       OR s.source = 'configuration file' AND s.sourcefile IS NOT NULL
                          AND (s.sourcefile, s.sourceline) IS DISTINCT FROM (line.sourcefile, line.sourceline))) AS moved,
       (SELECT coalesce(json_agg(json_build_object('file', sourcefile, 'line', sourceline, 'name', name, 'error', error)),
                        '[]') FROM line WHERE error IS NOT NULL) AS file_errors,
       (SELECT coalesce(json_agg(json_build_object('file', file, 'line', line_number, 'name', NULL, 'error', error)),
                        '[]') FROM rule WHERE error IS NOT NULL) AS hba_errors,
       (SELECT json_object_agg(name, setting ORDER BY seqno) FROM line WHERE name IS NOT NULL) AS written,
       {wal_bytes} AS wal_bytes, {wal_timeline} AS wal_timeline,
       {archive_waiting} AS archive_waiting,
       (SELECT json_agg(row_to_json(o)) FROM ({our_lines}) AS o) AS our_lines
"""
_NO_LINES = (
    "SELECT NULL::text AS sourcefile, NULL::int AS sourceline, NULL::int AS seqno, NULL::text AS name,"
    " NULL::text AS setting, NULL::boolean AS applied, NULL::text AS error WHERE false"
)
_LINES = "SELECT sourcefile, sourceline, seqno, name, setting, applied, error FROM pg_file_settings"
_NO_RULES = "SELECT NULL::text AS file, NULL::int AS line_number, NULL::text AS error WHERE false"
_RULES = "SELECT file_name AS file, line_number, error FROM pg_hba_file_rules"
_RULES_OF_ONE_FILE = (
    "SELECT (SELECT setting FROM pg_settings WHERE name = 'hba_file') AS file, line_number, error"
    " FROM pg_hba_file_rules"
)

#: The server looks at every file for this.
DATABASE_BYTES = "SELECT sum(pg_database_size(oid))::bigint AS bytes FROM pg_database WHERE datallowconn"

_MODIFIED = "extract(epoch FROM (pg_stat_file(name, true)).modification)"
_WAL_BYTES = "(SELECT sum(size)::bigint FROM pg_ls_waldir())"

#: Files that the archiver has yet to archive: how many, and the age of the oldest.
_ARCHIVE_WAITING = """(SELECT json_build_array(count(*), extract(epoch FROM clock_timestamp() - min(modification))::float8)
                          FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')"""

#: The newest timeline that the server has WAL of. A standby whose primary is gone is told it by nothing else. WAL of a timeline
#: whose history is not here is not the server's own: pg_rewind may leave the segment in which an abandoned one began.
_WAL_TIMELINE = """(SELECT max(('x' || left(wal.name, 8))::bit(32)::int) FROM pg_ls_waldir() AS wal
         WHERE wal.name ~ '^[0-9A-F]{24}$'
           AND (wal.name LIKE '00000001%' OR left(wal.name, 8) || '.history' IN (SELECT name FROM pg_ls_waldir())))"""


def wal_timeline(rights: Mapping[str, bool]) -> str:
    """The expression for that timeline, as far as the rights go."""
    return _WAL_TIMELINE if rights["ls_waldir"] else "NULL::int"


def config_query(major: int, rights: Mapping[str, bool]) -> str:
    """The statement about configuration files, as far as the rights go.

    A right to a function is checked even where a CASE would leave it out, so the parts must not be there at all.
    """
    rules = _RULES if major >= 16 else _RULES_OF_ONE_FILE
    return _CONFIG.format(
        lines=_LINES if rights["file_settings"] else _NO_LINES,
        rules=rules if rights["hba_rules"] else _NO_RULES,
        modified=_MODIFIED if rights["stat_file"] else "NULL::float8",
        wal_bytes=_WAL_BYTES if rights["ls_waldir"] else "NULL::bigint",
        wal_timeline=wal_timeline(rights),
        our_lines=OUR_LINES if rights["file_settings"] else "SELECT WHERE false",
        archive_waiting=_ARCHIVE_WAITING if rights["ls_archive"] else "NULL::json",
    )
