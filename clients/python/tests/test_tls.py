"""The subscriber against a server that asks for a certificate and a token."""

from __future__ import annotations

import pathlib
import subprocess
import tempfile
import unittest
from typing import Any

from server import Server, closing, events, opened, play, sequences
from test_subscriber import run_until_logged

from tieline import Tls

AUTHORITY = ("-x509", "-subj", "/CN=authority", "-addext", "basicConstraints=critical,CA:TRUE")


def issue(folder: pathlib.Path) -> None:
    """An authority, and certificates of it for this machine and for a client."""

    def openssl(*words: str) -> None:
        made = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False)
        if made.returncode:
            raise AssertionError(made.stderr.decode())

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    for name, more in (
        ("ca", AUTHORITY),
        ("stranger", AUTHORITY),
        ("server", ("-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=server")),
        ("client", ("-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=client")),
    ):
        names = ("-addext", "subjectAltName=IP:127.0.0.1") if name in ("server", "client") else ()
        openssl("req", *key, *more, *names, "-keyout", f"{name}.key", "-out", f"{name}.pem")


class Certificates(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        issue(self.folder)

    def pem(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def options(self, ca: str) -> dict[str, Any]:
        files = (self.folder / name for name in (ca, "client.pem", "client.key"))
        return {"tls": Tls(*files), "token_file": self.folder / "token"}

    def test_both_sides_show_a_certificate_and_the_token_crosses_under_tls(self) -> None:
        (self.folder / "token").write_text("secret\n")
        files = [self.pem(name) for name in ("server.key", "server.pem", "ca.pem")]
        act = play(opened("e", 0), events(1, 3), closing(3))
        with Server(act, tls=(files[0], files[1], files[2])) as server:
            # What an authority did not sign for is not spoken to.
            wrong = server.subscriber(**self.options("stranger.pem"))
            with self.assertLogs("tieline", "INFO"):
                run_until_logged(wrong, 1)
            self.assertEqual(server.tokens, [])
            self.assertEqual(sequences(server.run(**self.options("ca.pem"))), [1, 2, 3])
            self.assertEqual(server.tokens, ["Bearer secret"])


if __name__ == "__main__":
    unittest.main()
