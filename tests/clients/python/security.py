"""What keeps strangers out: nothing, or TLS and a bearer token that is another every now and then."""

import os
import secrets
import subprocess

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
AUTHORITY = ["-addext", "basicConstraints=critical,CA:TRUE"]
SIGNED = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
SIGNED += ["-addext", "subjectAltName=IP:127.0.0.1"]


class Open:
    """Loopback and a socket for everybody."""

    def __init__(self):
        self.listen, self.tieline = {}, []

    def client(self, _target):
        return []


class Locked:
    """An authority, the sidecar's certificate, and one token for those who read. Over the socket there is the
    token alone."""

    def __init__(self, folder):
        self._folder, self._server = folder, folder / "tokens"
        self._client = folder / "token"
        for name, more in (("ca", AUTHORITY), ("server", SIGNED)):
            files = ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
            subprocess.run(
                ["openssl", "req", "-x509", "-days", "2", *CURVE, *more, *files],
                cwd=folder,
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
            )
        self._token = None
        self.rotate()
        may = {"principal": "readers", "journals": ["default"], "allow": ["read"]}
        self.listen = {
            "tls": {
                "cert_file": str(folder / "server.pem"),
                "key_file": str(folder / "server.key"),
            },
            "auth": {"tokens_file": str(self._server), "permissions": [may]},
        }
        self.tieline = ["--token-file", str(self._client)]

    def client(self, target):
        token = ["--token-file", str(self._client)]
        return token if target.startswith("unix:") else [*token, "--ca", str(self._folder / "ca.pem")]

    def rotate(self):
        """Another token as it is done without a break: both count, readers get the new one, the old one goes,
        and with it every stream that was opened by it."""
        old, self._token = self._token, secrets.token_hex(32)
        self._replace(self._server, "".join(f"readers {one}\n" for one in (old, self._token) if one))
        self._replace(self._client, f"{self._token}\n")
        self._replace(self._server, f"readers {self._token}\n")

    def stranger(self, target):
        """Who trusts the sidecar, and has nothing to show."""
        return [] if target.startswith("unix:") else ["--tls-ca", str(self._folder / "ca.pem")]

    def _replace(self, path, text):
        """Never half of it, and never readable by others."""
        new = self._folder / "new"
        new.touch(mode=0o600)
        new.write_text(text)
        os.replace(new, path)
