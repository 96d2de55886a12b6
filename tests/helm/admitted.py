"""What an API server makes of rendered pods and policies, by its own packages (`admission` beside this)."""

import copy
import json
import pathlib
import subprocess

import objects
from rendering import Helm

APP = pathlib.Path("helm/examples/app")
POLICY = pathlib.Path("helm/tieline-policy")


class Admission:
    """The program, and what it is asked."""

    def __init__(self, binary: str):
        self.binary = binary

    def admit(self, pod: dict, policy: dict | None = None) -> tuple[dict, list[str]]:
        """The pod as it would be stored, and what the restricted standard has against it."""
        asked = json.dumps({"policy": policy, "pod": pod})
        ended = subprocess.run([self.binary], input=asked, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        answer = json.loads(ended.stdout)
        return answer["pod"], answer["violations"]

    def restricted(self, documents: list[dict]):
        """Every pod passes; a sidecar that asks for more does not."""
        for template in objects.pods(documents):
            pod = as_pod(template)
            assert self.admit(pod)[1] == [], self.admit(pod)[1]
            for key, value in (
                ("allowPrivilegeEscalation", True),
                ("runAsNonRoot", False),
                ("capabilities", {}),
            ):
                bad = copy.deepcopy(pod)
                objects.containers(bad)[0]["securityContext"][key] = value
                assert self.admit(bad)[1], f"a sidecar with {key} {value} passes"

    def injects(self, helm: Helm, scenario: pathlib.Path, values: dict, label: str):
        """The policy of a scenario: pods with its label, with what they bring, and without."""
        documents = helm.documents(POLICY, scenario)
        policy = next(it for it in documents if it["kind"] == "MutatingAdmissionPolicy")
        same = {"tieline": {**values, "existingConfigMap": {"name": "contact-centre"}}}
        wanted = next(objects.pods(helm.documents(APP, same)))["spec"]

        admitted, violations = self.admit(plain(label, "contact-centre"), policy)
        assert violations == [], violations
        within(wanted["initContainers"], admitted["spec"]["initContainers"], "initContainers")
        within(wanted["volumes"], admitted["spec"]["volumes"], "volumes")
        assert admitted["spec"]["securityContext"]["fsGroup"] == 65532
        objects.defined_earlier(admitted["spec"]["initContainers"][0])
        for name, no_proxy in (("app", "own"), ("helper", "127.0.0.1,localhost,::1")):
            it = next(it for it in admitted["spec"]["containers"] if it["name"] == name)
            variables = {variable["name"]: variable["value"] for variable in it["env"]}
            assert variables["TIELINE_ADDRESS"] == "unix:/run/tieline/tieline.sock", variables
            assert variables["NO_PROXY"] == no_proxy, variables
            assert [mount["mountPath"] for mount in it["volumeMounts"]] == ["/run/tieline"]

        # What it meets is kept: other init containers, volumes and a group.
        busy = plain(label, "contact-centre", volumes=[{"name": "cache", "emptyDir": {}}])
        busy["spec"]["initContainers"] = [{**busy["spec"]["containers"][0], "name": "migrate"}]
        busy["spec"]["securityContext"]["fsGroup"] = 4711
        admitted, _ = self.admit(busy, policy)
        assert [it["name"] for it in admitted["spec"]["initContainers"]] == ["tieline", "migrate"]
        assert [it["name"] for it in admitted["spec"]["volumes"]] == [
            "cache",
            *(it["name"] for it in wanted["volumes"]),
        ]
        assert admitted["spec"]["securityContext"]["fsGroup"] == 4711
        assert self.admit(admitted, policy)[0] == admitted, "a sidecar beside a sidecar"


def as_pod(template: dict) -> dict:
    metadata = {key: it for key, it in template["metadata"].items() if key in ("labels", "annotations")}
    spec = {key: it for key, it in template["spec"].items() if it is not None}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": "made"}, "spec": spec}


def plain(label: str, value: str, **spec) -> dict:
    """A pod of somebody who has not heard of charts."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsUser": 65533}
    container = {
        "name": "app",
        "image": "app:0.1.0",
        "securityContext": context,
        "env": [{"name": "NO_PROXY", "value": "own"}],
    }
    of_pod = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "containers": [container, {**container, "name": "helper", "env": []}],
        "securityContext": of_pod,
        **spec,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "plain", "labels": {label: value}},
        "spec": spec,
    }


def within(wanted, got, at: str):
    """Everything that is wanted is there; a server adds defaults."""
    if isinstance(wanted, dict):
        for key, it in wanted.items():
            assert key in got, f"{at}.{key} is missing"
            within(it, got[key], f"{at}.{key}")
    elif isinstance(wanted, list):
        assert len(wanted) == len(got), f"{at} has {len(got)} entries, not {len(wanted)}"
        for index, it in enumerate(wanted):
            within(it, got[index], f"{at}[{index}]")
    else:
        assert str(wanted) == str(got), f"{at} is {got!r}, not {wanted!r}"
