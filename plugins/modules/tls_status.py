#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: tls_status
short_description: Read back the certificate that a server really shows, and check the files on the node
version_added: 1.0.0
description:
  - Begins a session with a server up to its TLS handshake, as a client with C(sslmode=verify-full) would, and reads the certificate that
    it shows. No login is made. A server that ignored new files in a reload, which PostgreSQL does when certificate and key do not match, or
    one whose certificate has expired, is found this way and no other, because it says so in its log at most.
  - Checks certificates and keys on the node that runs the task, before a server loads them.
  - Needs nothing but Python's standard library.
options:
  host:
    description: Name or address of the server. Empty checks only O(files).
    type: str
    default: ""
    aliases: [login_host]
  port:
    description: Its port.
    type: int
    default: 5432
    aliases: [login_port]
  name:
    description: Name or address that the certificate must be for. Default is O(host).
    type: str
    default: ""
  protocol:
    description: >-
      How the handshake begins. V(postgresql) asks for it first (SSLRequest); V(tls) is for servers that expect it at once, such as etcd,
      HAProxy, pgBackRest and exporters.
    type: str
    choices: [postgresql, tls]
    default: postgresql
  ca_file:
    description: File with the trusted authorities. Without it nobody is checked, and RV(server.verified) is null.
    type: path
    aliases: [ca_cert]
  client_certificate:
    description: Certificate to show, for servers that want one in the handshake.
    type: path
  client_key:
    description: Its key.
    type: path
  certificate_file:
    description: File on this node whose certificate the server is to show; another one has the code C(certificate_not_loaded).
    type: path
  min_version:
    description: The oldest version of TLS to accept.
    type: str
    choices: [TLSv1, TLSv1.1, TLSv1.2, TLSv1.3]
  files:
    description: Certificates and keys on this node.
    type: list
    elements: dict
    default: []
    suboptions:
      certificate: {description: File with the certificate., type: path, required: true}
      key: {description: File with its key., type: path, required: true}
      names: {description: Names and addresses that it must be for., type: list, elements: str, default: []}
      usages:
        description: What it must be for.
        type: list
        elements: str
        choices: [server, client]
        default: [server]
      owner: {description: User whose server or client reads the key., type: str}
  warn_days:
    description: Days before the end of a certificate from which it is a finding. That is no failure.
    type: float
    default: 30
  wait:
    description: Seconds to wait until all is in order.
    type: float
    default: 0
  connect_timeout:
    description: Seconds to wait for an answer.
    type: float
    default: 5
  on_failure:
    description: Whether what is wrong is an error, with the first code, or only returned.
    type: str
    choices: [fail, report]
    default: fail
extends_documentation_fragment:
  - pgfleet.cluster.attributes.read_only
requirements:
  - python >= 3.9
notes:
  - On failure RV(ignore:code) is one of C(unreachable), C(tls_not_offered), C(tls_failed), C(tls_version_too_old), C(certificate_expired),
    C(certificate_not_yet_valid), C(certificate_wrong_name), C(certificate_other_authority), C(certificate_wrong_usage),
    C(certificate_untrusted), C(certificate_not_loaded), C(certificate_missing), C(certificate_invalid), C(key_mismatch), C(key_mode).
    C(certificate_expiring) is a finding only.
seealso:
  - module: pgfleet.cluster.certificate_files
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: Wait until the server shows its new certificate
  pgfleet.cluster.tls_status:
    host: 192.168.122.101
    name: node1
    ca_file: /etc/postgresql/17/main/pki/ca.pem
    certificate_file: /etc/postgresql/17/main/pki/server/certificate.pem
    min_version: TLSv1.3
    wait: 10

- name: Check files before the server loads them
  pgfleet.cluster.tls_status:
    ca_file: /etc/postgresql/17/main/pki/ca.pem
    files:
      - certificate: /etc/postgresql/17/main/pki/server/certificate.pem
        key: /etc/postgresql/17/main/pki/server/key.pem
        names: [node1, 192.168.122.101]
        owner: postgres
