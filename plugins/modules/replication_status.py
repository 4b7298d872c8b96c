#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: replication_status
short_description: Tell the truth about one PostgreSQL node, and wait until it is as expected
version_added: 1.0.0
description:
  - Reads what a node is and does into one structure, RV(status), which has the same keys for a primary, a standby and a
    server that does not run.
  - With O(expect) it is a gate. It returns as soon as every expectation is met; when O(wait) seconds are up it fails with
    RV(reasons), each with a stable code, a sentence and the remedy. The codes are explained in C(docs/reason-codes.md).
  - Without O(expect) it never fails for a server that is stopped or accepts no connections; RV(status.answer) tells which, and
    RV(reasons) has what is not well.
  - A standby that does not stream is asked why. From the standby's own machine the module logs in for replication with
    the C(primary_conninfo) of that standby and asks for what the standby needs, without taking its slot from it.
  - Works for a role with C(pg_monitor). What the role may not see is null, not an error.
  - Source is the PostgreSQL manual, chapters The Cumulative Statistics System, System Administration Functions and Streaming
    Replication Protocol.
options:
  data_directory:
    description:
      - Data directory of the node. When the server cannot be reached, the facts come from there, so that a stopped
        standby, a stopped primary and a node without a cluster are told apart.
      - The task must run on the node, as a user that can read the directory.
    type: path
  bin_dir:
    description: Directory with C(pg_controldata). Without it the usual places are searched.
    type: path
  log_file:
    description: The server's log. When the server does not run, RV(reasons) has the words it ended with, or those of a start that failed.
    type: path
  unit:
    description: The server's systemd unit. When the server does not run, RV(reasons) says whether it is masked or has failed.
    type: str
  expect:
    description:
      - What must be true. An empty dictionary only expects that the server accepts a session and, on a standby, that it streams.
      - On a standby the values about lag, replay and state are those of its own WAL receiver; with
        O(expect.standbys) also those of the standbys that follow it.
    type: dict
    suboptions:
      role:
        description: What the node is. It is taken for granted that only a standby follows an O(expect.primary).
        type: str
        choices: [primary, standby]
      system_identifier:
        description: Identifier that all nodes of the cluster have.
        type: str
      timeline:
        description: Timeline of the node.
        type: int
      standbys:
        description:
          - Names of the standbys that must be connected. The name is the standby's C(application_name), by default its C(cluster_name).
          - Without it the other values apply to all standbys that are connected.
        type: list
        elements: str
      slots:
        description: Names of the slots that must be there, in use, not lost and not at risk.
        type: list
        elements: str
      state:
        description:
          - State of the standbys in C(pg_stat_replication), and of a standby's own WAL receiver.
          - V(catchup) is also content with V(streaming). With V(any) a standby need not receive anything.
          - With V(archive) the node must follow no server, and read its WAL from the archive.
        type: str
        default: streaming
        choices: [streaming, catchup, archive, any]
      sync_state:
        description: How the primary waits for the standbys.
        type: str
        choices: [async, potential, sync, quorum]
      max_lag_bytes:
        description: Bytes of WAL that may be waiting to be replayed.
        type: int
      max_lag_seconds:
        description:
          - Seconds that replay may be late. On a primary this is what the standby last reported, which stands still while replay is paused;
            combine it with O(expect.max_lag_bytes).
        type: float
      replayed_lsn:
        description: Position that must have been replayed.
        type: str
      primary:
        description: Server that a standby must follow.
        type: dict
        suboptions:
          host:
            description: Host as it is written in C(primary_conninfo).
            type: str
            required: true
          port:
            description: Port of that server. Without it any port will do.
            type: int
      no_pending_restart:
        description: No setting waits for a restart.
        type: bool
        default: false
      no_pending_reload:
        description: No configuration file was changed after the server read it.
        type: bool
        default: false
      no_settings_errors:
        description: The server can use every line of its configuration files.
        type: bool
        default: false
  wait:
    description:
      - Seconds to wait for O(expect). Polls every 0.2 seconds at first and every second later, over one connection.
      - When only lines of configuration files are in the way, which no waiting heals, it gives up after 5 seconds.
    type: float
    default: 0
  sizes:
    description: Also return RV(status.database_bytes), for which the server looks at every file.
    type: bool
    default: false
