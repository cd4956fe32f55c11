#!/usr/bin/env python3
"""Runs a .test file (in the manner of sqllogictest) on a cluster of processes, over the real protocol.

    # borealis-test: tier=quick max=60s needs=processes
    connection w2            the statements below run on writer 2; "w2.b" is a second session there
    protocol extended        by Parse/Bind/Execute from here on (default: simple)

    statement ok             or: statement tag INSERT 0 1
    INSERT INTO t VALUES (1)

    statement error 23505 duplicate key.*
    INSERT INTO t VALUES (1)

    query                    or: query sorted, when the order of rows is not given
    SELECT a, b FROM t
    ----
    1|x
    2|NULL

    copy COPY 2              data for COPY FROM STDIN; the tag is checked
    COPY t FROM STDIN
    ----
    1	x

    warning 25P01            the last statement sent this notice

A case ends with a blank line. Values are separated by '|', NULL is NULL, an empty string is (empty). The regular
expression of an error is searched in its message, DETAIL and HINT joined by newlines.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pgclient import PgError  # noqa: E402
from processes import ProcessCluster  # noqa: E402


class Wrong(Exception):
    pass


class Runner:
    def __init__(self, cluster):
        self.cluster, self.sessions, self.current, self.extended = cluster, {}, "w1", False

    def session(self):
        if self.current not in self.sessions:
            number = int(re.fullmatch(r"w(\d+)(?:\.\w+)?", self.current)[1])
            self.sessions[self.current] = self.cluster.connect(number)
        return self.sessions[self.current]

    def execute(self, sql, copy_in=None):
        session = self.session()
        session.notices.clear()
        if self.extended:
            return session.execute(sql, copy_in=copy_in)
        return session.query(sql, copy_in)[-1]

    def case(self, command, sql, expected):
        word, _, rest = command.partition(" ")
        if word == "connection":
            self.current = rest
        elif word == "protocol":
            self.extended = {"simple": False, "extended": True}[rest]
        elif word == "warning":
            found = [n["sqlstate"] for n in self.session().notices]
            if rest not in found:
                raise Wrong(f"no notice {rest}; there were {found}")
        elif word == "statement":
            self.statement(rest, sql)
        elif word == "copy":
            data = "".join(line + "\n" for line in expected).encode()
            self.same("tag", rest, self.execute(sql, data).tag)
        elif word == "query":
            rows = ["|".join("NULL" if v is None else v or "(empty)" for v in row) for row in self.execute(sql).rows]
            if rest == "sorted":
                rows.sort()
                expected = sorted(expected)
            self.same("rows", "\n".join(expected), "\n".join(rows))
        else:
            raise Wrong(f"unknown command {command!r}")

    def statement(self, kind, sql):
        word, _, rest = kind.partition(" ")
        if word in ("ok", "tag"):
            tag = self.execute(sql).tag
            if word == "tag":
                self.same("tag", rest, tag)
            return
        if word != "error":
            raise Wrong(f"unknown statement {kind!r}")
        code, _, pattern = rest.partition(" ")
        try:
            result = self.execute(sql)
        except PgError as error:
            text = "\n".join(filter(None, (error.message, error.detail, error.hint)))
            if error.sqlstate != code or not re.search(pattern, text):
                raise Wrong(f"expected error {code} {pattern}\nbut it is {error.sqlstate} {text}") from None
            return
        raise Wrong(f"expected error {code}, but it succeeded: {result}")

    @staticmethod
    def same(what, expected, actual):
        if expected != actual:
            raise Wrong(f"{what} differ; expected:\n{expected}\nactual:\n{actual}")

    def close(self):
        for session in self.sessions.values():
            session.close()


def cases(path):
    """(line number, command, SQL, expected lines)"""
    block, start = [], 0
    for number, line in enumerate(path.read_text().splitlines() + [""], 1):
        if not block and (not line.strip() or line.startswith("#")):
            continue
        if line.strip():
            start = start or number
            block.append(line)
            continue
        if block:
            split = block.index("----") if "----" in block else len(block)
            yield start, block[0], "\n".join(block[1:split]), block[split + 1:]
        block, start = [], 0


def main():
    path = pathlib.Path(sys.argv[1])
    runner, done, failed = Runner(ProcessCluster()), 0, 0
    for number, command, sql, expected in cases(path):
        done += 1
        try:
            runner.case(command, sql, expected)
        except (Wrong, PgError) as error:
            failed += 1
            print(f"{path}:{number}: {command}\n{sql}\n{error}\n", flush=True)
    runner.close()
    print(f"{done - failed} of {done} cases are right")
    return 1 if failed or not done else 0


if __name__ == "__main__":
    sys.exit(main())
