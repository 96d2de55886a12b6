"""An etcd and a kube-apiserver on loopback, for as long as a check lasts, and requests to them."""

import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

TOKEN = "a-token-of-this-check-alone"
CLUSTER_WIDE = {"Namespace", "PriorityClass", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}


class Answer(Exception):
    """What the server refused, and why."""


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Server:
    """Requests to the API server."""

    def __init__(self, port: int):
        self.base = f"https://127.0.0.1:{port}"
        # Its certificate is made at its start, by itself.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        self.opener = urllib.request.build_opener(*handlers)

    def request(self, method: str, path: str, body=None, kind: str = "application/json"):
        """The answer, and what it warns of."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.base + path, data=data, headers=headers, method=method)
        try:
            with self.opener.open(asked, timeout=30) as answer:
                return json.load(answer), answer.headers.get_all("Warning") or []
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            with contextlib.suppress(ValueError):
                text = json.loads(text).get("message", text)
            raise Answer(f"{error.code}: {text}") from None

    def apply(self, it: dict, namespace: str, dry: bool = False):
        path = f"{collection(it, namespace)}/{it['metadata']['name']}?fieldManager=check&fieldValidation=Strict"
        return self.request("PATCH", path + ("&dryRun=All" if dry else ""), it, "application/apply-patch+yaml")

    def create(self, it: dict, namespace: str, dry: bool = False):
        path = f"{collection(it, namespace)}?fieldValidation=Strict"
        return self.request("POST", path + ("&dryRun=All" if dry else ""), it)

    def delete(self, it: dict, namespace: str):
        self.request("DELETE", f"{collection(it, namespace)}/{it['metadata']['name']}?gracePeriodSeconds=0")


def collection(it: dict, namespace: str) -> str:
    version, kind = it["apiVersion"], it["kind"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    plural = kind.lower()
    if plural.endswith("y"):
        plural = plural[:-1] + "ies"
    else:
        plural += "es" if plural.endswith("s") else "s"
    return f"{root}/{plural}" if kind in CLUSTER_WIDE else f"{root}/namespaces/{namespace}/{plural}"


@contextlib.contextmanager
def running(cluster: str):
    """Starts both and ends them."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        place = pathlib.Path(scratch)
        client, peer, port = free_port(), free_port(), free_port()
        (place / "tokens").write_text(f"{TOKEN},check,check,system:masters\n")
        key = ["openssl", "genrsa", "-out", place / "accounts.key", "2048"]
        subprocess.run(key, check=True, capture_output=True)
        etcd = [
            "etcd",
            f"--data-dir={place}/etcd",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        ]
        api = [
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{client}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={place}/certificates",
            f"--token-auth-file={place}/tokens",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://check.invalid",
            f"--service-account-key-file={place}/accounts.key",
            f"--service-account-signing-key-file={place}/accounts.key",
            "--service-cluster-ip-range=10.0.0.0/24",
            # No controller is there to make accounts.
            "--disable-admission-plugins=ServiceAccount",
        ]
        started = []
        for name, arguments in (("etcd", etcd), ("kube-apiserver", api)):
            log = stack.enter_context(open(place / f"{name}.log", "wb"))
            process = subprocess.Popen(
                [cluster, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            started.append((name, process))
        server = Server(port)
        wait(lambda: ready(server, started, place), "the API server did not become ready", 180)
        yield server


def ready(server: Server, started, place) -> bool:
    for name, process in started:
        if process.poll() is not None:
            raise AssertionError(f"{name} ended:\n" + (place / f"{name}.log").read_text()[-3000:])
    try:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        asked = urllib.request.Request(server.base + "/readyz", headers=headers)
        server.opener.open(asked, timeout=5).close()
    except OSError:
        return False
    return True


def wait(done, otherwise: str, seconds: float):
    """Until `done` says so, asked again every fifth of a second."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise AssertionError(otherwise)
        time.sleep(0.2)
