# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description: Host name or address of the server. Empty means a Unix-domain socket.
    type: str
    default: ""
    aliases: [host]
  login_hostaddr:
    description:
      - Address to connect to, so that no name has to be looked up. O(login_host) is then the name that the server's certificate must have
        and by which the password file is searched.
    type: str
    default: ""
    aliases: [hostaddr]
  login_port:
    description: Port of the server; for a Unix-domain socket also the number in its name.
    type: int
    default: 5432
    aliases: [port]
  login_unix_socket:
    description: Directory of the server's Unix-domain socket. Used when O(login_host) is empty. Empty means the directory libpq was built with.
    type: str
    default: ""
    aliases: [unix_socket]
  login_user:
    description: Role to log in as.
    type: str
    default: postgres
    aliases: [login]
  login_password:
    description: Password of O(login_user). Never put on a command line, never logged.
    type: str
    default: ""
  login_db:
    description: Database to connect to.
    type: str
    default: postgres
  ssl_mode:
    description: TLS mode of the connection, as in libpq (PostgreSQL manual, section SSL Support).
    type: str
    default: prefer
    choices: [allow, disable, prefer, require, verify-ca, verify-full]
  ca_cert:
    description: File with the certificates of the authorities that may have signed the server's certificate.
    type: path
    aliases: [ssl_rootcert]
  ssl_cert:
    description: File with the certificate that O(login_user) shows where the server asks for one (C(clientcert=verify-full)). Its common name is the role's.
    type: path
  ssl_key:
    description: File with the private key of O(ssl_cert). It must belong to the user of the task and have the mode C(0600).
    type: path
  channel_binding:
    description:
      - Whether a SCRAM login must be bound to the TLS connection, so that nobody between client and server can pass it on.
        V(require) refuses servers that do not offer it.
    type: str
    default: prefer
    choices: [disable, prefer, require]
  connect_timeout:
    description: Seconds to wait for a connection.
    type: int
    default: 10
requirements:
  - python >= 3.9
  - psycopg2
notes:
  - Without O(login_host) and O(login_password) run the task as the operating-system user C(postgres) (C(become_user)), so that peer authentication lets it in.
  - The connection options have the names of community.postgresql; the action group C(pgfleet.cluster.cluster) sets them for both collections at once.
"""
