"""Checks the charts; `run` beside this says with what. Prints a line for each check and ends with their number."""

import argparse
import difflib
import pathlib
import subprocess
import sys
import tempfile
import traceback

import yaml

import objects
import shipping
from admitted import Admission
from rendering import Helm, Refused
from shipping import CHARTS, HERE, VERSIONS

SHIPPED = ("tieline/templates/alerts.yaml", "tieline/templates/dashboard.yaml")


class Checks:
    """Runs checks and keeps which failed."""

    def __init__(self, helm: Helm, tieline: str, admission: Admission, bless: bool):
        self.helm, self.tieline, self.admission, self.bless = helm, tieline, admission, bless
        self.passed, self.failed = 0, []

    def run(self, name: str, check, *arguments):
        try:
            check(*arguments)
        except Exception as error:  # Each check says what is wrong; all of them are to be heard.
            self.failed.append(name)
            print(f"FAILED {name}: {error}")
            if not isinstance(error, (AssertionError, Refused)):
                traceback.print_exc()
        else:
            self.passed += 1

    def scenarios(self):
        for path in sorted((HERE / "scenarios").glob("*.yaml")):
            yield path.stem, path.stem.split(".")[0], path

    def all(self):
        for chart in [*CHARTS.values(), pathlib.Path("helm/tieline-sidecar")]:
            self.run(f"{chart}: versions", shipping.versions, chart)
            self.run(f"{chart}: links lead into the repository", shipping.links, chart)
        for name, chart, path in self.scenarios():
            self.run(f"{name}: lint", self.helm.lint, CHARTS[chart], path)
            self.run(f"{name}: golden", self.golden, name, chart, path)
            for version in VERSIONS[chart]:
                self.run(f"{name}: Kubernetes {version}", self.schemas, chart, path, version)
            self.run(f"{name}: pods", self.pods, chart, path)
            self.run(f"{name}: configuration", self.configuration, chart, path)
            if chart == "tieline-policy":
                self.run(f"{name}: injects", self.admission.injects, self.helm, path)
                self.run(f"{name}: planted mistakes are told", self.admission.tells, self.helm, path)
            else:
                self.run(f"{name}: admitted", self.admission.restricted, self.helm, CHARTS[chart], path)
        for case in yaml.safe_load((HERE / "refusals.yaml").read_text()):
            self.run(f"refuses {case['name']}", self.refusal, case)
        self.run("refuses 21 channels of one client", self.channels)
        self.run("refuses what a cluster does not know", self.unknown_policy)
        self.run("a changed session keeps the pod, a changed address rolls it", self.rolls)
        self.run("alerts and dashboard are shipped as they are", shipping.as_they_are, self.helm)
        self.run("a package holds what the links lead to", shipping.package, self.helm)
        self.run("a user's chart fetches the library", shipping.fetched, self.helm)
        self.run("what is generated from the charts", shipping.generated, self.helm, self.bless)
        self.run("kustomize", shipping.kustomize)

    def golden(self, name, chart, path):
        golden = HERE / "goldens" / f"{name}.yaml"
        documents = self.helm.template(CHARTS[chart], path).split("---\n# Source: ")
        # The files that are shipped as they are have a check of their own.
        kept = [it for it in documents if not it.startswith(SHIPPED)]
        got = "---\n# Source: ".join(kept).rstrip("\n") + "\n"
        if self.bless:
            golden.write_text(got)
        wanted = golden.read_text().splitlines()
        changed = list(
            difflib.unified_diff(wanted, got.splitlines(), str(golden), "rendered", lineterm="")
        )
        assert not changed, "\n".join(
            ["it renders otherwise (TIELINE_BLESS=1 writes it):", *changed[:60]]
        )

    def schemas(self, chart, path, version):
        for it in self.helm.documents(CHARTS[chart], path):
            try:
                objects.conforms(it, version)
            except Exception as error:
                raise AssertionError(f"{it['kind']} {it['metadata']['name']}: {error}") from error

    def pods(self, chart, path):
        documents = self.helm.documents(CHARTS[chart], path)
        found = list(objects.pods(documents))
        assert chart == "tieline-policy" or found, "no pod"
        for pod in found:
            objects.restricted(pod)
            objects.sidecar(pod, documents)

    def configuration(self, chart, path):
        """What is in the ConfigMap, by the binary that will read it."""
        for text in objects.configurations(self.helm.documents(CHARTS[chart], path)):
            with tempfile.TemporaryDirectory() as scratch:
                file = pathlib.Path(scratch, "tieline.yaml")
                file.write_text(text)
                checked = subprocess.run(
                    [self.tieline, "check", "--config", file],
                    capture_output=True,
                    text=True,
                    timeout=20,
                )
            assert checked.returncode == 0, checked.stdout + checked.stderr

    def refused(self, chart, says, *values):
        try:
            self.helm.template(CHARTS[chart], *values)
        except Refused as refusal:
            for word in says:
                assert str(word) in str(refusal), f"does not say {word!r}: {refusal}"
        else:
            raise AssertionError("rendered")

    def refusal(self, case):
        over = HERE / "scenarios" / f"{case['over']}.yaml"
        self.refused(case["over"].split(".")[0], case["says"], over, case["values"])

    def channels(self):
        session = yaml.safe_load((CHARTS["app"] / "values.yaml").read_text())["tieline"]["config"][
            "sessions"
        ][0]

        def sessions(number, **more):
            return {
                "tieline": {
                    "config": {
                        "sessions": [{**session, "name": f"s{n}", **more} for n in range(number)]
                    }
                }
            }

        over = HERE / "scenarios/app.smallest.yaml"
        self.helm.template(CHARTS["app"], over, sessions(20))
        self.helm.template(CHARTS["app"], over, sessions(10, redundancy=2))
        self.refused("app", ["21 channels"], over, sessions(21))
        self.refused("app", ["22 channels"], over, sessions(11, redundancy=2))
        # A thousand topics share a channel; beyond that each is planned nine tenths full.
        for topics, pods, channels in ((1_000, 20, 0), (1_001, 10, 0), (1_001, 11, 22), (1_801, 7, 21)):
            named = [{"v2.users.{id}.presence": [f"agent-{n}" for n in range(topics)]}]
            values = sessions(1, topics=named)
            values["tieline"]["pods"] = pods
            if channels:
                self.refused("app", [f"{channels} channels"], over, values)
            else:
                self.helm.template(CHARTS["app"], over, values)

    def unknown_policy(self):
        over = HERE / "scenarios/tieline-policy.smallest.yaml"
        beta = self.helm.template(
            CHARTS["tieline-policy"],
            over,
            kube="1.34",
            apis=["admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy"],
        )
        assert "admissionregistration.k8s.io/v1beta1" in beta
        try:
            self.helm.template(CHARTS["tieline-policy"], over, kube="1.35", apis=[])
        except Refused as refusal:
            assert "MutatingAdmissionPolicy" in str(refusal), refusal
        else:
            raise AssertionError("rendered for a cluster that does not know it")

    def rolls(self):
        def checksum(values):
            documents = self.helm.documents(
                CHARTS["app"], HERE / "scenarios/app.everything.yaml", values
            )
            return next(objects.pods(documents))["metadata"]["annotations"]["tieline/config"]

        first = checksum({})
        kept = {"sessions": [], "max_dynamic_sessions": 7, "listen": {"limits": {"subscribers": 7}}}
        assert checksum({"tieline": {"config": kept}}) == first, "rolls for what is read again"
        for lasting in (
            {"drain_timeout": "19s"},
            {"listen": {"health": "0.0.0.0:17444"}},
            {"listen": {"limits": {"message": "2MiB"}}},
        ):
            assert checksum({"tieline": {"config": lasting}}) != first, f"does not roll for {lasting}"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--helm", required=True)
    arguments.add_argument("--tieline", required=True)
    arguments.add_argument("--admission", required=True)
    arguments.add_argument("--bless", action="store_true")
    given = arguments.parse_args()
    admission = Admission(given.admission)
    checks = Checks(Helm(given.helm), given.tieline, admission, given.bless)
    checks.all()
    print(f"{checks.passed} passed, {len(checks.failed)} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
