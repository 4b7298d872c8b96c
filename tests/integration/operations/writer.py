"""Writes numbered rows as long as somebody takes them, and remembers which were acknowledged.

Usage: writer.py FILE PORT...   (over the Unix-domain sockets, as the user that runs it)
"""

from __future__ import annotations

import sys
import time
from typing import Any

import psycopg2


def leader(ports: list[str]) -> Any:
    """A session with the node that takes writes."""
    while True:
        for port in ports:
            try:
                connection = psycopg2.connect(
                    host="/var/run/postgresql", port=port, dbname="postgres", connect_timeout=2
                )
                connection.autocommit = True
                cursor = connection.cursor()
                cursor.execute("SELECT pg_is_in_recovery()")
                if cursor.fetchall() == [(False,)]:
                    return cursor
                connection.close()
            except psycopg2.Error:
                pass
        time.sleep(0.02)


def main(file: str, ports: list[str]) -> None:
    cursor = leader(ports)
    cursor.execute("CREATE TABLE IF NOT EXISTS ledger (n bigint PRIMARY KEY)")
    number = 0
    with open(file, "w", encoding="ascii", buffering=1) as acknowledged:
        while True:
            number += 1
            try:
                cursor.execute("INSERT INTO ledger VALUES (%s)", (number,))
                acknowledged.write(f"{number} {time.time()}\n")
            except psycopg2.Error:
                cursor = leader(ports)
            time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
