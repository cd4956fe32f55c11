"""A small client of PostgreSQL's protocol 3.0, for tests: what goes over the wire is under the test's control.

    with Connection("127.0.0.1", 5432, user="postgres", password="secret") as db:
        db.query("SELECT 1")                      # simple protocol: a list of Results
        db.execute("SELECT $1::int + 1", [41])    # extended protocol: one Result
        db.transaction(lambda: ...)               # BEGIN .. COMMIT, again on 40001

Values are text (or None). Errors are PgError with all fields; the connection stays usable unless the server ended
it (ConnectionLost). One thread uses a Connection at a time; cancel() may come from another.
"""
import base64
import hashlib
import hmac
import os
import random
import socket
import struct
import time

FIELD_NAMES = {"S": "severity_local", "V": "severity", "C": "sqlstate", "M": "message", "D": "detail", "H": "hint",
               "P": "position", "p": "internal_position", "q": "internal_query", "W": "where", "s": "schema",
               "t": "table", "c": "column", "d": "datatype", "n": "constraint", "F": "file", "L": "line",
               "R": "routine"}


class PgError(Exception):
    """An ErrorResponse. Attributes: sqlstate, message, detail, hint, position, ... (None when absent)."""

    def __init__(self, fields):
        self.fields = fields
        super().__init__(f"{fields.get('severity')} {fields.get('sqlstate')}: {fields.get('message')}"
                         + (f" (DETAIL: {fields['detail']})" if "detail" in fields else ""))

    def __getattr__(self, name):
        if name in FIELD_NAMES.values():
            return self.fields.get(name)
        raise AttributeError(name)


class ConnectionLost(Exception):
    """The server closed the connection, or does not answer; `error` is the FATAL that came before, if any."""

    def __init__(self, text, error=None):
        super().__init__(text if error is None else f"{text} after {error}")
        self.error = error


class Result:
    """Of one statement: columns [(name, type oid)], their origins [(table oid, attnum)], rows [[text or None]], tag,
    suspended (row limit reached)."""

    def __init__(self):
        self.columns, self.formats, self.origins, self.rows = [], [], [], []
        self.tag, self.suspended, self.copy = None, False, b""

    def __repr__(self):
        return f"Result(tag={self.tag!r}, rows={self.rows!r})"


def parse_error(body):
    fields = {}
    for part in body.split(b"\0"):
        if part:
            code = chr(part[0])
            fields[FIELD_NAMES.get(code, code)] = part[1:].decode("utf-8", "replace")
    return fields


class Scram:
    """The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677)."""

    def __init__(self, password):
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.first_bare = f"n=,r={self.nonce}"

    def first(self):
        return ("n,," + self.first_bare).encode()

    def final(self, server_first):
        text = server_first.decode()
        attributes = dict(part.split("=", 1) for part in text.split(","))
        if not attributes["r"].startswith(self.nonce):
            raise ConnectionLost("the server's nonce does not begin with ours")
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(attributes["s"]), int(attributes["i"]))

        def mac(key, data):
            return hmac.new(key, data, hashlib.sha256).digest()

        client_key = mac(salted, b"Client Key")
        without_proof = f"c=biws,r={attributes['r']}"
        auth = f"{self.first_bare},{text},{without_proof}".encode()
        signature = mac(hashlib.sha256(client_key).digest(), auth)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.server_signature = base64.b64encode(mac(mac(salted, b"Server Key"), auth)).decode()
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final):
        if server_final.decode() != f"v={self.server_signature}":
            raise ConnectionLost("the server does not know the password")


