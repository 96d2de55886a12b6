"""What is made from the charts for those without Helm: the kustomize component's patch, and the standalone as plain YAML."""

import pathlib

import yaml

from rendering import Helm

APP = pathlib.Path("helm/examples/app")
HEAD = "# Generated from the charts: TIELINE_BLESS=1 tests/helm/run writes it, and CI holds it against them.\n"
# The component's user brings the ConfigMap and the Secret, by these names.
COMPONENT = {
    "tieline": {
        "existingConfigMap": {"name": "tieline"},
        "credentials": [
            {
                "name": "genesys",
                "secretName": "tieline-credentials",
                "mountPath": "/var/run/secrets/tieline",
            }
        ],
    }
}


def files(helm: Helm):
    """Each generated file with its text."""
    yield pathlib.Path("helm/kustomize/sidecar.yaml"), HEAD + sidecar(helm)
    scenario = pathlib.Path("tests/helm/scenarios/tieline.smallest.yaml")
    yield (
        pathlib.Path("helm/kustomize/standalone.yaml"),
        HEAD + plain(helm.template("helm/tieline", scenario)),
    )


def sidecar(helm: Helm) -> str:
    """The pod of the example without the example: a patch for any workload."""
    rendered = helm.documents(APP, COMPONENT)
    deployment = next(it for it in rendered if it["kind"] == "Deployment")
    pod = deployment["spec"]["template"]
    labels = {
        key: value for key, value in pod["metadata"]["labels"].items() if key.startswith("tieline/")
    }
    spec = pod["spec"]
    context = {
        key: value for key, value in spec["securityContext"].items() if key.startswith("fsGroup")
    }
    kept = {
        "securityContext": context,
        "initContainers": spec["initContainers"],
        "volumes": spec["volumes"],
    }
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "any"},
        "spec": {
            "template": {
                "metadata": {"labels": labels, "annotations": pod["metadata"]["annotations"]},
                "spec": kept,
            }
        },
    }
    return yaml.safe_dump(patch, sort_keys=False)


def plain(text: str) -> str:
    """Without what only Helm has a use for."""
    kept = []
    for it in yaml.safe_load_all(text):
        if not it:
            continue
        it["metadata"]["labels"].pop("app.kubernetes.io/managed-by", None)
        it["metadata"].get("annotations", {}).pop("helm.sh/resource-policy", None)
        if not it["metadata"].get("annotations", True):
            del it["metadata"]["annotations"]
        if it["kind"] == "StatefulSet":
            it["spec"]["template"]["metadata"]["labels"].pop("app.kubernetes.io/managed-by", None)
        kept.append(it)
    return yaml.safe_dump_all(kept, sort_keys=False)
