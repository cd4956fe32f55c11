"""A Kubernetes cluster for end-to-end tests: the `bare` provider, with the operator and the database installed."""
import base64
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
from providers import Bare, ProviderError, run  # noqa: E402

NAMESPACE = "default"
SYSTEM = "borealis-system"


class Timeout(AssertionError):
    pass


def wait_until(what, seconds, check):
    """Returns CHECK's first true result; a Timeout names WHAT and the last thing that CHECK saw."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except (ProviderError, KeyError, IndexError, ValueError) as error:
            last = error
        time.sleep(0.2)
    raise Timeout(f"waited {seconds} s in vain until {what}; last seen: {str(last)[:2000]}")


class Cluster:
    """The installed system, seen as a user sees it: through kubectl and services."""

    def __init__(self, instance):
        self.provider = Bare(instance)

    def kubectl(self, *arguments, **options):
        return self.provider.kubectl(*arguments, **options)

    def get(self, kind, name=None, namespace=NAMESPACE, selector=None):
        arguments = ["-n", namespace, "get", kind, *([name] if name else []), "-o", "json"]
        if selector:
            arguments += ["-l", selector]
        found = json.loads(self.kubectl(*arguments))
        return found if name else found["items"]

    def apply(self, manifest):
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self.kubectl("-n", NAMESPACE, "apply", "-f", "-", input=text)

    def mmc(self, name="shop"):
        return self.get("mmc", name)

    def condition(self, name, kind="Ready"):
        conditions = self.mmc(name).get("status", {}).get("conditions", [])
        return next((c["status"] for c in conditions if c["type"] == kind), "Unknown")

    def wait_ready(self, name="shop", seconds=180):
        def ready():
            status = self.mmc(name).get("status", {})
            observed = status.get("observedGeneration") == self.mmc(name)["metadata"]["generation"]
            return observed and self.condition(name) == "True"
        wait_until(f"{name} is Ready", seconds, ready)

    def pods(self, selector="borealisdb.io/cluster=shop"):
        return self.get("pods", selector=selector)

    def pod_zone(self, pod):
        node = self.get("node", pod["spec"]["nodeName"])
        return node["metadata"]["labels"]["topology.kubernetes.io/zone"]

    def password(self, name="shop"):
        secret = self.get("secret", f"{name}-superuser")
        return base64.b64decode(secret["data"]["password"]).decode()

    def service_address(self, service):
        return self.get("service", service)["spec"]["clusterIP"]

    def forward(self, port, host, host_port):
        self.provider.cluster("forward", port, f"{host}:{host_port}")


def install(instance, preset="dev", owner=None):
    """Start Kubernetes, load the images of build/PRESET, and install both charts."""
    provider = Bare(instance)
    provider.up(owner=owner)
    run(ROOT / "images" / "build", "--preset", preset)
    provider.load(sorted((ROOT / "build" / preset / "images").glob("*.tar")))
    helm, kubeconfig = provider.helm(), ["--kubeconfig", provider.kubeconfig()]
    run(helm, "install", "borealis-crds", ROOT / "charts/borealis-crds", *kubeconfig)
    run(helm, "install", "borealis-operator", ROOT / "charts/borealis-operator", "--namespace", SYSTEM,
        "--create-namespace", "--wait", "--timeout", "180s", *kubeconfig)
    return Cluster(instance)
