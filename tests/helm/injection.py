"""What a policy has to do to the pods of others, whoever evaluates it: the API server's packages alone, or an API server."""

import pathlib

import objects
from rendering import Helm

APP = pathlib.Path("helm/examples/app")
NO_PROXY = "127.0.0.1,localhost,::1"


def expected(helm: Helm, values: dict, config_map: str) -> dict:
    """The pod of the example chart with the same values: both ways have to give the same sidecar."""
    same = {"tieline": {**values, "existingConfigMap": {"name": config_map}}}
    return next(objects.pods(helm.documents(APP, same)))["spec"]


def holds(admit, wanted: dict, label: str):
    """`admit` takes a pod and answers with what would be stored."""
    admitted = admit(plain("injected", {label: "contact-centre"}))
    within(wanted["initContainers"], admitted["spec"]["initContainers"], "initContainers")
    within(wanted["volumes"], admitted["spec"]["volumes"], "volumes")
    assert admitted["spec"]["securityContext"]["fsGroup"] == 65532
    objects.defined_earlier(admitted["spec"]["initContainers"][0])
    for name, no_proxy in (("app", "own"), ("helper", NO_PROXY)):
        it = next(it for it in admitted["spec"]["containers"] if it["name"] == name)
        variables = {variable["name"]: variable["value"] for variable in it["env"]}
        assert variables["TIELINE_ADDRESS"] == "unix:/run/tieline/tieline.sock", variables
        assert variables["NO_PROXY"] == no_proxy, variables
        assert variables["no_proxy"] == NO_PROXY, variables
        assert [mount["mountPath"] for mount in it["volumeMounts"]] == ["/run/tieline"]

    keeps_what_it_meets(admit, wanted, label)
    assert sidecars(admit(plain("other", {}))) == [], "injected without the label"


def keeps_what_it_meets(admit, wanted: dict, label: str):
    """Other init containers, volumes, mounts and a group; and a sidecar that is there already."""
    busy = plain("busy", {label: "contact-centre"}, volumes=[{"name": "cache", "emptyDir": {}}])
    app = busy["spec"]["containers"][0]
    app["volumeMounts"] = [{"name": "cache", "mountPath": "/cache"}]
    busy["spec"]["initContainers"] = [{**app, "name": "migrate"}]
    busy["spec"]["securityContext"]["fsGroup"] = 4711
    admitted = admit(busy)
    assert sidecars(admitted) == ["tieline", "migrate"], sidecars(admitted)
    own = ["cache", *(it["name"] for it in wanted["volumes"])]
    assert [it["name"] for it in admitted["spec"]["volumes"]] == own
    mounts = {it["mountPath"] for it in admitted["spec"]["containers"][0]["volumeMounts"]}
    assert mounts == {"/cache", "/run/tieline"}, mounts
    assert admitted["spec"]["securityContext"]["fsGroup"] == 4711

    again = admit({**busy, "spec": admitted["spec"]})
    assert again["spec"] == admitted["spec"], "a sidecar beside a sidecar"


def sidecars(pod: dict) -> list[str]:
    return [it["name"] for it in pod["spec"].get("initContainers") or []]


def plain(name: str, labels: dict, **spec) -> dict:
    """A pod of somebody who has not heard of charts, as the restricted profile wants it."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsUser": 65533}
    app = {
        "name": "app",
        "image": "app:0.1.0",
        "securityContext": context,
        "env": [{"name": "NO_PROXY", "value": "own"}],
    }
    of_pod = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    containers = [app, {**app, "name": "helper", "env": []}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": containers, "securityContext": of_pod, **spec},
    }


def as_pod(template: dict, name: str) -> dict:
    """The pod that a controller would make of a rendered template."""
    metadata = {key: it for key, it in template["metadata"].items() if key in ("labels", "annotations")}
    spec = {key: it for key, it in template["spec"].items() if it is not None}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": name}, "spec": spec}


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