class Connection:
    def __init__(self, host, port, user="postgres", password="", database="postgres", timeout=60.0, **parameters):
        self.host, self.port, self.user, self.password = host, port, user, password
        self.parameters, self.notices, self.status = {}, [], "?"
        self.pid = self.secret = None
        self.fatal, self.extended = None, False
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        try:
            self._login(dict({"user": user, "database": database}, **parameters))
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- bytes
    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            self._drain_fatal()
            raise ConnectionLost(f"sending failed: {error}", self.fatal) from None

    def _drain_fatal(self):
        """After a failed send the reason may still be waiting to be read."""
        try:
            while self.fatal is None:
                self.receive()
        except (ConnectionLost, OSError):
            pass

    @staticmethod
    def message(kind, body=b""):
        return kind + struct.pack("!i", len(body) + 4) + body

    def _fill(self, count):
        while len(self.buffer) < count:
            try:
                data = self.socket.recv(65536)
            except socket.timeout:
                raise ConnectionLost("the server does not answer", self.fatal) from None
            except OSError as error:
                raise ConnectionLost(str(error), self.fatal) from None
            if not data:
                raise ConnectionLost("the server closed the connection", self.fatal)
            self.buffer += data

    def receive(self):
        """The next message as (type, body); notices and parameters are kept and passed over."""
        while True:
            self._fill(5)
            length = struct.unpack_from("!i", self.buffer, 1)[0]
            self._fill(length + 1)
            kind, body = chr(self.buffer[0]), bytes(self.buffer[5:length + 1])
            del self.buffer[:length + 1]
            if kind == "N":
                self.notices.append(parse_error(body))
            elif kind == "S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            else:
                if kind == "Z":
                    self.status = chr(body[0])
                elif kind == "E":
                    fields = parse_error(body)
                    if fields.get("severity") in ("FATAL", "PANIC"):
                        self.fatal = PgError(fields)
                return kind, body

    # ---- login
    def _login(self, parameters):
        body = struct.pack("!i", 196608)
        for name, value in parameters.items():
            body += name.encode() + b"\0" + str(value).encode() + b"\0"
        self.send(struct.pack("!i", len(body) + 5) + body + b"\0")
        scram = Scram(self.password)
        while True:
            kind, body = self.receive()
            if kind == "E":
                raise PgError(parse_error(body))
            if kind == "K":
                self.pid, self.secret = struct.unpack("!ii", body)
            elif kind == "Z":
                return
            elif kind == "R":
                code = struct.unpack_from("!i", body)[0]
                if code == 10:
                    first = scram.first()
                    self.send(self.message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
                elif code == 11:
                    self.send(self.message(b"p", scram.final(body[4:])))
                elif code == 12:
                    scram.check(body[4:])
                elif code != 0:
                    raise ConnectionLost(f"unexpected authentication request {code}")

    # ---- simple protocol
    def query(self, sql, copy_in=None):
        """All Results of the string. COPY FROM STDIN takes its data from copy_in (bytes, or None for CopyFail)."""
        self.extended = False
        self.send(self.message(b"Q", sql.encode() + b"\0"))
        return self.collect(copy_in)

    def row(self, sql):
        """The only row of the only statement."""
        rows = self.query(sql)[-1].rows
        if len(rows) != 1:
            raise AssertionError(f"{sql}: {len(rows)} rows")
        return rows[0]

    def value(self, sql):
        return self.row(sql)[0]

    def collect(self, copy_in=None, until="Z"):
        """Reads up to ReadyForQuery: the Results; raises the first error once all was read."""
        results, error, current = [], None, Result()
        while True:
            try:
                kind, body = self.receive()
            except ConnectionLost as lost:
                if self.fatal is not None:
                    raise self.fatal from None
                raise lost
            if kind == until:
                if error:
                    raise error
                return results
            if kind == "T":
                self._row_description(current, body)
            elif kind == "D":
                current.rows.append(self._data_row(current, body))
            elif kind in "CIs":
                current.tag = body[:-1].decode() if kind == "C" else ""
                current.suspended = kind == "s"
                results.append(current)
                current = Result()
            elif kind == "E":
                error = error or PgError(parse_error(body))
                current = Result()
            elif kind == "G":
                self._send_copy(copy_in)
            elif kind == "d":
                current.copy += body
            elif kind not in "123nHctKA":
                raise ConnectionLost(f"unexpected message {kind!r}")

    def _send_copy(self, data):
        if data is None:
            self.send(self.message(b"f", b"no data given\0") + (self.sync() if self.extended else b""))
            return
        for start in range(0, len(data), 60000):
            self.send(self.message(b"d", data[start:start + 60000]))
        # The server passes over a Sync that came before the data; an extended query's client sends another.
        self.send(self.message(b"c") + (self.sync() if self.extended else b""))

    @staticmethod
    def _row_description(result, body):
        count, offset = struct.unpack_from("!h", body)[0], 2
        for _ in range(count):
            end = body.index(b"\0", offset)
            name = body[offset:end].decode()
            table, number, oid, _size, _modifier, code = struct.unpack_from("!ihihih", body, end + 1)
            result.columns.append((name, oid))
            result.origins.append((table, number))
            result.formats.append(code)
            offset = end + 19

    @staticmethod
    def _data_row(result, body):
        count, offset, row = struct.unpack_from("!h", body)[0], 2, []
        for i in range(count):
            length = struct.unpack_from("!i", body, offset)[0]
            offset += 4
            if length < 0:
                row.append(None)
                continue
            value = body[offset:offset + length]
            binary = i < len(result.formats) and result.formats[i] == 1
            row.append(value if binary else value.decode("utf-8", "surrogateescape"))
            offset += length
        return row

    # ---- extended protocol
    def parse(self, name, sql, types=()):
        return self.message(b"P", name.encode() + b"\0" + sql.encode() + b"\0" + struct.pack("!h", len(types))
                            + b"".join(struct.pack("!i", t) for t in types))

    def bind(self, portal, statement, parameters=(), result_format=0):
        """Text parameters; bytes are sent in binary format."""
        body = portal.encode() + b"\0" + statement.encode() + b"\0" + struct.pack("!h", len(parameters))
        body += b"".join(struct.pack("!h", 1 if isinstance(p, bytes) else 0) for p in parameters)
        body += struct.pack("!h", len(parameters))
        for p in parameters:
            if p is None:
                body += struct.pack("!i", -1)
                continue
            if isinstance(p, bool):
                p = "t" if p else "f"
            data = p if isinstance(p, bytes) else str(p).encode()
            body += struct.pack("!i", len(data)) + data
        return self.message(b"B", body + struct.pack("!hh", 1, result_format))

    def describe(self, kind, name):
        return self.message(b"D", kind.encode() + name.encode() + b"\0")

    def run(self, portal="", limit=0):
        return self.message(b"E", portal.encode() + b"\0" + struct.pack("!i", limit))

    def sync(self):
        return self.message(b"S")

    def execute(self, sql, parameters=(), types=(), limit=0, result_format=0, copy_in=None):
        """One statement by the unnamed statement and portal."""
        self.extended = True
        self.send(self.parse("", sql, types) + self.bind("", "", parameters, result_format)
                  + self.describe("P", "") + self.run("", limit) + self.sync())
        results = self.collect(copy_in)
        return results[-1] if results else Result()

    # ---- more
    def transaction(self, body, begin="BEGIN", attempts=200):
        """Runs body between BEGIN and COMMIT; again from the start on 40001 and 40P01, with a random pause."""
        for attempt in range(attempts):
            try:
                self.query(begin)
                value = body()
                tag = self.query("COMMIT")[-1].tag
                if tag != "COMMIT":
                    raise AssertionError(f"COMMIT answered {tag}")
                return value
            except PgError as error:
                if self.status != "I":
                    self.query("ROLLBACK")
                if error.sqlstate not in ("40001", "40P01") or attempt == attempts - 1:
                    raise
                time.sleep(random.uniform(0, min(0.002 * 2 ** min(attempt, 6), 0.1)))
            except BaseException:
                if self.fatal is None and self.status == "T":
                    self.query("ROLLBACK")
                raise
        raise AssertionError("unreachable")

    def cancel(self):
        """CancelRequest on a connection of its own."""
        with socket.create_connection((self.host, self.port), 10) as other:
            other.sendall(struct.pack("!iiii", 16, 80877102, self.pid, self.secret))
            other.settimeout(10)
            while other.recv(16):
                pass

    def close(self):
        try:
            self.socket.sendall(self.message(b"X"))
        except OSError:
            pass
        self.socket.close()
