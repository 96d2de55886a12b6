"""That what is shipped can be had: versions, links, packages, what is generated, kustomize."""

import pathlib
import shutil
import subprocess
import tempfile

import kubernetes_validate
import yaml

import generate
import objects
from rendering import Helm

HERE = pathlib.Path("tests/helm")
CHARTS = {
    "app": pathlib.Path("helm/examples/app"),
    "tieline": pathlib.Path("helm/tieline"),
    "tieline-policy": pathlib.Path("helm/tieline-policy"),
}
# The oldest with native sidecars, and the newest at hand; the policy's kind is younger.
VERSIONS = {
    "app": ["1.29", "1.33", "1.37"],
    "tieline": ["1.29", "1.33", "1.37"],
    "tieline-policy": ["1.36", "1.37"],
}


def versions(chart: pathlib.Path):
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    crate = next(
        it.split('"')[1]
        for it in pathlib.Path("Cargo.toml").read_text().splitlines()
        if it.startswith("version")
    )
    library = yaml.safe_load(pathlib.Path("helm/tieline-sidecar/Chart.yaml").read_text())["version"]
    if chart.parent.name != "examples":
        assert described["appVersion"] == crate, (
            f"appVersion is {described['appVersion']}, the crate's version {crate}"
        )
    for dependency in described.get("dependencies", []):
        assert dependency["version"] == library, (
            f"wants {dependency['version']} of the library, which is {library}"
        )


def links(chart: pathlib.Path):
    root = pathlib.Path.cwd().resolve()
    for path in chart.rglob("*"):
        if path.is_symlink():
            assert not path.readlink().is_absolute(), f"{path} is absolute"
            assert root in path.resolve(strict=True).parents, f"{path} leads out of the repository"


def as_they_are(helm: Helm):
    documents = helm.documents(CHARTS["tieline"], HERE / "scenarios/tieline.everything.yaml")
    rule = next(it for it in documents if it["kind"] == "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(pathlib.Path("helm/alerts/tieline.yaml").read_text())
    dashboard = next(it for it in documents if it["metadata"]["name"].endswith("-dashboard"))
    assert (
        dashboard["data"]["tieline.json"].strip()
        == pathlib.Path("helm/dashboards/tieline.json").read_text().strip()
    )


def package(helm: Helm):
    with tempfile.TemporaryDirectory() as scratch:
        for chart in ("tieline", "tieline-policy"):
            helm.call("package", CHARTS[chart], "--destination", scratch)
            path = HERE / "scenarios" / f"{chart}.everything.yaml"
            packed = next(pathlib.Path(scratch).glob(f"{chart}-0*.tgz"))
            assert helm.template(packed, path) == helm.template(CHARTS[chart], path)


def fetched(helm: Helm):
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch, "helm")
        shutil.copytree("helm/tieline-sidecar", root / "tieline-sidecar")
        shutil.copytree(CHARTS["app"], root / "examples/app", ignore=shutil.ignore_patterns("charts"))
        helm.call("dependency", "update", root / "examples/app")
        path = HERE / "scenarios/app.everything.yaml"
        assert helm.template(root / "examples/app", path) == helm.template(CHARTS["app"], path)


def generated(helm: Helm, bless: bool):
    for path, text in generate.files(helm):
        if bless:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists() and path.read_text() == text, (
            f"{path} is not what the charts render: TIELINE_BLESS=1 tests/helm/run writes it"
        )


def kustomize():
    kubectl = shutil.which("kubectl") or shutil.which("kustomize")
    if not kubectl:
        print("not run: kustomize: neither kubectl nor kustomize is installed")
        return
    command = [kubectl, "kustomize"] if kubectl.endswith("kubectl") else [kubectl, "build"]
    built = subprocess.run(
        [*command, "helm/examples/kustomize"], capture_output=True, text=True, timeout=60
    )
    assert built.returncode == 0, built.stderr
    documents = list(yaml.safe_load_all(built.stdout))
    for version in VERSIONS["app"]:
        for it in documents:
            kubernetes_validate.validate(it, version, strict=True)
    pods = {pod["metadata"]["name"]: pod for pod in objects.pods(documents)}
    objects.restricted(pods["app"])
    objects.sidecar(pods["app"], documents)
    assert "initContainers" not in pods["other"]["spec"], "a workload without the label has a sidecar"
