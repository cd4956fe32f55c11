"""Where a Kubernetes cluster comes from: kind, minikube, or `bare` (kube/, on this machine itself).

A provider makes a cluster with three zones, loads image archives into it, says which kubeconfig leads to it,
leads ports of 127.0.0.1 to services in it, and removes it. kind and minikube are driven by their own commands.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ZONES = ("zone-a", "zone-b", "zone-c")


class ProviderError(Exception):
    """What went wrong, in words for the user."""


def run(*command, check=True, timeout=900, **options):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, **options)
    if check and done.returncode:
        raise ProviderError(f"{' '.join(map(str, command))} failed:\n{done.stdout[-3000:]}")
    return done.stdout if check else done


def answers(*command):
    """True when COMMAND exists and succeeds within seconds: a tool whose daemon is not there does not."""
    if not shutil.which(command[0]):
        return False
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def state_directory(instance):
    base = pathlib.Path(os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local/state")
    return base / "borealis" / "demo" / instance


class Provider:
    name = ""

    def __init__(self, instance):
        self.instance = instance
        self.state = state_directory(instance)

    def exists(self):
        raise NotImplementedError

    def up(self):
        raise NotImplementedError

    def load(self, archives):
        raise NotImplementedError

    def kubeconfig(self):
        return self.state / "kubeconfig"

    def helm(self):
        return "helm"

    def kubectl(self, *arguments, check=True, timeout=120, **options):
        return run("kubectl", "--kubeconfig", self.kubeconfig(), *arguments, check=check, timeout=timeout, **options)

    def forward(self, port, namespace, service, service_port):
        """Lead 127.0.0.1:PORT to the service until the cluster is removed."""
        self.state.mkdir(parents=True, exist_ok=True)
        # port-forward ends when the pod behind it goes; so it is started anew, for as long as the state folder is.
        loop = (f'while [ -d "{self.state}" ]; do kubectl --kubeconfig "{self.kubeconfig()}" -n {namespace} '
                f"port-forward --address 127.0.0.1 service/{service} {port}:{service_port} >/dev/null 2>&1; sleep 0.5; done")
        process = subprocess.Popen(["bash", "-c", loop], start_new_session=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(self.state / "forwards", "a") as file:
            file.write(f"{process.pid}\n")

    def end_forwards(self):
        file = self.state / "forwards"
        for pid in file.read_text().split() if file.exists() else []:
            try:
                if b"port-forward" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.killpg(int(pid), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def down(self):
        raise NotImplementedError


class Bare(Provider):
    """kube/cluster: containerd, kubelet, etcd and API server in namespaces of this machine."""

    name = "bare"

    @staticmethod
    def available():
        return True

    @staticmethod
    def lacks():
        """What this provider needs and does not find."""
        lacking = []
        if os.geteuid() != 0:
            lacking.append("root (the bare provider makes network namespaces, mounts and cgroups)")
        if not shutil.which("go"):
            lacking.append("Go 1.25 or later (to build Kubernetes; https://go.dev/dl)")
        if not shutil.which("kubectl"):
            lacking.append("kubectl 1.32 or later")
        return lacking

    def cluster(self, *arguments, **options):
        return run(ROOT / "kube" / "cluster", "--instance", self.instance, *arguments, **options)

    def exists(self):
        return self.cluster("kubeconfig", check=False).returncode == 0

    def build(self):
        run(ROOT / "kube" / "build", timeout=3600)

    def up(self, owner=None):
        self.build()
        self.cluster("up", *(["--owner", str(owner)] if owner else []), timeout=300)

    def load(self, archives):
        self.cluster("load", *archives)

    def kubeconfig(self):
        return pathlib.Path(self.cluster("kubeconfig").strip())

    def helm(self):
        return run(ROOT / "kube" / "build", "--where").strip() + "/bin/helm"

    def forward(self, port, namespace, service, service_port):
        address = self.kubectl("-n", namespace, "get", "service", service, "-o", "jsonpath={.spec.clusterIP}").strip()
        self.cluster("forward", port, f"{address}:{service_port}")

    def logs(self):
        return self.kubeconfig().parent

    def down(self):
        self.cluster("down")
        shutil.rmtree(self.state, ignore_errors=True)


class Kind(Provider):
    name = "kind"
    CONFIG = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n" + "".join(
        f"- role: worker\n  labels: {{topology.kubernetes.io/zone: {zone}}}\n" for zone in ZONES)

    @staticmethod
    def available():
        return answers("kind", "version") and answers("docker", "info")

    @staticmethod
    def lacks():
        return [] if shutil.which("kubectl") and shutil.which("helm") else ["kubectl and helm"]

    def cluster_name(self):
        return f"borealis-{self.instance}"

    def exists(self):
        return self.cluster_name() in run("kind", "get", "clusters", check=False).stdout.split()

    def up(self, owner=None):
        self.state.mkdir(parents=True, exist_ok=True)
        config = self.state / "kind.yaml"
        config.write_text(self.CONFIG)
        run("kind", "create", "cluster", "--name", self.cluster_name(), "--config", config,
            "--kubeconfig", self.kubeconfig(), "--wait", "180s")

    def load(self, archives):
        for archive in archives:
            run("kind", "load", "image-archive", archive, "--name", self.cluster_name())

    def logs(self):
        return f"kind export logs --name {self.cluster_name()}"

    def down(self):
        self.end_forwards()
        run("kind", "delete", "cluster", "--name", self.cluster_name(), "--kubeconfig", self.kubeconfig())
        shutil.rmtree(self.state, ignore_errors=True)


class Minikube(Provider):
    name = "minikube"

    @staticmethod
    def available():
        return answers("minikube", "version") and answers("docker", "info")

    @staticmethod
    def lacks():
        return [] if shutil.which("kubectl") and shutil.which("helm") else ["kubectl and helm"]

    def profile(self):
        return f"borealis-{self.instance}"

    def minikube(self, *arguments, **options):
        environment = dict(os.environ, KUBECONFIG=str(self.kubeconfig()))
        return run("minikube", "--profile", self.profile(), *arguments, env=environment, **options)

    def exists(self):
        return self.minikube("status", check=False).returncode == 0

    def up(self, owner=None):
        self.state.mkdir(parents=True, exist_ok=True)
        self.minikube("start", "--nodes", "4", "--wait", "all")
        # Nodes are named <profile>, <profile>-m02, ...; the first one runs the control plane.
        for number, zone in enumerate(ZONES, 2):
            self.kubectl("label", "node", f"{self.profile()}-m{number:02}", f"topology.kubernetes.io/zone={zone}",
                         "--overwrite")

    def load(self, archives):
        for archive in archives:
            self.minikube("image", "load", archive)

    def logs(self):
        return f"minikube --profile {self.profile()} logs"

    def down(self):
        self.end_forwards()
        self.minikube("delete")
        shutil.rmtree(self.state, ignore_errors=True)


PROVIDERS = {provider.name: provider for provider in (Kind, Minikube, Bare)}


def choose(name, instance):
    """The provider NAME, or the first whose tool and daemon answer."""
    if name:
        return PROVIDERS[name](instance)
    for provider in PROVIDERS.values():
        if provider.available():
            return provider(instance)
    raise ProviderError("no provider is available")
