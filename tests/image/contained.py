"""Runs the image as a container: its own process 1, a read-only root, no privilege, volumes for what it
writes; against a simulated platform over TLS, found by DNS, until a reader has events; then SIGTERM.

Expects to be root in namespaces of its own for mounts and the network.
"""

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

# The name in the sandbox's certificate that no file of the container knows: DNS has to answer.
NAME = "sandbox.invalid"
LONGEST = 30
EVENTS = 20
GROUP_WRITES = 0o2775
# Of the volumes: a journal begins with a segment, and keeps 256 MiB of its volume free.
ROOM = "1g"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
CLONE_NEWPID = 0x20000000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
LIBC = ctypes.CDLL(None, use_errno=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("root", "config", "scratch"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    return parser.parse_args()


def must(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def mount(source, target, kind, flags, options=""):
    must(LIBC.mount(str(source).encode(), str(target).encode(), kind.encode(), flags, options.encode()), f"mount {target}")


def ok(what):
    print(f"  ok    {what}", flush=True)


class Resolver(threading.Thread):
    """A name server that knows one name, at the address where resolv.conf says."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.53", 53))
        self.asked = set()

    def run(self):
        while True:
            question, caller = self.socket.recvfrom(4096)
            labels, at = [], 12
            while length := question[at]:
                labels.append(question[at + 1 : at + 1 + length].decode())
                at += 1 + length
            kind = struct.unpack("!H", question[at + 1 : at + 3])[0]
            name = ".".join(labels).lower()
            self.asked.add(name)
            known = name == NAME and kind == 1
            answer = struct.pack("!HHHLH", 0xC00C, 1, 1, 1, 4) + bytes([127, 0, 0, 1]) if known else b""
            flags = 0x8180 if name == NAME else 0x8183
            head = question[:2] + struct.pack("!HHHHH", flags, 1, int(known), 0, 0)
            self.socket.sendto(head + question[12 : at + 5] + answer, caller)


def sandbox(program, scratch):
    """The platform, outside the container. Returns it and what it announces."""
    authority = scratch / "authority.pem"
    platform = subprocess.Popen(
        [program, "sandbox", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--rate", "50", "--json",
         "--tls-ca-out", authority],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )
    ready, _, _ = select.select([platform.stdout], [], [], LONGEST)
    assert ready, "the sandbox did not say where it is"
    return platform, json.loads(platform.stdout.readline()), authority


def configure(folder, announced):
    """What a ConfigMap and a Secret would hold."""
    folder.mkdir()
    for name in ("client_id", "client_secret"):
        (folder / name).write_text(announced[name])
    port = announced["endpoint"].rstrip("/").rsplit(":", 1)[1]
    config = {
        "listen": {"grpc": ["unix:/run/tieline/tieline.sock"], "health": "127.0.0.1:7444", "admin": []},
        "sessions": [
            {
                "name": "queue-stats",
                "platform": "genesys-events",
                "endpoint": f"https://{NAME}:{port}",
                "channels": ["routing.queueStats", "routing.agentEvent", "platform.connectionEvent"],
                "auth": {
                    "grant": "client_credentials",
                    "client_id_file": "/etc/tieline/client_id",
                    "client_secret_file": "/etc/tieline/client_secret",
                },
            }
        ],
    }
    # JSON is YAML.
    (folder / "tieline.yaml").write_text(json.dumps(config, indent=2))


def root_file_system(root, group, folder, trusted, scratch):
    """Mounts what the kubelet would, then nothing of the image can be written any more."""
    (scratch / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:1 attempts:2\n")
    (scratch / "hosts").write_text("127.0.0.1 localhost\n")
    for name in ("proc", "dev"):
        (root / name).mkdir()
    for name in ("etc/resolv.conf", "etc/hosts"):
        (root / name).touch()
    mount(root, root, "", MS_BIND)
    flags = MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV
    mount(root, root, "", MS_REMOUNT | flags)
    shown = [(folder, "etc/tieline"), (trusted, "etc/ssl/certs/ca-certificates.crt")]
    shown += [(scratch / name, f"etc/{name}") for name in ("resolv.conf", "hosts")]
    for source, target in shown:
        mount(source, root / target, "", MS_BIND)
        mount(source, root / target, "", MS_REMOUNT | flags)
    # What every runtime of the OCI gives.
    mount("tmpfs", root / "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=755")
    for name in DEVICES:
        (root / "dev" / name).touch()
        mount(f"/dev/{name}", root / "dev" / name, "", MS_BIND)
    for target in ("run/tieline", "var/lib/tieline"):
        options = f"size={ROOM},uid=0,gid={group},mode={GROUP_WRITES:o}"
        mount("tmpfs", root / target, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)


def become(root, user, group):
    """Enters the root and gives away every privilege, for good."""
    os.chroot(root)
    os.chdir("/")
    must(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    last = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text()) if os.path.exists("/proc/sys") else 40
    for capability in range(last + 1):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([group])
    os.setgid(group)
    os.setuid(user)


def enter(root, process, arguments):
    """In a child: becomes what the container runs."""
    user, group = process["user"]["uid"], process["user"]["gid"]
    environment = dict(entry.split("=", 1) for entry in process["env"])
    try:
        if os.getpid() == 1:
            mount("proc", root / "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        become(root, user, group)
        os.execve(arguments[0], arguments, environment)
    except BaseException as problem:
        print(f"start in the container: {problem!r}", file=sys.stderr, flush=True)
    os._exit(125)


def executed(root, process, arguments):
    """Runs a command beside what the container runs, as a probe does, and returns how it ended."""
    child = os.fork()
    if child == 0:
        enter(root, process, arguments)
    return ended(child)


def container(root, process):
    """Starts the container. Returns its process 1 as it is known here, and who ends with its status."""
    told, tell = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        must(LIBC.unshare(CLONE_NEWPID), "a namespace for processes")
        first = os.fork()
        if first == 0:
            enter(root, process, process["args"])
        os.write(tell, str(first).encode())
        os.close(tell)
        status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        os._exit(status if status >= 0 else 128 - status)
    os.close(tell)
    with os.fdopen(told) as said:
        return int(said.read()), keeper


def ended(child):
    """The status it ended with; kills what takes long."""
    descriptor = os.pidfd_open(child)
    try:
        done, _, _ = select.select([descriptor], [], [], LONGEST)
    finally:
        os.close(descriptor)
    if not done:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert done, f"process {child} did not end within {LONGEST} s"
    return status


def without_privilege(running, user):
    """What the kernel says of it."""
    lines = pathlib.Path(f"/proc/{running}/status").read_text().splitlines()
    said = dict(line.split(":", 1) for line in lines)
    assert set(said["Uid"].split()) | set(said["Gid"].split()) == {str(user)}, said["Uid"] + said["Gid"]
    held = {name: int(said[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    assert not any(held.values()) and int(said["NoNewPrivs"]) == 1, f"{held}, NoNewPrivs {said['NoNewPrivs']}"


def cannot_write(root, process):
    """As the user of the container, tries every folder of the image."""
    child = os.fork()
    if child == 0:
        become(root, process["user"]["uid"], process["user"]["gid"])
        written = 0
        for folder, _, _ in os.walk("/"):
            if folder.startswith(("/proc", "/run/tieline", "/var/lib/tieline")):
                continue
            try:
                with open(f"{folder}/probe", "w"):
                    written += 1
            except OSError:
                continue
        os._exit(min(written, 100))
    return ended(child) == 0


def read(program, root, *more):
    """What a reader outside gets through the socket of the shared volume."""
    target = f"unix:{root}/run/tieline/tieline.sock"
    until = time.monotonic() + LONGEST
    tail = subprocess.Popen(
        [program, "tail", "--address", target, "--json", *more], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    events = []
    try:
        while len(events) < EVENTS:
            ready, _, _ = select.select([tail.stdout], [], [], max(0, until - time.monotonic()))
            assert ready, f"{len(events)} events within {LONGEST} s"
            line = tail.stdout.readline()
            assert line, "the reader ended"
            events.append(json.loads(line))
    finally:
        tail.terminate()
        tail.wait(LONGEST)
    return events


def main():
    asked = arguments()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    process = json.loads(asked.config.read_text())["process"]
    # The same program from outside the root, for the platform and the reader.
    program = asked.scratch / "tieline"
    program.write_bytes((asked.root / "tieline").read_bytes())
    program.chmod(0o755)
    resolver = Resolver()
    resolver.start()
    platform, announced, trusted = sandbox(program, asked.scratch)
    try:
        folder = asked.scratch / "configuration"
        configure(folder, announced)
        root_file_system(asked.root, process["user"]["gid"], folder, trusted, asked.scratch)
        assert cannot_write(asked.root, process), "a folder of the image can be written to"
        ok("no folder of the image can be written to")
        first = None
        for turn in ("an empty volume", "the volume of the container before"):
            running, keeper = container(asked.root, process)
            try:
                subprocess.run(
                    [program, "wait", "--address", f"unix:{asked.root}/run/tieline/tieline.sock", "--timeout", f"{LONGEST}s"],
                    check=True,
                )
                without_privilege(running, process["user"]["uid"])
                events = read(program, asked.root, "--earliest")
                healthy = executed(asked.root, process, ["/tieline", "healthcheck", "--address", "unix:/run/tieline/tieline.sock"])
                assert healthy == 0, f"tieline healthcheck ended with {healthy}"
                os.kill(running, signal.SIGTERM)
                status = ended(keeper)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running, signal.SIGKILL)
                raise
            assert status == 0, f"it ended with {status} after SIGTERM"
            ok(f"{turn}: {len(events)} events by TLS from a name that DNS knows, healthy, no privilege, 0 at SIGTERM")
            first = first or events[0]
            assert events[0] == first, "the journal was not found again"
        assert NAME in resolver.asked, "DNS was not asked"
    finally:
        platform.terminate()
        platform.wait(LONGEST)


if __name__ == "__main__":
    main()
