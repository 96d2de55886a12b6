"""Helm, called with nothing of this machine's: charts and values in, documents or a refusal out."""

import os
import pathlib
import subprocess
import tempfile

import yaml

POLICY = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"


class Refused(Exception):
    """What Helm says instead of rendering."""


class Helm:
    """One Helm, with folders of its own."""

    def __init__(self, binary: str):
        self.binary = binary
        self.home = tempfile.TemporaryDirectory()
        self.rendered = {}

    def call(self, *arguments) -> str:
        own = {
            name: f"{self.home.name}/{name}"
            for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        }
        environment = {"PATH": os.environ["PATH"], "HOME": self.home.name, **own}
        command = [self.binary, *(str(it) for it in arguments)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        if ended.returncode != 0:
            raise Refused(ended.stderr.strip() or ended.stdout.strip())
        return ended.stdout

    def template(self, chart, *values, kube="1.36", apis=(POLICY,), release="tieline") -> str:
        """The chart with values from files and maps, the later over the earlier; once for the same."""
        key = (str(chart), repr(values), kube, tuple(apis), release)
        if key not in self.rendered:
            self.rendered[key] = self._template(chart, values, kube, apis, release)
        return self.rendered[key]

    def _template(self, chart, values, kube, apis, release) -> str:
        with tempfile.TemporaryDirectory() as scratch:
            arguments = ["template", release, chart, "--namespace", "contact", "--kube-version", kube]
            for api in apis:
                arguments += ["--api-versions", api]
            arguments += self._values(values, scratch)
            text = self.call(*arguments)
        # What fromYaml says of text that it cannot read is a text to it.
        if "error converting YAML" in text or "error unmarshaling" in text:
            raise Refused(f"a template renders no YAML: {text}")
        return text

    def documents(self, chart, *values) -> list[dict]:
        text = self.template(chart, *values)
        return [it for it in yaml.safe_load_all(text) if it]

    def lint(self, chart, *values):
        with tempfile.TemporaryDirectory() as scratch:
            self.call(
                "lint", "--strict", chart, "--kube-version", "1.36", *self._values(values, scratch)
            )

    @staticmethod
    def _values(values, scratch) -> list:
        arguments = []
        for number, it in enumerate(values):
            if isinstance(it, dict):
                path = pathlib.Path(scratch, f"{number}.yaml")
                path.write_text(yaml.safe_dump(it))
                it = path
            arguments += ["--values", it]
        return arguments