extends_documentation_fragment:
  - pgfleet.cluster.connection
  - pgfleet.cluster.attributes.read_only
seealso:
  - module: pgfleet.cluster.replication_slot
  - module: pgfleet.cluster.basebackup
  - name: Monitoring in the PostgreSQL manual
    description: The views that the facts come from.
    link: https://www.postgresql.org/docs/current/monitoring-stats.html
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Look at a node, whether its server runs or not
  pgfleet.cluster.replication_status:
    data_directory: /var/lib/postgresql/17/main
  become: true
  become_user: postgres
  register: node

- name: Wait until both standbys stream over their slots and are less than 16 MB behind
  pgfleet.cluster.replication_status:
    expect:
      role: primary
      standbys: [node1, node2]
      slots: [node1_slot, node2_slot]
      max_lag_bytes: 16777216
    wait: 30
  become: true
  become_user: postgres

- name: Wait until a standby has replayed what was just loaded
  pgfleet.cluster.replication_status:
    expect:
      primary:
        host: primary
      replayed_lsn: "{{ loaded.lsn }}"
    wait: 60
  become: true
  become_user: postgres

- name: Expect that every setting is in force
  pgfleet.cluster.replication_status:
    expect:
      no_pending_restart: true
      no_pending_reload: true
      no_settings_errors: true
  become: true
  become_user: postgres

- name: Show the standbys that are more than 1 MB behind
  ansible.builtin.debug:
    msg: "{{ node | community.general.json_query('status.standbys[?lag_bytes > `1048576`].name') }}"
