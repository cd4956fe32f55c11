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


class Kube:
    """A Kubernetes cluster of three zones with the operator and a Ready MultiMasterCluster `shop` (kube.py).

    BOREALIS_INSTANCE names it. Its owner is the test runner: should that be killed, `kube/cluster down --stale`
    removes it, which the next run does.
    """

    def __init__(self, root, build):
        self.root, self.preset = pathlib.Path(root), pathlib.Path(build).name
        self.instance = f"test{os.getpid()}"

    def start(self):
        import kube
        subprocess.run([self.root / "kube" / "cluster", "down", "--stale"], check=True)
        try:
            cluster = kube.install(self.instance, self.preset, owner=os.getpid())
            cluster.apply((self.root / "examples" / "quickstart.yaml").read_text())
            cluster.wait_ready(seconds=240)
        except (kube.ProviderError, kube.Timeout, subprocess.SubprocessError) as error:
            raise FixtureError(str(error)) from error

    def environment(self):
        return {"BOREALIS_INSTANCE": self.instance}

    def stop(self):
        subprocess.run([self.root / "kube" / "cluster", "--instance", self.instance, "down"], check=False)


FIXTURES = {"processes": Processes, "kube": Kube}
