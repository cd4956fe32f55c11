"""What several tests share: started once by scripts/test, handed to the tests as environment variables."""
import os
import pathlib
import subprocess
import tempfile
import shutil


class FixtureError(Exception):
    """Why the fixture could not be had, in words for the reader of the test report."""


class Processes:
    """Six members and three writers as plain processes on loopback (scripts/cluster).

    BOREALIS_CLUSTER_DIR names the instance for scripts/cluster's other commands.
    """

    def __init__(self, root, build):
        self.root, self.build = pathlib.Path(root), build
        self.directory = tempfile.mkdtemp(prefix="borealis-cluster-")

    def cluster(self, *arguments):
        return subprocess.run([self.root / "scripts" / "cluster", *arguments, "--dir", self.directory],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)

    def start(self):
        result = self.cluster("up", "--members", "6", "--writers", "3", "--build-dir", str(self.build))
        if result.returncode:
            raise FixtureError(result.stdout[-4000:])

    def environment(self):
        return {"BOREALIS_CLUSTER_DIR": self.directory}

    def stop(self):
        self.cluster("down")
        shutil.rmtree(self.directory, ignore_errors=True)


FIXTURES = {"processes": Processes}
