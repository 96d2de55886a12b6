"""A simulated platform, a sidecar that can be killed, and client programs: processes on loopback."""

import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import time
import urllib.request

from ports import free_port

# What is waited for comes within this, or never.
PATIENCE = 120.0
GLANCE = 0.02
# As Python and as shells and JVMs tell it.
BY_SIGTERM = (-signal.SIGTERM, 128 + signal.SIGTERM)
DRAIN_TIMEOUT = 3
CHANNELS = ["routing.queueStats", "routing.agentEvent", "platform.connectionEvent"]
NOBODY = "http://proxy.invalid:1"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


class Failed(Exception):
    """Something is not as it has to be."""


def until(what, condition, alive=()):
    """Waits until `condition` holds, while all of `alive` live; returns what it returned."""
    deadline = time.monotonic() + PATIENCE
    while True:
        for process in alive:
            process.expect_alive()
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise Failed(f"waited {PATIENCE:.0f} s in vain for: {what}")
        time.sleep(GLANCE)


def run(command):
    """A command that ends by itself."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        check=False,
    )


class Process:
    """A child with a log of its own."""

    def __init__(self, name, log):
        self.name, self.log, self._child = name, log, None

    def launch(self, command, **options):
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stderr=log, **options
            )
        return self._child

    def expect_alive(self):
        if self._child is not None and self._child.poll() is not None:
            raise Failed(f"{self.name} ended by itself with {self._child.returncode}")

    def terminate(self, patience, allowed=()):
        """SIGTERM, which has to end it in time and with status 0, or one that is allowed."""
        child = self._child
        self.expect_alive()
        child.send_signal(signal.SIGTERM)
        try:
            status = child.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still runs {patience} s after SIGTERM") from None
        if status != 0 and status not in allowed:
            raise Failed(f"{self.name} ended with {status} after SIGTERM")
        self._child = None
        return status

    def kill(self):
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def told(self, lines=30):
        """The end of its log."""
        text = pathlib.Path(self.log).read_text(errors="replace") if self.log.exists() else ""
        return "".join(f"    {line}\n" for line in text.splitlines()[-lines:])


class Platform(Process):
    """`tieline sandbox`, which numbers its events."""

    def __init__(self, tieline, folder, rate, seed):
        super().__init__("sandbox", folder / "sandbox.log")
        command = [tieline, "sandbox", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        child = self.launch(
            [*command, "--rate", rate, "--seed", seed, "--json"], stdout=subprocess.PIPE
        )
        self.announced = json.loads(child.stdout.readline() or "{}")
        if "control" not in self.announced:
            raise Failed("the sandbox did not say where it is")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _control(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.announced['control']}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=10) as answer:
            return json.load(answer)

    def stop_events(self):
        """Issues no more; the number of the last that was."""
        self._control("PUT", "rate", {"per_second": 0})
        return self._control("GET", "ledger?after=0&limit=1")["issued"]


class Sidecar(Process):
    """`tieline run` with one journal on disk, over TCP and a Unix socket at once."""

    def __init__(self, tieline, folder, platform, security):
        super().__init__("sidecar", folder / "tieline.log")
        self._tieline, self._folder, self._security = tieline, folder, security
        self.targets = {"tcp": f"127.0.0.1:{free_port()}", "unix": f"unix:{folder}/s"}
        for name in ("client_id", "client_secret"):
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(platform.announced[name])
        config = {
            "listen": {
                "grpc": list(self.targets.values()),
                "health": "",
                "admin": [],
                **security.listen,
            },
            "drain_timeout": f"{DRAIN_TIMEOUT}s",
            "journals": [{"name": "default", "path": str(folder / "journal")}],
            "sessions": [
                {
                    "name": "centre",
                    "platform": "genesys-events",
                    "endpoint": platform.announced["endpoint"],
                    "channels": CHANNELS,
                    "auth": {
                        "grant": "client_credentials",
                        "client_id_file": str(folder / "client_id"),
                        "client_secret_file": str(folder / "client_secret"),
                    },
                    "timing": {"backoff": {"base": "50ms", "cap": "500ms"}},
                }
            ],
        }
        # JSON is YAML.
        (folder / "tieline.yaml").write_text(json.dumps(config, indent=2))

    def start(self):
        config = self._folder / "tieline.yaml"
        self.launch([self._tieline, "run", "--config", config], stdout=subprocess.DEVNULL)

    def drain(self):
        # What readers did of late may be of the one before: this one may not have heard of signals yet.
        until("the sidecar serves", self._serves, [self])
        self.terminate(DRAIN_TIMEOUT + 20)

    def _serves(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(f"{self._folder}/s") == 0

    def tail(self, *start):
        """The epoch, and the events of the journal from a start to its end."""
        command = [self._tieline, "tail", *start, "--until-caught-up", "--json"]
        command += ["--view", "attributes", "--address", self.targets["unix"]]
        done = run([*command, *self._security.tieline])
        opened = re.search(r"journals/\S+ (\S+), events", done.stderr)
        if done.returncode != 0 or not opened:
            raise Failed(f"tieline tail ended with {done.returncode}: {done.stderr.strip()}")
        return opened[1], [json.loads(line) for line in done.stdout.splitlines()]

    def refuses_strangers(self):
        """Nobody reads without a token, by either way."""
        for target in self.targets.values():
            command = [self._tieline, "tail", "--address", target, "--until-caught-up"]
            done = run([*command, *self._security.stranger(target)])
            if done.returncode == 0 or done.stdout or not re.search("MISSING|FORBIDDEN", done.stderr):
                raise Failed(f"without a token, tail ended with {done.returncode}: {done.stderr}")


class Reader(Process):
    """A client program, what it wrote to OUT, and the position in STORE."""

    def __init__(self, name, command, target, folder, security):
        super().__init__(name, folder / f"{name.replace(' ', '-')}.log")
        self.out, self._store = self.log.with_suffix(".out"), self.log.with_suffix(".store")
        self._command = [*shlex.split(command), "--target", target, *security.client(target)]
        self._command += ["--journal", "journals/default", "--store", self._store]
        self._command += ["--out", self.out]
        # Many have a proxy in their environment; a sidecar is not asked through it.
        self._environment = {
            key: value for key, value in os.environ.items() if key.lower() != "no_proxy"
        }
        for name in PROXIES:
            self._environment |= {name: NOBODY, name.upper(): NOBODY}
        self.lines, self._read, self._began = [], 0, 0
        # Before which line it was killed, and what it had stored by then.
        self.marks = {}
        self.stopped = self.killed = 0

    def start(self):
        self._began = self.poll()
        self.launch(self._command, stdout=subprocess.DEVNULL, env=self._environment)

    def poll(self):
        """Reads what it wrote since; how many lines there are."""
        if self.out.exists():
            with open(self.out, "rb") as out:
                out.seek(self._read)
                whole, newline, _ = out.read().rpartition(b"\n")
            self._read += len(whole) + len(newline)
            self.lines += whole.decode().splitlines()
        return len(self.lines)

    def last(self):
        """The sequence of the last line."""
        return int(self.lines[-1].split(" ")[1]) if self.poll() else 0

    def stored(self):
        """The sequence in STORE, which holds a position as the contract writes it: epoch/sequence."""
        text = self._store.read_text().strip() if self._store.exists() else ""
        if not text:
            return 0
        if not re.fullmatch(r"[^/\s]+/\d+", text):
            raise Failed(f"{self.name} stored {text!r}, which is no position: epoch/sequence")
        return int(text.split("/")[1])

    def stop(self):
        """Lets it end, after which it has stored what it wrote."""
        # SIGTERM itself kills what has not got as far as to listen for it.
        early = self.poll() == self._began
        status = self.terminate(20, BY_SIGTERM if early else ())
        self.stopped += 1
        last, stored = self.last(), self.stored()
        # What it wrote before it was killed last is not for this one to store.
        if status == 0 and len(self.lines) > self._began and stored < last:
            raise Failed(f"{self.name} ended having stored {stored} and written {last}")
        if status != 0:
            self._mark()

    def murder(self):
        """SIGKILL: what it wrote after the position that it stored comes again; a line that was cut is
        none."""
        self.kill()
        self.killed += 1
        self._mark()

    def _mark(self):
        line = self.poll()
        if self.out.exists():
            os.truncate(self.out, self._read)
        self.marks[line] = self.stored()
