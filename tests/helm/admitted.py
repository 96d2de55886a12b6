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

# Mistakes in the policy: what is there, and what stands there instead.
PLANTED = {
    "a field that no pod has": ("fsGroup: ", "fsGroups: "),
    "a sidecar beside a sidecar": ('c.name == "tieline"', "false"),
    "other init containers come first": ("/spec/initContainers/0", "/spec/initContainers/-"),
    "the pod's group is lost": ("object.spec.?securityContext.?fsGroup.orValue(65532)", "65532"),
    "the pod's volumes are lost": ("has(object.spec.volumes)", "false"),
    "its variables are lost": (".filter(e, !c.?env.orValue([]).exists(own, own.name == e.name))", ""),
    "the sidecar may be root": ('"runAsNonRoot": dyn(true)', '"runAsNonRoot": dyn(false)'),
}


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
        self.holds(helm, scenario, next(it for it in documents if it["kind"] == "MutatingAdmissionPolicy"))

    def holds(self, helm: Helm, scenario: pathlib.Path, policy: dict):
        def admitted(pod: dict) -> dict:
            stored, violations = self.admit(pod, policy)
            assert violations == [], violations
            return stored

        values = yaml.safe_load(scenario.read_text())["tieline"]
        injection.holds(admitted, injection.expected(helm, values, "contact-centre"), label_of(scenario))

    def tells(self, helm: Helm, scenario: pathlib.Path):
        """That each planted mistake would have been found."""
        policy = json.dumps(helm.documents(POLICY, scenario)[0])
        for mistake, (right, wrong) in PLANTED.items():
            right, wrong = (json.dumps(it)[1:-1] for it in (right, wrong))
            assert right in policy, f"the policy has no {right}"
            try:
                self.holds(helm, scenario, json.loads(policy.replace(right, wrong)))
            except AssertionError:
                continue
            raise AssertionError(f"not told: {mistake}")


def label_of(scenario: pathlib.Path) -> str:
    return yaml.safe_load(scenario.read_text()).get("label", "tieline/inject")
