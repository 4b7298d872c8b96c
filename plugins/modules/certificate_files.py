#!/usr/bin/python
# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_files
short_description: Keep the certificates, keys and trusted authorities of a node
version_added: 1.0.0
description:
  - Compares the certificates of a node with what they are to be, names, purposes, issuing authority, time left, key, owner and mode, and
    returns the request of each that must be issued. A second call with O(issued) puts those into force.
  - Keys are made on the node, by the program C(openssl), and never leave it. Only those of O(certificates[].certificate) come with it.
  - A certificate and its key lie in a directory of their own; O(directory)C(/NAME) is a link to the one in force, so both change at once.
    The one before stays until the next change.
  - Before a certificate is put into force, a handshake in memory proves that it belongs to its key and that whoever trusts O(trusted)
    accepts it.
  - C(pgfleet.cluster.certificates) makes both calls and issues between them.
options:
  directory:
    description: Directory of the certificates. C(ca.pem) in it has the authorities.
    type: path
    required: true
  certificates:
    description: The certificates that the node is to have. Others in O(directory) stay.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of its files and directory.
        type: str
        required: true
      common_name:
        description: Common name of its subject. For a client of PostgreSQL, the role that it logs in as.
        type: str
        required: true
      unit:
        description: Organizational unit of its subject, such as the node, for certificates that several nodes have with one common name.
        type: str
      names:
        description: Every DNS name and address by which a server is reached.
        type: list
        elements: str
        default: []
      usages:
        description: What it is for.
        type: list
        elements: str
        choices: [server, client]
        default: [server]
      owner:
        description: User that the files belong to. Default is O(owner).
        type: str
      group:
        description: Their group. Default is the first group of the owner.
        type: str
      mode:
        description: Mode of the key. That of the certificate is 0644.
        type: str
        default: "0600"
      combined:
        description: Also write C(combined.pem) with certificate and key, as HAProxy reads them.
        type: bool
        default: false
      certificate:
        description: PEM text of a certificate, with those between it and its authority, that somebody else issued. Its key comes in O(issued).
        type: str
  owner:
    description: User that the files belong to.
    type: str
    default: postgres
  trusted:
    description: Certificates of the trusted authorities, PEM texts one after the other.
    type: str
    default: ""
  signer:
    description: The one of them that issues certificates now. What another one has issued is to be issued again.
    type: str
    default: ""
  known:
    description: >-
      Fingerprints of all authorities that the fleet has or had. A node that trusts others, and none of these, is refused: it would no longer
      accept its peers. Empty accepts all.
    type: list
    elements: str
    default: []
  renew_before:
    description: Days before its end from which a certificate is issued again.
    type: float
    default: 60
  renew:
    description: Whether every certificate is issued again, with a new key. Every run with it does so. Given ones stay.
    type: bool
    default: false
  issued:
    description: Certificates to put into force.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Which one., type: str, required: true}
      certificate: {description: PEM text., type: str, required: true}
      key: {description: PEM text of the key of a certificate that was given., type: str}
requirements:
  - python >= 3.9
  - openssl (the program), for keys that are made
notes:
  - The task must run as root, or as the user that everything belongs to.
  - On failure RV(ignore:code) is one of C(other_authority), C(certificate_invalid), C(key_mismatch), C(certificate_expired),
    C(certificate_not_yet_valid), C(certificate_wrong_name), C(certificate_wrong_usage), C(certificate_other_authority),
    C(certificate_untrusted), C(openssl_missing), C(openssl_failed), C(no_such_user), C(no_such_group), C(invalid_input), C(os_error).
seealso:
  - module: pgfleet.cluster.tls_status
extends_documentation_fragment:
  - pgfleet.cluster.attributes
author: The pgfleet.cluster developers (@pgfleet)
"""

EXAMPLES = r"""
- name: See which certificates must be issued
  pgfleet.cluster.certificate_files:
    directory: /etc/postgresql/17/main/pki
    trusted: "{{ lookup('ansible.builtin.file', 'ca.pem') }}"
    signer: "{{ lookup('ansible.builtin.file', 'ca.pem') }}"
    certificates:
      - name: server
        common_name: node1
        names: [node1, 192.168.122.101]
      - name: replication
        common_name: replicator
        unit: node1
        usages: [client]
  register: look
"""

RETURN = r"""
certificates:
  description: The certificates by their names.
  returned: success
  type: dict
  sample:
    server:
      certificate: /etc/postgresql/15/main/pki/server/certificate.pem
      key: /etc/postgresql/15/main/pki/server/key.pem
      fingerprint: a8a11fd6f70e9a0b8f0c14b2aeb4d76d7b56ff2e4b93d18f0c8db2d76e3f8a11
      not_after: "2028-01-01T23:31:44Z"
      days_left: 397.0
ca_file:
  description: File with the trusted authorities.
  returned: success
  type: str
  sample: /etc/postgresql/15/main/pki/ca.pem
actions:
  description: What became, or in check mode would become, of each certificate, and why.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, returned: always, sample: server}
    action: {description: "V(kept), V(repaired) (owner and mode), or V(issued).", type: str, returned: always, sample: issued}
    reasons:
      description: Why, each with a code and a sentence.
      type: list
      elements: dict
      returned: always
      sample:
        - code: certificate_missing
          message: Certificate 'server' is not there.
requests:
  description: Those that wait for O(issued), with the requests for them.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, returned: always, sample: server}
    request: {description: PEM text of the request; empty in check mode and for certificates that are given., type: str, returned: always, sample: ""}
"""

from datetime import datetime, timezone
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.pgfleet.cluster.plugins.module_utils._main import conclude
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import certificates_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.keep import keep, spec_of_certificates
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.layout import Layout
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.plan import check_authorities
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.store import Store
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    wanted = [Wanted.from_params(each, params["owner"]) for each in params["certificates"]]
    store = Store(Layout(params["directory"]))
    if params["known"]:
        check_authorities(certificates_of(store.authorities(), store.layout.authorities), params["known"])
    return keep(store, wanted, params, datetime.now(timezone.utc), write=not module.check_mode)


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "certificates": spec_of_certificates(certificate={"type": "str"}),
            "owner": {"type": "str", "default": "postgres"},
            "trusted": {"type": "str", "default": ""},
            "signer": {"type": "str", "default": ""},
            "known": {"type": "list", "elements": "str", "default": []},
            "renew_before": {"type": "float", "default": 60},
            "renew": {"type": "bool", "default": False},
            "issued": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "certificate": {"type": "str", "required": True},
                    "key": {"type": "str", "no_log": True},
                },
            },
        },
        supports_check_mode=True,
    )
    conclude(module, run)


if __name__ == "__main__":
    main()
