"""A program kept running on a node, which answers questions line by line.

A login, sudo and psql cost an emulated machine a second or more each; asked through this, a question costs milliseconds.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

# Runs on the node. Values come as the server writes them, as with psql.
PROGRAM = """
import json, subprocess, sys

def sql(port, database, statement, known={}):
    import psycopg2
    from psycopg2 import extensions
    if (port, database) not in known:
        made = psycopg2.connect(port=port, dbname=database, host="/var/run/postgresql")
        made.autocommit = True
        with made.cursor() as cursor:
            cursor.execute("SELECT oid FROM pg_type")
            text = extensions.new_type(tuple(row[0] for row in cursor), "TEXT", lambda value, cursor: value)
        extensions.register_type(text, made)
        known[port, database] = made
    with known[port, database].cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
    return chr(10).join("|".join("" if value is None else value for value in row) for row in rows)

def sh(command):
    done = subprocess.run(["sh", "-c", command], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        raise RuntimeError(done.stderr or done.stdout)
    return done.stdout

for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = {"answer": globals()[question[0]](*question[1:]).strip()}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"""


class Agent:
    """The program on one node, under one user. It ends with its input."""

    def __init__(self, words: Sequence[str]) -> None:
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *question: object) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the node's program has ended"
        answer: dict[str, str] = json.loads(line)
        assert "answer" in answer, f"{question}: {answer['error']}"
        return answer["answer"]
