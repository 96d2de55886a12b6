"""The Kafka pipeline while it, the sidecar and the broker are killed: see tests/kafka/run.

Three acts: kills, then the topic against the journal; another journal, then the records of the gap; the
pipeline with a planted mistake, which has to be found.
"""

import argparse
import json
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import compare
from ports import free_port

PATIENCE = 120.0
RATE = 100
# So many kills at most until the planted mistake is found: each finds it in about a third of cases.
PLANTED_KILLS = 60
FENCED = 3
ACTS = ["kills", "another_journal", "planted"]


class Check:
    """Everything that runs, and what was wrong."""

    def __init__(self, asked):
        self.asked = asked
        self.folder = asked.folder
        self.rng = random.Random(asked.seed)
        self.running = {}
        self.problems = []
        self.broker_at = f"127.0.0.1:{free_port(2)}"
        self.target = f"unix:{self.folder}/tieline.sock"

    # --- processes ---

    def start(self, name, *command, **more):
        log = open(self.folder / f"{name}.log", "ab")
        self.running[name] = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stderr=log, **{"stdout": log, **more}
        )
        log.close()

    def end(self, name, how=signal.SIGTERM):
        process = self.running.pop(name)
        process.send_signal(how)
        return process.wait(timeout=PATIENCE)

    def end_all(self):
        for name in reversed(list(self.running)):
            try:
                self.end(name)
            except subprocess.TimeoutExpired:
                self.running.get(name, None)

    def until(self, what, holds, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while not holds():
            for name, process in self.running.items():
                if process.poll() is not None:
                    raise Failed(f"{name} ended with {process.returncode}")
            if time.monotonic() > deadline:
                raise Failed(f"{what}: not within {patience:.0f} s")
            time.sleep(0.02)

    def ok(self, what, problems=()):
        for problem in problems:
            self.problems.append(f"{what}: {problem}")
        print(f"  {'FAILED' if problems else 'ok   '} {what}{''.join(f'; {p}' for p in problems)}", flush=True)

    # --- the parts ---

    def start_broker(self):
        port = self.broker_at.rpartition(":")[2]
        self.start("broker", self.asked.broker, self.folder / "broker", port)

    def start_sandbox(self):
        command = [self.asked.tieline, "sandbox", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        self.start(
            "sandbox", *command, "--rate", RATE, "--payload", 300, "--json", stdout=subprocess.PIPE, text=True
        )
        self.sandbox = json.loads(self.running["sandbox"].stdout.readline())
        config = {
            "listen": {"grpc": [self.target], "health": "", "admin": []},
            "journals": [{"name": "default", "path": str(self.folder / "journal")}],
            "sessions": [
                {
                    "name": "queue-stats",
                    "platform": "genesys-events",
                    "endpoint": self.sandbox["endpoint"],
                    "channels": ["routing.queueStats", "routing.agentEvent", "platform.connectionEvent"],
                    "auth": {
                        "grant": "client_credentials",
                        "client_id_file": self.secret("client_id"),
                        "client_secret_file": self.secret("client_secret"),
                    },
                }
            ],
        }
        # JSON is YAML.
        (self.folder / "tieline.yaml").write_text(json.dumps(config))

    def secret(self, name):
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(self.sandbox[name])
        return str(file)

    def start_sidecar(self):
        self.start("sidecar", self.asked.tieline, "run", "--config", self.folder / "tieline.yaml")

    def start_pipeline(self, name="pipeline", binary=None, topic="events"):
        self.start(
            name,
            binary or self.asked.pipeline,
            *("-target", self.target, "-brokers", self.broker_at, "-name", topic),
            *("-topic", topic, "-positions", f"{topic}.positions", "-partitions", "4"),
        )

    def restart(self, name, **more):
        {"broker": self.start_broker, "sidecar": self.start_sidecar, "pipeline": self.start_pipeline}[name](**more)

    def rate(self, per_second):
        request = urllib.request.Request(
            f"{self.sandbox['control']}/rate",
            json.dumps({"per_second": per_second}).encode(),
            {"content-type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=10):
            pass

    # --- what is so ---

    def journal(self):
        """Every event that there is."""
        done = subprocess.run(
            [self.asked.tieline, "tail", "--address", self.target, "--earliest", "--until-caught-up", "--json"],
            capture_output=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        return [json.loads(line) for line in done.stdout.splitlines()]

    def records(self, topic):
        done = subprocess.run(
            ["java", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{self.asked.libraries}/*",
             pathlib.Path(__file__).parent / "Topic.java", self.broker_at, topic],
            capture_output=True, timeout=2 * PATIENCE, check=True,
        )  # fmt: skip
        return compare.records_of(done.stdout.splitlines())

    def committed(self, name="pipeline"):
        """Epoch and sequence of the last commit that the pipeline told."""
        with open(self.folder / f"{name}.log", "rb") as log:
            log.seek(max(0, log.seek(0, 2) - 65536))
            for line in reversed(log.read().splitlines()):
                if b'"Committed"' in line and line.endswith(b"}") and line.startswith(b"{"):
                    epoch, _, sequence = json.loads(line)["position"].rpartition("/")
                    return epoch, int(sequence)
        return "", 0

    def progress(self, name="pipeline"):
        was = self.committed(name)
        self.until(f"progress of the {name}", lambda: self.committed(name) != was)

    def drained(self):
        """The journal at rest, once the pipeline has all of it."""
        for _ in range(20):
            journal = self.journal()
            last = journal[-1]["sequence"]
            self.until("the pipeline has everything", lambda: self.committed()[1] >= last)
            if self.journal()[-1]["sequence"] == last:
                return journal
        raise Failed("the journal does not come to rest")

    def compared(self, journal, epoch, records):
        """What is wrong with the records. What was journaled since the journal was read may have one."""
        told = {record.sequence for record in records if record.epoch == epoch}
        last = journal[-1]["sequence"]
        since = [event for event in self.journal() if event["sequence"] > last and event["sequence"] in told]
        return compare.problems_of(journal + since, epoch, records)

    # --- the acts ---

    def run(self):
        self.start_broker()
        self.start_sandbox()
        self.start_sidecar()
        self.until("the broker", lambda: answers(self.broker_at))
        self.start_pipeline()
        for act in self.asked.acts:
            getattr(self, act)()

    def kills(self):
        plan = self.plan()
        for victim, soon in plan:
            if not soon:
                self.progress()
            time.sleep(self.rng.uniform(0, 0.5 if soon else 1.0))
            self.end(victim, signal.SIGKILL)
            self.restart(victim)
        self.progress()

        # The name is taken over by another, and the one before stops.
        self.running["before"] = self.running.pop("pipeline")
        self.start_pipeline()
        status = self.running["before"].wait(timeout=PATIENCE)
        del self.running["before"]
        self.ok("who is taken over from ends, and says so", [] if status == FENCED else [f"status {status}"])

        self.progress()
        self.rate(0)
        journal = self.drained()
        records, offsets = self.records("events")
        epoch = self.committed()[0]
        counts = ", ".join(f"{sum(v == name for v, _ in plan)} of the {name}" for name in dict(plan))
        self.ok(
            f"{len(plan)} kills ({counts}): {len(journal)} events of the journal, "
            f"{len(records)} records, {offsets - len(records)} offsets of markers and of what was aborted",
            self.compared(journal, epoch, records),
        )

    def plan(self):
        """Who is killed, and whether right after a start: everybody at least once."""
        victims = ["broker", "sidecar", "pipeline"]
        victims += self.rng.choices(["pipeline", "sidecar", "broker"], [12, 5, 1], k=self.asked.kills)
        victims = victims[: max(3, self.asked.kills)]
        self.rng.shuffle(victims)
        return [(victim, self.rng.random() < 0.25) for victim in victims]

    def another_journal(self):
        self.until("a commit", lambda: self.committed()[0])
        before = self.committed()[0]
        self.end("sidecar")
        (self.folder / "journal").rename(self.folder / "journal.before")
        self.start_sidecar()
        self.rate(RATE)
        self.until("events of the other journal", lambda: self.committed()[0] not in ("", before))
        self.progress()
        self.rate(0)
        journal = self.drained()
        after = self.committed()[0]
        status = self.end("pipeline")
        records, _ = self.records("events")
        problems = self.compared(journal, after, records) + compare.gap_problems(records, before, after)
        if status != 0:
            problems.append(f"the pipeline ended with {status} after SIGTERM")
        self.ok("another journal: a record of the gap in each partition, and everything behind it", problems)

    def planted(self):
        self.rate(RATE)
        self.start_pipeline("planted", self.asked.planted, "planted")
        for kill in range(1, PLANTED_KILLS + 1):
            self.progress("planted")
            time.sleep(self.rng.uniform(0, 0.2))
            self.end("planted", signal.SIGKILL)
            self.start_pipeline("planted", self.asked.planted, "planted")
            if kill % 5 == 0:
                records, _ = self.records("planted")
                epoch = self.committed("planted")[0]
                found = compare.problems_of(self.journal(), epoch, records)
                doubled = [problem for problem in found if "doubled" in problem]
                if doubled:
                    self.ok(f"a planted mistake is found after {kill} kills: {doubled[0]}")
                    return
        self.ok("a planted mistake is found", [f"not within {PLANTED_KILLS} kills"])


class Failed(Exception):
    """It cannot go on."""


def answers(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("tieline", "broker", "libraries", "pipeline", "planted", "folder"):
        parser.add_argument(f"--{name}", required=True, type=lambda text: pathlib.Path(text).absolute())
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--acts", nargs="+", choices=ACTS, default=ACTS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    check = Check(asked)
    # Asked to end, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        check.run()
    except (Failed, subprocess.SubprocessError, OSError) as error:
        check.problems.append(str(error))
        for output in (getattr(error, "stderr", None), getattr(error, "stdout", None)):
            print((output or b"").decode()[-2000:])
    finally:
        check.end_all()
    if check.problems:
        for log in sorted(asked.folder.glob("*.log")):
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-12:], sep="\n")
    for problem in check.problems:
        print(f"FAILED: {problem}")
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main())
