"""What the tests on Kubernetes share: the fixture's cluster seen from this machine, watches, real processes, and load.

Each node of the `bare` provider runs on this machine, so a test can look at the very processes: a kill is a SIGKILL, and
"never two processes for one member" is checked where it matters, not in the API alone.
"""
import collections
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from kube import NAMESPACE, SYSTEM, Cluster, Timeout, wait_until  # noqa: E402,F401
from pgclient import Connection, ConnectionLost, PgError  # noqa: E402
from processes import UNCERTAIN, Background, Bank, describe, require_right  # noqa: E402,F401

WRITERS, STORAGE = "borealisdb.io/cluster=shop,borealisdb.io/role=writer", "borealisdb.io/cluster=shop,borealisdb.io/role=storage"
ALL_PODS = "borealisdb.io/cluster=shop,borealisdb.io/role in (writer,storage)"
OPERATORS = "app.kubernetes.io/name=borealis-operator"


def name_of(thing):
    return thing["metadata"]["name"]


def uid_of(thing):
    return thing["metadata"]["uid"]


def is_ready(pod):
    conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Shop(Cluster):
    """The fixture's cluster `shop`, with its endpoints led to 127.0.0.1. It is also what Bank takes for its writers."""

    def __init__(self):
        super().__init__(os.environ["BOREALIS_INSTANCE"])
        self.build = pathlib.Path(os.environ["BOREALIS_BUILD"])
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="borealis-shop-", dir=os.environ.get("BOREALIS_SCRATCH")))
        self.secret = self.password()
        (self.directory / "password").write_text(self.secret)
        self.ports = {}

    @property
    def writers(self):
        return range(self.mmc()["spec"]["writers"]["replicas"])

    def port(self, service):
        """A port of 127.0.0.1 that leads to SERVICE. A Service that was made again has another address."""
        key = service, self.service_address(service)
        if key not in self.ports:
            self.ports[key] = free_port()
            self.forward(self.ports[key], key[1], 5432)
        return self.ports[key]

    def writer_port(self, ordinal):
        return self.port(f"shop-w-{ordinal}")

    def connect(self, service, **options):
        return Connection("127.0.0.1", self.port(service), "postgres", self.secret, **options)

    def scale(self, replicas):
        self.kubectl("-n", NAMESPACE, "scale", "mmc/shop", f"--replicas={replicas}")

    def delete_pods(self, *names, now=False, namespace=NAMESPACE):
        how = ["--grace-period=0", "--force"] if now else []
        self.kubectl("-n", namespace, "delete", "pod", "--wait=false", "--ignore-not-found", *how, *names)

    def event_lines(self):
        return self.kubectl("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp").splitlines()[-40:]


def pids_of(pod):
    """The processes of POD's containers, by the pod's uid in their cgroup; the pause process is not one of them."""
    uid, found = uid_of(pod), []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            cgroup = pathlib.Path("/proc", entry, "cgroup").read_text()
            if (uid in cgroup or uid.replace("-", "_") in cgroup) and "/usr/bin/borealis-" in command_line(entry)[0]:
                found.append(int(entry))
        except (OSError, IndexError):
            continue
    return found


def command_line(pid):
    return [a.decode() for a in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if a]


def kill_processes(*pods):
    """SIGKILL to every process of PODS, as near to one moment as can be; returns how many."""
    pids = [pid for pod in pods for pid in pids_of(pod)]
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return len(pids)


