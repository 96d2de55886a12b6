"""Applies what the charts render to a real API server, under the restricted profile; `run` beside this says with what."""

import argparse
import copy
import pathlib
import subprocess
import sys

import yaml

import injection
import objects
from admitted import POLICY, REFUSED, label_of
from rendering import Helm
from server import Answer, Server, running, wait

CHARTS = {"app": "helm/examples/app", "tieline": "helm/tieline"}
SCENARIOS = pathlib.Path("tests/helm/scenarios")
NAMESPACE = "contact"


class Cluster:
    """A server, and the charts that are tried in it."""

    def __init__(self, server: Server, helm: Helm):
        self.server, self.helm = server, helm

    def prepare(self):
        """A namespace with the profile enforced, and the priority that a scenario names."""
        profile = {f"pod-security.kubernetes.io/{how}": "restricted" for how in ("enforce", "warn")}
        labels = {**profile, "tieline": "allowed"}
        self.applied([described("v1", "Namespace", NAMESPACE, {"labels": labels})])
        self.applied([{**described("scheduling.k8s.io/v1", "PriorityClass", "high", {}), "value": 1000}])

    def applied(self, documents: list[dict]):
        """Dry and then in earnest, without a warning."""
        for dry in (True, False):
            for it in documents:
                _, warnings = self.server.apply(it, NAMESPACE, dry)
                assert not warnings, f"{it['kind']} {it['metadata']['name']}: {warnings}"

    def created(self, pod: dict, dry: bool = True) -> dict:
        stored, warnings = self.server.create(pod, NAMESPACE, dry)
        assert not warnings, warnings
        return stored

    def lasting(self, pod: dict) -> dict:
        """As it was stored, and gone again."""
        stored = self.created(pod, dry=False)
        self.server.delete(pod, NAMESPACE)
        return stored

    def scenario(self, name: str):
        """Every object of a scenario, and its pods, which no controller makes here."""
        documents = self.helm.documents(CHARTS[name.split(".")[0]], SCENARIOS / f"{name}.yaml")
        # Prometheus' operator brings its kinds itself.
        self.applied([it for it in documents if not it["apiVersion"].startswith("monitoring.coreos.com/")])
        for template in objects.pods(documents):
            self.lasting(injection.as_pod(template, "made"))

    def refused(self):
        """That the profile is enforced at all, and looks at the sidecar."""
        rendered = self.helm.documents(CHARTS["app"], SCENARIOS / "app.smallest.yaml")
        template = next(objects.pods(rendered))
        for key, value in REFUSED:
            pod = copy.deepcopy(injection.as_pod(template, "bad"))
            pod["spec"]["initContainers"][0]["securityContext"][key] = value
            self.told(pod, ("restricted", "tieline"), f"a sidecar with {key} {value} was admitted")

    def told(self, pod: dict, words: tuple, otherwise: str):
        try:
            self.server.create(pod, NAMESPACE, dry=True)
        except Answer as answer:
            assert all(word in str(answer) for word in words), answer
        else:
            raise AssertionError(otherwise)

    def injects(self, name: str):
        """Pods with and without the label while a policy is there, and after it is gone."""
        scenario = SCENARIOS / f"{name}.yaml"
        label, values = label_of(scenario), yaml.safe_load(scenario.read_text())["tieline"]
        policy = self.helm.documents(POLICY, scenario)
        self.applied(policy)
        asked = injection.plain("asked", {label: "contact-centre"})
        self.until(asked, ["tieline"], "nothing is injected")
        wanted = injection.expected(self.helm, values, "contact-centre")
        injection.holds(self.created, wanted, label)
        injection.holds(self.lasting, wanted, label)
        for it in reversed(policy):
            self.server.delete(it, NAMESPACE)
        self.until(asked, [], "a policy that is gone injects")

    def until(self, asked: dict, names: list[str], otherwise: str):
        """The server reads policies from its own watch, a moment after it has stored them."""
        wait(lambda: injection.sidecars(self.created(asked)) == names, otherwise, 30)

    def fails_closed(self):
        """Where the policy cannot be evaluated no pod is made, rather than one without a sidecar."""
        policy = self.helm.documents(POLICY, SCENARIOS / "tieline-policy.smallest.yaml")
        broken = copy.deepcopy(policy)
        broken[0]["spec"]["variables"][0]["expression"] = "object.metadata.annotations['none']"
        self.applied(broken)
        asked = injection.plain("asked", {"tieline/inject": "contact-centre"})

        def refused() -> bool:
            try:
                self.server.create(asked, NAMESPACE, dry=True)
            except Answer as answer:
                return "no such key" in str(answer)
            return False

        wait(refused, "a pod was made without its sidecar", 30)
        for it in reversed(broken):
            self.server.delete(it, NAMESPACE)
        # The server may still know the policy for a moment: it refuses until it does not.
        wait(lambda: not refused(), "a policy that is gone is evaluated", 30)
        self.until(asked, [], "a policy that is gone injects")


def described(version: str, kind: str, name: str, metadata: dict) -> dict:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}}


def checks(cluster: Cluster):
    """Each with what it is called."""
    names = sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
    for name in names:
        if name.startswith("tieline-policy."):
            yield f"{name} injects", lambda name=name: cluster.injects(name)
        else:
            yield f"{name} is applied, and its pods are made", lambda name=name: cluster.scenario(name)
    yield "the profile is enforced", cluster.refused
    yield "a policy that fails lets nothing in", cluster.fails_closed


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--helm", required=True)
    arguments.add_argument("--cluster", required=True)
    given = arguments.parse_args()
    failed, passed = 0, 0
    with running(given.cluster) as server:
        print("kube-apiserver", server.request("GET", "/version")[0]["gitVersion"])
        cluster = Cluster(server, Helm(given.helm))
        cluster.prepare()
        for name, check in checks(cluster):
            try:
                check()
            except (AssertionError, Answer, subprocess.SubprocessError) as error:
                failed += 1
                print(f"FAILED {name}: {error}")
            else:
                passed += 1
                print(f"passed {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
