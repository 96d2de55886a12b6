"""Applies what the charts render to a real API server, under the restricted profile; `run` beside this says with what."""

import argparse
import copy
import pathlib
import sys

import yaml

import objects
from rendering import Helm
from server import Answer, Server, running, wait

CHARTS = {"app": "helm/examples/app", "tieline": "helm/tieline"}
SCENARIOS = pathlib.Path("tests/helm/scenarios")
NAMESPACE = "contact"


def applied(server: Server, helm: Helm, name: str) -> int:
    """Every object of a scenario, dry and then in earnest, and its pods, which no controller makes here."""
    documents = helm.documents(CHARTS[name.split(".")[0]], SCENARIOS / f"{name}.yaml")
    known = [it for it in documents if not it["apiVersion"].startswith("monitoring.coreos.com/")]
    for dry in (True, False):
        for it in known:
            _, warnings = server.apply(it, NAMESPACE, dry)
            assert not warnings, f"{it['kind']} {it['metadata']['name']}: {warnings}"
    for template in objects.pods(documents):
        pod = as_pod(template, "made")
        admitted, warnings = server.create(pod, NAMESPACE)
        assert not warnings, warnings
        server.delete(admitted | {"apiVersion": "v1", "kind": "Pod"}, NAMESPACE)
    return len(known)


def as_pod(template: dict, name: str) -> dict:
    metadata = {key: it for key, it in template["metadata"].items() if key in ("labels", "annotations")}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": name}, "spec": template["spec"]}


def refused(server: Server, helm: Helm):
    """That the profile is enforced at all, and looks at the sidecar."""
    template = next(objects.pods(helm.documents(CHARTS["app"], SCENARIOS / "app.smallest.yaml")))
    for key, value in (("allowPrivilegeEscalation", True), ("runAsNonRoot", False), ("capabilities", {})):
        pod = copy.deepcopy(as_pod(template, "bad"))
        pod["spec"]["initContainers"][0]["securityContext"][key] = value
        try:
            server.create(pod, NAMESPACE, dry=True)
        except Answer as answer:
            assert "restricted" in str(answer) and "tieline" in str(answer), answer
        else:
            raise AssertionError(f"a sidecar with {key} {value} was admitted")


def plain(name: str, label: str, value: str | None, **spec) -> dict:
    """A pod of somebody who has not heard of charts."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsUser": 65533}
    container = {"name": "app", "image": "app:0.1.0", "securityContext": context, "env": [{"name": "NO_PROXY", "value": "own"}]}
    of_pod = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    labels = {} if value is None else {label: value}
    spec = {"containers": [container, {**container, "name": "helper", "env": []}], "securityContext": of_pod, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def within(wanted, got, at="") -> None:
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


def injected(server: Server, helm: Helm, scenario: str, label: str, config_map: str):
    """A policy, and pods with and without its label."""
    policy = helm.documents("helm/tieline-policy", SCENARIOS / f"{scenario}.yaml")
    for it in policy:
        for dry in (True, False):
            _, warnings = server.apply(it, NAMESPACE, dry)
            assert not warnings, warnings
    values = yaml.safe_load((SCENARIOS / f"{scenario}.yaml").read_text())["tieline"]
    only_sidecar = {"tieline": {**values, "existingConfigMap": {"name": config_map}}}
    wanted = next(objects.pods(helm.documents(CHARTS["app"], only_sidecar)))["spec"]

    def sidecars(pod):
        admitted, warnings = server.create(pod, NAMESPACE, dry=True)
        assert not warnings, warnings
        return admitted, [it["name"] for it in admitted["spec"].get("initContainers", [])]

    asked = plain("injected", label, "contact-centre")
    wait(lambda: "tieline" in sidecars(asked)[1], "nothing was injected", 30)
    admitted, _ = server.create(asked, NAMESPACE)
    within(wanted["initContainers"], admitted["spec"]["initContainers"], "initContainers")
    within(wanted["volumes"], admitted["spec"]["volumes"], "volumes")
    assert admitted["spec"]["securityContext"]["fsGroup"] == 65532
    objects.defined_earlier(admitted["spec"]["initContainers"][0])
    for container, no_proxy in (("app", "own"), ("helper", "127.0.0.1,localhost,::1")):
        it = next(it for it in admitted["spec"]["containers"] if it["name"] == container)
        variables = {variable["name"]: variable["value"] for variable in it["env"]}
        assert variables["TIELINE_ADDRESS"] == "unix:/run/tieline/tieline.sock", variables
        assert variables["NO_PROXY"] == no_proxy, variables
        assert [mount["mountPath"] for mount in it["volumeMounts"]] == ["/run/tieline"]

    server.delete(asked, NAMESPACE)
    # What it meets is kept: other init containers, volumes and a group.
    busy = plain("busy", label, "contact-centre", volumes=[{"name": "cache", "emptyDir": {}}])
    busy["spec"]["initContainers"] = [{**busy["spec"]["containers"][0], "name": "migrate"}]
    busy["spec"]["securityContext"] = {**busy["spec"]["securityContext"], "fsGroup": 4711}
    admitted, names = sidecars(busy)
    assert names == ["tieline", "migrate"], names
    assert [it["name"] for it in admitted["spec"]["volumes"]] == ["cache", *(it["name"] for it in wanted["volumes"])]
    assert admitted["spec"]["securityContext"]["fsGroup"] == 4711

    again = {**admitted, "apiVersion": "v1", "kind": "Pod", "metadata": {**busy["metadata"], "name": "again"}}
    assert sidecars(again)[1] == names, "a sidecar beside a sidecar"
    assert sidecars(plain("other", label, None))[1] == [], "injected without the label"
    for it in reversed(policy):
        server.delete(it, NAMESPACE)
    wait(lambda: "tieline" not in sidecars(asked)[1], "a policy that is gone injects", 30)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--helm", required=True)
    arguments.add_argument("--cluster", required=True)
    given = arguments.parse_args()
    helm, failed, passed = Helm(given.helm), 0, 0
    with running(given.cluster) as server:
        print("version", server.request("GET", "/version")[0]["gitVersion"])
        labels = {"pod-security.kubernetes.io/enforce": "restricted", "tieline": "allowed"}
        server.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}, NAMESPACE)
        priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000}
        server.create(priority, NAMESPACE)
        scenarios = sorted(path.stem for path in SCENARIOS.glob("*.yaml") if path.stem.split(".")[0] in CHARTS)
        checks = [(f"{name} is applied", applied, (name,)) for name in scenarios]
        checks.append(("the profile is enforced", refused, ()))
        checks.append(("a policy injects", injected, ("tieline-policy.smallest", "tieline/inject", "contact-centre")))
        checks.append(("another policy injects", injected, ("tieline-policy.everything", "sidecars.example/tieline", "contact-centre")))
        for name, check, more in checks:
            try:
                check(server, helm, *more)
            except (AssertionError, Answer) as error:
                failed += 1
                print(f"FAILED {name}: {error}")
            else:
                passed += 1
                print(f"passed {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
