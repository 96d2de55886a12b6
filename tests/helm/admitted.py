"""What an API server makes of rendered pods and policies, by its own packages (`admission` beside this)."""

import copy
import json
import pathlib
import subprocess

import yaml

import injection
import objects
from rendering import Helm

POLICY = pathlib.Path("helm/tieline-policy")
# What the restricted profile has to refuse in a sidecar, or it is not looked at.
REFUSED = (("allowPrivilegeEscalation", True), ("runAsNonRoot", False), ("capabilities", {}))


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

    def restricted(self, helm: Helm, chart: pathlib.Path, scenario: pathlib.Path):
        """Every pod passes; a sidecar that asks for more does not."""
        for template in objects.pods(helm.documents(chart, scenario)):
            pod = injection.as_pod(template, "made")
            assert self.admit(pod)[1] == [], self.admit(pod)[1]
            for key, value in REFUSED:
                bad = copy.deepcopy(pod)
                objects.containers(bad)[0]["securityContext"][key] = value
                assert self.admit(bad)[1], f"a sidecar with {key} {value} passes"

    def injects(self, helm: Helm, scenario: pathlib.Path):
        """The policy of a scenario: pods with its label, with what they bring, and without."""
        documents = helm.documents(POLICY, scenario)
        policy = next(it for it in documents if it["kind"] == "MutatingAdmissionPolicy")
        values = yaml.safe_load(scenario.read_text())

        def admitted(pod: dict) -> dict:
            stored, violations = self.admit(pod, policy)
            assert violations == [], violations
            return stored

        wanted = injection.expected(helm, values["tieline"], "contact-centre")
        injection.holds(admitted, wanted, label_of(scenario))

    def refuses(self, helm: Helm, scenario: pathlib.Path):
        """That an expression with a mistake is one here."""
        documents = helm.documents(POLICY, scenario)
        policy = next(it for it in documents if it["kind"] == "MutatingAdmissionPolicy")
        mutation = policy["spec"]["mutations"][2]["applyConfiguration"]
        mutation["expression"] = mutation["expression"].replace("fsGroup:", "fsGroups:")
        try:
            self.admit(injection.plain("any", {label_of(scenario): "contact-centre"}), policy)
        except AssertionError as error:
            assert "fsGroups" in str(error), error
        else:
            raise AssertionError("a field that no pod has was set")


def label_of(scenario: pathlib.Path) -> str:
    return yaml.safe_load(scenario.read_text()).get("label", "tieline/inject")