"""

RETURN = r"""
status:
  description: What the node is and does. What is not known, or may not be seen, is null; lists are then empty.
  returned: success, or when O(expect) is not met
  type: dict
  contains:
    running: {description: Whether a server runs there; it may still accept no connections., type: bool, returned: always, sample: true}
    reachable: {description: Whether an ordinary session could be opened., type: bool, returned: always, sample: true}
    answer:
      description:
        - What the server, or its machine, answered to the login.
        - V(accepts_connections), V(too_many_clients), V(rejected_by_hba), V(authentication_failed), V(starting_up), V(shutting_down),
          V(hot_standby_off) and V(refused) come from a server that is alive.
        - V(not_listening) and V(frozen) are said of a server whose process is there, V(stopped) and V(absent) of one that does not
          run; all four need O(data_directory).
        - Without it, V(connection_refused), V(timed_out) and V(unreachable) say what the network did.
        - C(docs/reason-codes.md) explains each.
      type: str
      returned: always
      sample: accepts_connections
    server_words:
      description: The server's own words when it refused the session; null when there were none.
      type: str
      returned: always
      sample: null
    known:
      description:
        - Whether the facts come from the server itself. With RV(status.answer=too_many_clients) they are read over a connection
          of those that are set apart for WAL senders (C(max_wal_senders)), while RV(status.reachable) is V(false).
        - Otherwise they come from O(data_directory), as far as it tells.
      type: bool
      returned: always
      sample: true
    role:
      description:
        - V(primary), V(standby), V(absent) (no server, and no cluster in O(data_directory)) or V(unknown).
        - For a stopped server it is what it would be if it were started.
      type: str
      returned: always
      sample: primary
    system_identifier: {description: Identifier that all nodes of a cluster share., type: str, returned: always, sample: "7710471476711254969"}
    timeline:
      description: Timeline that a primary writes or a standby follows; of the last checkpoint for a stopped server.
      type: int
      returned: always
      sample: 1
    version: {description: Version of the server; only the major one when it is stopped., type: str, returned: always, sample: "15.18"}
    address: {description: Where the node was asked; host or socket directory and port., type: str, returned: always, sample: "/var/run/postgresql:5432"}
    cluster_name: {description: The setting of that name., type: str, returned: always, sample: primary}
    data_directory: {description: Data directory., type: str, returned: always, sample: /var/lib/postgresql/15/main}
    cluster_state:
      description: State in the control file, only for a server that was not reached.
      type: str
      returned: always
      sample: null
    lsn:
      description: Positions in the write-ahead log. For a stopped server the furthest one its control file vouches for.
      type: dict
      returned: always
      contains:
        current: {description: Written by a primary., type: str, returned: always, sample: 0/40010B0}
        flush: {description: Flushed by a primary., type: str, returned: always, sample: 0/40010B0}
        receive: {description: Received and flushed by a standby., type: str, returned: always, sample: null}
        replay: {description: Replayed by a standby., type: str, returned: always, sample: null}
    standbys:
      description: The standbys that are connected to this node. Base backups and subscribers are not among them.
      type: list
      elements: dict
      returned: always
      contains:
        name: {description: Its C(application_name)., type: str, returned: always, sample: node1}
        address: {description: Its address; null over a Unix-domain socket., type: str, returned: always, sample: 192.168.122.101}
        pid: {description: Process of its WAL sender., type: int, returned: always, sample: 11257}
        state: {description: 'V(startup), V(catchup), V(streaming) or V(stopping).', type: str, returned: always, sample: streaming}
        sync_state: {description: 'V(async), V(potential), V(sync) or V(quorum).', type: str, returned: always, sample: async}
        sent_lsn: {description: Sent to it., type: str, returned: always, sample: 0/40010B0}
        write_lsn: {description: Written by it., type: str, returned: always, sample: 0/40010B0}
        flush_lsn: {description: Flushed by it., type: str, returned: always, sample: 0/40010B0}
        replay_lsn: {description: Replayed by it., type: str, returned: always, sample: 0/40010B0}
        lag_bytes: {description: Bytes of WAL that it has not replayed., type: int, returned: always, sample: 0}
        lag_seconds: {description: Replay lag that it last reported; 0 when it has replayed everything., type: float, returned: always, sample: 0}
        slot: {description: Slot that it uses., type: str, returned: always, sample: node1_slot}
    slots:
      description: Slots of this node, without temporary ones. Keys as in M(pgfleet.cluster.replication_slot), without C(action).
      type: list
      elements: dict
      returned: always
      sample:
        - name: node1_slot
          slot_type: physical
          plugin: null
          database: null
          temporary: false
          active: true
          active_pid: 11257
          restart_lsn: 0/40010B0
          confirmed_flush_lsn: null
          wal_status: reserved
          safe_wal_size: null
          retained_bytes: 0
          two_phase: false
          failover: null
          synced: null
          inactive_since: null
          invalidation_reason: null
          lost: false
    wal_receiver:
      description: The process that receives WAL; null when there is none.
      type: dict
      returned: always
      sample:
        status: streaming
        sender_host: primary
        sender_port: 5432
        slot: node1_slot
        received_tli: 1
        flushed_lsn: 0/40010B0
        latest_end_lsn: 0/40010B0
        last_message_age_seconds: 0.536692
    connecting:
      description: The WAL receiver that has no connection yet, with its process and for how long; null when there is none, or for a role that
        may not see it.
      type: dict
      returned: always
      sample: null
    upstream:
      description: Whom a standby is told to follow, without the password; null on a primary.
      type: dict
      returned: always
      sample:
        host: primary
        port: 5432
        slot: node1_slot
        application_name: node1
        user: replicator
    wal_source:
      description:
        - Where a standby gets its WAL from. V(stream) follows a server; with RV(status.restores) it reads the archive for what is missing.
        - V(archive) follows no server and has C(restore_command) only. Null on a primary, for a standby that has neither, and where the
          role may not see it.
      type: str
      returned: always
      sample: null
    restores:
      description: Whether C(restore_command) is set; null for a server that was not reached.
      type: bool
      returned: always
      sample: false
    replay_paused: {description: Whether replay is paused., type: bool, returned: always, sample: false}
    apply_delay_ms:
      description: Setting C(recovery_min_apply_delay) of a standby, in milliseconds.
      type: int
      returned: always
      sample: null
    recovery_target:
      description: Settings by which a standby is to recover up to a point only, if there are any.
      type: str
      returned: always
      sample: null
    replay_lag_seconds:
      description: Age of the last transaction that a standby replayed; 0 when it has replayed all that it received.
      type: float
      returned: always
      sample: null
    replayed_age_seconds:
      description:
        - How long ago, by the standby's clock, the newest transaction that it has replayed was committed. It grows while nobody commits.
      type: float
      returned: always
      sample: null
    checksums:
      description: Data checksums.
      type: dict
      returned: always
      contains:
        enabled: {description: Whether pages have checksums., type: bool, returned: always, sample: true}
        failures: {description: Pages whose checksum was wrong., type: int, returned: always, sample: 0}
    archiver:
      description: State of WAL archiving.
      type: dict
      returned: always
      contains:
        mode: {description: Setting C(archive_mode)., type: str, returned: always, sample: 'off'}
        archived_count: {description: Files archived., type: int, returned: always, sample: 0}
        failed_count: {description: Attempts that failed., type: int, returned: always, sample: 0}
        last_archived_wal: {description: File last archived., type: str, returned: always, sample: null}
        last_failed_wal: {description: File whose archiving last failed., type: str, returned: always, sample: null}
        failing: {description: Whether the last attempt failed., type: bool, returned: always, sample: false}
        last_archived_seconds: {description: Seconds since a file was last archived., type: float, returned: always, sample: null}
        last_archived_lsn: {description: End of the WAL file last archived; null for another file., type: str, returned: always, sample: null}
        timeout_seconds: {description: Setting C(archive_timeout)., type: int, returned: always, sample: 0}
        nowhere: {description: Whether a primary is to archive and has neither command nor library for it., type: bool, returned: always, sample: false}
        waiting: {description: Files that are yet to be archived. Null when the role may not see it., type: int, returned: always, sample: 0}
        oldest_waiting_seconds: {description: Age of the oldest of them., type: float, returned: always, sample: null}
    stored_logical_slots:
      description: Names of the logical slots in the data directory of a server that cannot be asked. Null when it can, or they cannot be read.
      type: list
      elements: str
      returned: always
      sample: null
    subscriptions:
      description: Enabled subscriptions of logical replication, each with C(name) and C(database).
      type: list
      elements: dict
      returned: always
      sample: []
    barred_roles:
      description: Roles as which standbys stream now and could not log in again, each with what stands in the way. Null when there is none.
      type: dict
      returned: always
      sample: {replicator: NOLOGIN}
    standby_limits:
      description: The settings in force that a standby may not have less of than its primary.
      type: dict
      returned: always
      sample: {max_connections: 100, max_locks_per_transaction: 64, max_prepared_transactions: 0, max_wal_senders: 32, max_worker_processes: 8}
    settings:
      description: Whether the configuration files are in force.
      type: dict
      returned: always
      contains:
        pending_restart:
          description: Settings that need a restart. A superuser sees them before the reload already.
          type: list
          elements: str
          returned: always
          sample: [shared_buffers]
        pending_values:
          description:
            - For each of them the value in force (C(setting)) and that of the configuration files (C(wanted)).
            - C(wanted) is null where the role may not see the files.
          type: dict
          returned: always
          sample: {shared_buffers: {setting: "4096", wanted: 64MB}}
        reload_pending:
          description: Whether a configuration file was changed after the server read it. Needs the rights of a superuser to be sure.
          type: bool
          returned: always
          sample: false
        file_errors:
          description: Lines that the server cannot use. Settings that only need a restart are not among them.
          type: list
          elements: dict
          returned: always
          sample: [{file: /etc/postgresql/15/main/postgresql.conf, line: 8, name: work_mem, error: setting could not be applied}]
        hba_errors:
          description: Lines of C(pg_hba.conf) that the server cannot use.
          type: list
          elements: dict
          returned: always
          sample: [{file: /etc/postgresql/15/main/pg_hba.conf, line: 5, name: null, error: invalid connection type "hostx"}]
        overridden:
          description: >-
            Settings of C(conf.d/pgfleet.conf) that another file, or with a null the server's command line, overrides with another value.
          type: list
          elements: dict
          returned: always
          sample:
            - setting: max_slot_wal_keep_size
              wanted: 51584MB
              found: "-1"
              file: /var/lib/postgresql/15/main/postgresql.auto.conf
              line: 3
              remedy: ALTER SYSTEM RESET max_slot_wal_keep_size, then run site; or give that value in pg_server_settings.
    max_wal_senders: {description: The setting of that name., type: int, returned: always, sample: 10}
    free_wal_senders: {description: WAL senders that are not in use., type: int, returned: always, sample: 8}
    max_replication_slots: {description: The setting of that name., type: int, returned: always, sample: 10}
    wal:
      description: The write-ahead log's files.
      type: dict
      returned: always
      contains:
        directory: {description: Where they are., type: str, returned: always, sample: /var/lib/postgresql/15/main/pg_wal}
        bytes: {description: Their size., type: int, returned: always, sample: 50331648}
        max_slot_wal_keep_size: {description: The setting of that name in bytes; -1 is no limit., type: int, returned: always, sample: 1073741824}
    database_bytes: {description: Size of all databases with O(sizes=true)., type: int, returned: always, sample: 15105898}
