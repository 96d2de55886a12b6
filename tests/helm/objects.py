"""What has to hold for rendered objects: schemas, the restricted profile, and that the parts of the sidecar fit together."""

import re

import jsonschema
import kubernetes_validate
import yaml

import crds

# Pod Security Standards, restricted: the volumes a pod may have.
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def conforms(it: dict, version: str):
    """Strictly, so that a misspelt key is a mistake."""
    if it["apiVersion"].startswith("monitoring.coreos.com/"):
        jsonschema.validate(it["spec"], crds.SPECS[it["kind"]])
    else:
        kubernetes_validate.validate(it, version, strict=True)


def pods(documents: list[dict]):
    """The pods and the templates of pods, each with a name."""
    for it in documents:
        if it["kind"] == "Pod":
            yield it
        elif "template" in it.get("spec", {}):
            template = it["spec"]["template"]
            yield {
                "metadata": {**template["metadata"], "name": it["metadata"]["name"]},
                "spec": template["spec"],
            }


def configurations(documents: list[dict]):
    """The texts that a sidecar would read."""
    for it in documents:
        if it["kind"] == "ConfigMap":
            yield from (
                text
                for key, text in it.get("data", {}).items()
                if key in ("tieline.yaml", "config.yaml")
            )


def containers(pod: dict) -> list[dict]:
    return (pod["spec"].get("initContainers") or []) + pod["spec"]["containers"]


def restricted(pod: dict):
    """The restricted Pod Security Standard, and what we ask beyond it."""
    of_pod = pod["spec"].get("securityContext", {})
    assert not any(pod["spec"].get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), (
        "a namespace of the host"
    )
    for volume in pod["spec"].get("volumes", []):
        kinds = set(volume) - {"name"}
        assert kinds <= VOLUMES and len(kinds) == 1, f"volume {volume['name']} is {kinds}"
    for it in containers(pod):
        name, own = it["name"], it.get("securityContext", {})
        assert own.get("allowPrivilegeEscalation") is False, f"{name} may gain privileges"
        assert own.get("readOnlyRootFilesystem") is True, f"{name} has a writable root"
        assert (
            own.get("capabilities", {}).get("drop") == ["ALL"] and "add" not in own["capabilities"]
        ), f"{name} has capabilities"
        assert own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is True, f"{name} may be root"
        assert own.get("runAsUser", 1) != 0, f"{name} is root"
        assert (
            own.get("seccompProfile", of_pod.get("seccompProfile", {})).get("type") == "RuntimeDefault"
        ), f"{name} has no seccomp"
        assert not own.get("privileged"), f"{name} is privileged"
        assert all("hostPort" not in port for port in it.get("ports", [])), (
            f"{name} takes a port of the host"
        )


def sidecar(pod: dict, documents: list[dict]):
    """That probes, ports, configuration, mounts and volumes of the sidecar are of one piece."""
    ours = next(
        it
        for it in containers(pod)
        if "tieline-health" in [port["name"] for port in it.get("ports", [])]
    )
    native = ours in (pod["spec"].get("initContainers") or [])
    assert not native or ours.get("restartPolicy") == "Always", "an init container that ends"
    assert not native or pod["spec"]["initContainers"][0] is ours, (
        "other init containers come before it"
    )
    assert all("lifecycle" not in it for it in [ours]), (
        "a preStop of a sidecar runs while the application works"
    )
    assert ours["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert "cpu" not in ours["resources"].get("limits", {}), "a limit on processors"
    assert ours["resources"]["requests"]["memory"] and ours["resources"]["limits"]["memory"], (
        "memory without bounds"
    )

    ports = {port["name"]: port["containerPort"] for port in ours["ports"]}
    paths = {"startupProbe": "/startupz", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    for probe, path in paths.items():
        assert ours[probe]["httpGet"] == {"path": path, "port": "tieline-health"}, (
            f"{probe} asks {ours[probe]['httpGet']}"
        )
    for text in configurations(documents):
        listen = yaml.safe_load(text)["listen"]
        assert listen["health"].endswith(f":{ports['tieline-health']}"), (
            f"the probes ask another port than {listen['health']}"
        )
        if "tieline-grpc" in ports:
            assert any(it.endswith(f":{ports['tieline-grpc']}") for it in listen["grpc"]), (
                "a port that nothing listens on"
            )

    volumes = {it["name"]: it for it in pod["spec"]["volumes"]}
    assert len(volumes) == len(pod["spec"]["volumes"]), "two volumes have one name"
    for it in containers(pod):
        for mount in it.get("volumeMounts", []):
            assert mount["name"] in volumes, f"{it['name']} mounts {mount['name']}, which is no volume"
            assert "subPath" not in mount, f"{mount['name']} by subPath is never updated"
    for volume in volumes.values():
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] == 0o440, (
                f"{volume['name']} has mode {volume['secret']['defaultMode']:o}"
            )
    assert pod["spec"]["securityContext"]["fsGroup"], "nobody could read the secrets"
    lost = [name for name, it in volumes.items() if name.startswith("tieline-") and "emptyDir" in it]
    safe = pod["metadata"]["annotations"][
        "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
    ].split(",")
    assert set(lost) <= set(safe), f"an autoscaler would keep a node for {lost}"
    defined_earlier(ours)
    for it in documents:
        if it["kind"] in ("PodMonitor", "NetworkPolicy", "Service", "PodDisruptionBudget"):
            selects(it, pod, ports)


def defined_earlier(container: dict):
    """`$(NAME)` stands for a variable before it; else it would stay as it is written."""
    names = set()
    for variable in container.get("env", []):
        for name in re.findall(r"\$\(([A-Za-z_]+)\)", variable.get("value", "")):
            assert name in names, f"{variable['name']} refers to {name}, which is not set before it"
        assert variable["name"] not in names, f"{variable['name']} is set twice"
        names.add(variable["name"])


def selects(it: dict, pod: dict, ports: dict):
    """What finds pods by labels finds this one, and ports that it has."""
    spec = it["spec"]
    wanted = spec.get("podSelector", spec.get("selector", {}))
    wanted = wanted.get("matchLabels", wanted)
    have = pod["metadata"]["labels"]
    assert wanted.items() <= have.items(), f"{it['kind']} selects {wanted}, the pod has {have}"
    for port in spec.get("ports", []):
        assert port["targetPort"] in ports, (
            f"{it['kind']} leads to {port['targetPort']}, which is no port"
        )
    for endpoint in spec.get("podMetricsEndpoints", []):
        assert endpoint["port"] in ports, f"{it['kind']} asks {endpoint['port']}, which is no port"
    for rule in spec.get("ingress", []):
        for port in rule.get("ports", []):
            named = isinstance(port["port"], str)
            assert not named or port["port"] in ports, (
                f"{it['kind']} lets {port['port']} in, which is no port"
            )