"""

RETURN = r"""
server:
  description: What the server showed; null without O(host).
  returned: success, or when something is wrong
  type: dict
  contains:
    tls: {description: Whether a handshake was made., type: bool, returned: always, sample: true}
    version: {description: Version of TLS., type: str, returned: always, sample: TLSv1.3}
    cipher: {description: Cipher suite., type: str, returned: always, sample: TLS_AES_256_GCM_SHA384}
    verified: {description: Whether chain and name were accepted; null where nobody was to check., type: bool, returned: always, sample: true}
    words: {description: Words of a handshake or check that failed., type: str, returned: always, sample: null}
    certificate:
      description: The certificate; null where none was shown.
      type: dict
      returned: always
      sample:
        subject: CN=node1,O=pgfleet
        issuer: CN=pgfleet CA 2026-11-30 1e8c1f,O=pgfleet
        serial: 5175214a119661b5828b1dbfbb136cd3ce493eb0
        names: [node1, localhost, 127.0.0.1]
        usages: [server]
        not_before: "2026-11-30T22:10:44Z"
        not_after: "2028-01-01T23:10:44Z"
        days_left: 397.0
        fingerprint: 0b424584388c15cc6d056c0ed3e2e5912e4d72dc22750016cfddbb8b48e1a39d
files:
  description: The certificates of O(files), as RV(server.certificate); null for one that cannot be read.
  returned: success, or when something is wrong
  type: list
  elements: dict
  sample: []
findings:
  description: What is wrong, each with its code, a sentence and the remedy.
  returned: success, or when something is wrong
  type: list
  elements: dict
  sample:
    - code: certificate_expiring
      message: The certificate of 127.0.0.1:5441 ends on 2026-12-20, in 19 days.
      remedy: Renew it before it ends, and reload the server.
"""

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.flaws import CertificateRefused
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.judge import VERSIONS, FileCheck, failing
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.peer import PROTOCOLS, Peer
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.status import Question, as_result, find_out

FILE = {
    "certificate": {"type": "path", "required": True},
    "key": {"type": "path", "required": True},
    "names": {"type": "list", "elements": "str", "default": []},
    "usages": {"type": "list", "elements": "str", "choices": ["server", "client"], "default": ["server"]},
    "owner": {"type": "str"},
}


def question_of(params: dict[str, Any]) -> Question:
    peer = Peer(
        host=params["host"],
        port=params["port"],
        name=params["name"],
        protocol=params["protocol"],
        ca_file=params["ca_file"] or "",
        client_certificate=params["client_certificate"] or "",
        client_key=params["client_key"] or "",
        seconds=params["connect_timeout"],
    )
    return Question(
        peer=peer if params["host"] else None,
        files=[FileCheck.from_params(each) for each in params["files"]],
        ca_file=peer.ca_file,
        certificate_file=params["certificate_file"] or "",
        min_version=params["min_version"] or "",
        warn_days=params["warn_days"],
    )


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    answer = find_out(question_of(params), params["wait"])
    result = {"changed": False, **as_result(answer)}
    wrong = failing(answer.flaws)
    if wrong and params["on_failure"] == "fail":
        raise CertificateRefused.of(wrong, **result)
    return result


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "", "aliases": ["login_host"]},
            "port": {"type": "int", "default": 5432, "aliases": ["login_port"]},
            "name": {"type": "str", "default": ""},
            "protocol": {"type": "str", "choices": list(PROTOCOLS), "default": "postgresql"},
            "ca_file": {"type": "path", "aliases": ["ca_cert"]},
            "client_certificate": {"type": "path"},
            "client_key": {"type": "path"},
            "certificate_file": {"type": "path"},
            "min_version": {"type": "str", "choices": list(VERSIONS)},
            "files": {"type": "list", "elements": "dict", "default": [], "options": FILE},
            "warn_days": {"type": "float", "default": 30},
            "wait": {"type": "float", "default": 0},
            "connect_timeout": {"type": "float", "default": 5},
            "on_failure": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
        },
        supports_check_mode=True,
        required_together=[("client_certificate", "client_key")],
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