reasons:
  description:
    - With O(expect) why it is not met. Without it the same as RV(findings).
    - Every element has V(code), V(message) and V(remedy), and what a program may want to know, such as V(slot), V(standby), V(found),
      V(expected), V(cause) and V(server_words).
  returned: success, or when O(expect) is not met
  type: list
  elements: dict
  sample:
    - code: standby_missing
      message: Standby 'node2' is not connected to /var/run/postgresql:5432.
      remedy: "Look at that standby: does it run, and does its application_name have this name?"
      standby: node2
findings:
  description: Whatever is not well, expected or not. Elements as in RV(reasons).
  returned: success, or when O(expect) is not met
  type: list
  elements: dict
  sample: []
waited_seconds: {description: Seconds spent reading and waiting., returned: success or failure, type: float, sample: 0.038}
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._argspec import connection_spec
from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.connection import require_psycopg2
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.login import Login
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.directory import OnMachine
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.expectations import Expectations
from ansible_collections.pgfleet.cluster.plugins.module_utils._status.read import look_until

EXPECT_SPEC: dict[str, Any] = {
    "role": {"type": "str", "choices": ["primary", "standby"]},
    "system_identifier": {"type": "str"},
    "timeline": {"type": "int"},
    "standbys": {"type": "list", "elements": "str"},
    "slots": {"type": "list", "elements": "str"},
    "state": {"type": "str", "default": "streaming", "choices": ["streaming", "catchup", "archive", "any"]},
    "sync_state": {"type": "str", "choices": ["async", "potential", "sync", "quorum"]},
    "max_lag_bytes": {"type": "int"},
    "max_lag_seconds": {"type": "float"},
    "replayed_lsn": {"type": "str"},
    "primary": {
        "type": "dict",
        "options": {"host": {"type": "str", "required": True}, "port": {"type": "int"}},
    },
    "no_pending_restart": {"type": "bool", "default": False},
    "no_pending_reload": {"type": "bool", "default": False},
    "no_settings_errors": {"type": "bool", "default": False},
}


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    expect = None if params["expect"] is None else Expectations.from_params(params["expect"])
    where = OnMachine(params["data_directory"], params["bin_dir"], params["log_file"], params["unit"])
    result = look_until(Login.from_params(params), where, expect, params["wait"], params["sizes"])
    if result["failed"]:
        result["msg"] = " ".join(f"{each['message']} {each['remedy']}" for each in result["reasons"])
    return result


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec=connection_spec(
            data_directory={"type": "path"},
            bin_dir={"type": "path"},
            log_file={"type": "path"},
            unit={"type": "str"},
            expect={"type": "dict", "options": EXPECT_SPEC},
            wait={"type": "float", "default": 0},
            sizes={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )
    require_psycopg2(module)
    conclude(module, run)


if __name__ == "__main__":
    main()
