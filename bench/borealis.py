"""Borealis as plain processes (scripts/cluster) with six members and three writers, as a target of scripts/bench."""
import json
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Processes:
    name = "Borealis, 6 members"

    def __init__(self, directory, build, members=6, writers=3):
        self.directory, self.build, self.members, self.writers = directory, build, members, writers
        self.database = "postgres"

    def cluster(self, *arguments):
        done = subprocess.run([ROOT / "scripts" / "cluster", *map(str, arguments), "--dir", self.directory],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(done.stdout[-3000:])
        return done.stdout

    def start(self):
        self.cluster("up", "--members", self.members, "--writers", self.writers, "--build-dir", self.build)
        state = self.state()
        self.hosts = [("127.0.0.1", state["port_base"] + number) for number in range(1, self.writers + 1)]
        self.user, self.password = "postgres", pathlib.Path(self.directory, "password").read_text().strip()

    def state(self):
        return json.loads(pathlib.Path(self.directory, "cluster.json").read_text())

    def pids(self):
        state = self.state()
        return [node["pid"] for node in state["writers"] + state["members"]]

    def stop(self):
        self.cluster("down")
        shutil.rmtree(self.directory, ignore_errors=True)