class Watch(threading.Thread):
    """`kubectl get --watch`: every change with its moment (time.monotonic), in `events` as (moment, type, object)."""

    def __init__(self, cluster, kind, selector, namespace=NAMESPACE):
        super().__init__(daemon=True)
        self.events, self.stopping = [], False
        self.process = subprocess.Popen(
            ["kubectl", "--kubeconfig", cluster.provider.kubeconfig(), "-n", namespace, "get", kind, "-l", selector,
             "--watch",
             "--output-watch-events", "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.start()
        wait_until(f"the watch of {kind} speaks", 20, lambda: self.events)

    def run(self):
        for line in self.process.stdout:  # one event a line
            event = json.loads(line)
            self.events.append((time.monotonic(), event["type"], event["object"]))

    def stop(self):
        ended = self.process.poll()
        self.process.kill()
        self.process.wait()
        if ended is not None and not self.stopping:
            raise AssertionError(f"the watch ended by itself: {self.process.stderr.read()}")
        self.stopping = True
        self.join(10)


class Endpoints(Watch):
    """Which pods are ready endpoints of the Service, over time."""

    def __init__(self, cluster, service="shop"):
        super().__init__(cluster, "endpointslices", f"kubernetes.io/service-name={service}")

    def history(self):
        """[(moment, set of pod names)]"""
        slices, states = {}, []
        for moment, kind, piece in list(self.events):
            ready = {e["targetRef"]["name"] for e in piece.get("endpoints") or [] if e["conditions"].get("ready")}
            slices[name_of(piece)] = set() if kind == "DELETED" else ready
            states.append((moment, set().union(*slices.values())))
        return states

    def now(self):
        return self.history()[-1][1]

    def left(self, pod, after):
        """When POD was first not among them after the moment AFTER; None if it never was."""
        before = [names for moment, names in self.history() if moment <= after]
        if before and pod not in before[-1]:
            return after
        return next((moment for moment, names in self.history() if moment > after and pod not in names), None)

    def back(self, pod, after):
        return next((moment for moment, names in self.history() if moment > after and pod in names), None)


class OnePodPerMember(threading.Thread):
    """Looks all the time for two processes with one member id of one cluster; finish() raises if there ever were."""

    def __init__(self, cluster, every=0.05):
        super().__init__(daemon=True)
        self.cluster_id = cluster.mmc()["status"]["clusterId"]
        self.every, self.end, self.looks, self.doubles, self.seen = every, threading.Event(), 0, [], set()
        self.pods = Watch(cluster, "pods", STORAGE)
        self.start()

    def run(self):
        while not self.end.wait(self.every):
            members = collections.defaultdict(list)
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    try:
                        words = command_line(entry)
                    except OSError:
                        continue
                    if words and words[0] == "/usr/bin/borealis-storage" and f"--cluster-id={self.cluster_id}" in words:
                        members[next(w for w in words if w.startswith("--member-id="))].append(int(entry))
            self.looks += 1
            self.seen |= set(members)
            self.doubles += [f"{member}: processes {pids}" for member, pids in members.items() if len(pids) > 1]

    def finish(self):
        self.end.set()
        self.join(10)
        self.pods.stop()
        alive = collections.defaultdict(dict)
        for _moment, kind, pod in self.pods.events:
            member = alive[pod["metadata"]["labels"]["borealisdb.io/member-id"]]
            if kind == "DELETED":
                member.pop(uid_of(pod), None)
            else:
                member[uid_of(pod)] = name_of(pod)
            if len(member) > 1:
                self.doubles.append(f"pods for one member id: {member}")
        if self.doubles:
            raise AssertionError("two at once for one member id: " + "; ".join(self.doubles[:5]))
        if self.looks < 20 or len(self.seen) < 6:
            raise AssertionError(f"too little was seen to prove anything: {self.looks} looks, members {self.seen}")


class Client(Background):
    """Adds 1 to a row of its own, and now and then to one that all share, in transactions, until told to stop.

    `services` is where it connects: the first at first, then the others in turn whenever a connection ends. What went
    wrong is in `errors` [(moment, what)], for how long it found no way in, in `refused` (seconds, each time).
    """

    def __init__(self, ports, password, row, stop, seed=1):
        self.ports, self.password, self.row, self.stop = ports, password, row, stop
        self.random = random.Random(seed * 1000 + row)
        self.acknowledged = self.in_doubt = self.conflicts = self.ended = 0
        self.errors, self.refused, self.longest = [], [], 0.0
        super().__init__(self.work)

    def work(self):
        turn = 0
        while not self.stop.is_set():
            session = self.enter(turn)
            turn += 1
            if session is None:
                return
            with session:
                try:
                    while not self.stop.is_set():
                        self.add(session)
                except (PgError, ConnectionLost) as error:
                    code = getattr(error, "sqlstate", None) or "connection"
                    self.ended += 1
                    self.errors.append((time.monotonic(), f"{code}: {error}"))

    def enter(self, turn):
        """A session; None when told to stop."""
        began, tries = time.monotonic(), 0
        while not self.stop.is_set():
            port = self.ports[min(turn, len(self.ports) - 1)]
            try:
                session = Connection("127.0.0.1", port, "postgres", self.password, timeout=20)
                if tries or time.monotonic() - began > 1:
                    self.refused.append(time.monotonic() - began)
                return session
            except (ConnectionLost, OSError):
                tries += 1
                time.sleep(0.05)
            except PgError as error:  # the server said why; a writer that ends refuses politely (57P03)
                if error.sqlstate != "57P03":
                    self.errors.append((time.monotonic(), f"login: {error}"))
                tries += 1
                time.sleep(0.05)
        if tries:
            self.refused.append(time.monotonic() - began)
        return None

    def add(self, session):
        """One transaction, again on 40001; anything else is raised."""
        shared = self.random.random() < 0.05
        while True:
            began, committing = time.monotonic(), False
            try:
                session.query("BEGIN")
                session.query(f"UPDATE steady SET n = n + 1 WHERE id = {self.row}")
                if shared:
                    session.query("UPDATE steady SET n = n + 1 WHERE id = 0")
                committing = True
                session.query("COMMIT")
                self.acknowledged += 1
                self.longest = max(self.longest, time.monotonic() - began)
                return
            except PgError as error:
                if error.sqlstate == "40001":
                    self.conflicts += 1
                    if session.status == "T" or session.status == "E":
                        session.query("ROLLBACK")
                    continue
                self.in_doubt += committing and error.sqlstate in UNCERTAIN
                raise
            except ConnectionLost:
                self.in_doubt += committing
                raise


class Load:
    """Clients over the table `steady`, and the check that no acknowledged addition is missing."""

    def __init__(self, shop, services):
        """services: for each client, the list of Services that it uses (see Client)."""
        self.shop, self.stop = shop, threading.Event()
        with shop.connect("shop") as session:
            session.query("DROP TABLE IF EXISTS steady")
            session.query("CREATE TABLE steady (id integer PRIMARY KEY, n bigint NOT NULL)")
            session.query("INSERT INTO steady SELECT i, 0 FROM generate_series(0, 200) i")
        self.clients = []
        self.add(services)

    def add(self, services):
        for ways in services:
            self.clients.append(Client([self.shop.port(s) for s in ways], self.shop.secret, len(self.clients) + 1,
                                       self.stop))
        return self.clients[-len(services):]

    def wait_working(self, seconds=30):
        wait_until("every client works", seconds, lambda: all(c.acknowledged for c in self.clients))

    def errors(self, clients=None):
        return [text for client in clients or self.clients for _moment, text in client.errors]

    def refused(self):
        return [seconds for client in self.clients for seconds in client.refused]

    def finish(self):
        """Ends the clients, and checks their sums on every writer that there is."""
        self.stop.set()
        for client in self.clients:
            client.finish()
        for ordinal in self.shop.writers:
            with self.shop.connect(f"shop-w-{ordinal}") as session:
                sums = {int(row[0]): int(row[1]) for row in session.query("SELECT id, n FROM steady")[-1].rows}
            for client in self.clients:
                low, high = client.acknowledged, client.acknowledged + client.in_doubt
                if not low <= sums[client.row] <= high:
                    raise AssertionError(f"shop-w-{ordinal}: row {client.row} is {sums[client.row]}; acknowledged {low}, "
                                         f"in doubt {client.in_doubt}")
        return sum(c.acknowledged for c in self.clients)


def require_only(errors, allowed, what):
    """Every error begins with one of the SQLSTATEs ALLOWED."""
    wrong = [e for e in errors if e.partition(":")[0] not in allowed]
    if wrong:
        raise AssertionError(f"{what}: {len(wrong)} errors that should not be: {wrong[:5]}")
