"""The cluster of plain processes that a test was handed (BOREALIS_CLUSTER_DIR): addresses, sessions, faults."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pgclient import Connection, ConnectionLost, PgError  # noqa: E402

WRITER_PORT, CTL = 0, "borealis-ctl"
UNCERTAIN = ("08007", "08006", "57P01")  # at COMMIT these promise nothing


class ProcessCluster:
    def __init__(self, directory=None):
        self.directory = pathlib.Path(directory or os.environ["BOREALIS_CLUSTER_DIR"])
        self.state = json.loads((self.directory / "cluster.json").read_text())
        self.password = (self.directory / "password").read_text().strip()
        self.build = pathlib.Path(self.state["build_dir"])

    def command(self, *arguments, timeout=150):
        done = subprocess.run([ROOT / "scripts" / "cluster", *map(str, arguments), "--dir", self.directory],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
        if done.returncode:
            raise AssertionError(f"scripts/cluster {' '.join(map(str, arguments))}: {done.stdout[-3000:]}")
        return done.stdout

    def writer_port(self, number):
        """Writers are numbered from 1."""
        return self.state["port_base"] + WRITER_PORT + number

    @property
    def writers(self):
        return range(1, len(self.state["writers"]) + 1)

    def connect(self, number, **options):
        return Connection("127.0.0.1", self.writer_port(number), "postgres", self.password, **options)

    def kill_leader(self):
        """SIGKILL; returns the member's number, for restart."""
        printed = self.command("kill", "leader", "-9")
        return int(printed.split()[1])

    def restart(self, kind, number):
        self.command("restart", kind, number)


class Bank:
    """borealis-chaos beside a test's faults: start it, break things, and read its report."""

    def __init__(self, cluster, seconds, clients=16, faults="", writers=None, prefix="bank"):
        self.seconds = seconds
        self.scratch = tempfile.mkdtemp(prefix="borealis-bank-", dir=os.environ.get("BOREALIS_SCRATCH"))
        targets = ",".join(f"writer-{n}=127.0.0.1:{cluster.writer_port(n)}" for n in writers or cluster.writers)
        self.result = pathlib.Path(self.scratch, "result.json")
        self.log = open(pathlib.Path(self.scratch, "log"), "w+")
        self.process = subprocess.Popen(
            [cluster.build / "bin/borealis-chaos", f"--writers={targets}", f"--password-file={cluster.directory}/password",
             f"--clients={clients}", f"--duration={seconds}s", f"--faults={faults}", f"--table-prefix={prefix}",
             f"--result-file={self.result}"], stdout=self.log, stderr=subprocess.STDOUT)

    def output(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()

    def wait_started(self, seconds=60):
        deadline = time.monotonic() + seconds
        while "tables made" not in self.output():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"the bank did not start:\n{self.output()}")
            time.sleep(0.02)
        self.started = time.monotonic()

    def sleep_until(self, second):
        time.sleep(max(0.0, self.started + second - time.monotonic()))

    def report(self):
        code = self.process.wait(self.seconds + 300)
        if code:
            raise AssertionError(f"the bank ended with {code}:\n{self.output()}")
        return json.loads(self.result.read_text())

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def require_right(report):
    """What every run of the bank must show, whatever was broken meanwhile."""
    wrong = {key: report[key] for key in ("lost", "duplicated", "anomalies") if report[key]}
    if wrong:
        raise AssertionError(f"{wrong}: " + "; ".join(report["findings"]))
    if report["acknowledged"] < 100 or report["snapshots"] < 10:
        raise AssertionError(f"too little was done to prove anything: {report}")


def describe(report):
    keep = ("acknowledged", "inDoubt", "inDoubtCommitted", "lost", "duplicated", "anomalies", "snapshots",
            "writeGapMaxMs", "writeGapP99Ms", "errors")
    return json.dumps({key: report[key] for key in keep})


class Background(threading.Thread):
    """A thread whose exception is raised again by finish()."""

    def __init__(self, body):
        super().__init__(daemon=True)
        self.body, self.error, self.value = body, None, None
        self.start()

    def run(self):
        try:
            self.value = self.body()
        except BaseException as error:  # noqa: B902  (handed to finish())
            self.error = error

    def finish(self, seconds=120):
        self.join(seconds)
        if self.is_alive():
            raise AssertionError("a background client did not end")
        if self.error:
            raise self.error
        return self.value
