"""The adherence alert end to end: a simulated contact centre in which nothing happens but what is ordered
here, the real sidecar, and the alert as a process that is killed and begun again.

    adherence.py --tieline BINARY --folder DIR      with clients/python and the alert on PYTHONPATH
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import datetime, timedelta, timezone

PATIENCE = 30.0
TOLERANCE = 2


class Stage:
    """The processes, and what the alert has said."""

    def __init__(self, asked):
        self.tieline, self.folder = asked.tieline, asked.folder
        self.target = f"unix:{self.folder}/tieline.sock"
        self.running = {}
        self.read = 0

    def start(self, name, *command, **more):
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, **{"stdout": log, "stderr": log, **more}
        )
        log.close()
        self.running[name] = process

    def end(self, name, how=signal.SIGTERM):
        process = self.running.pop(name)
        process.send_signal(how)
        return process.wait(timeout=PATIENCE)

    def open(self):
        command = [self.tieline, "sandbox", "--platform", "genesys-notifications", "--users", "3"]
        command += ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--rate", "0", "--json"]
        self.start("sandbox", *command, stdout=subprocess.PIPE, text=True)
        told = json.loads(self.running["sandbox"].stdout.readline())
        self.control = told["control"]
        config = {
            "listen": {"grpc": [self.target], "health": "", "admin": []},
            "journals": [{"name": "default", "path": str(self.folder / "journal")}],
            "sessions": [
                {
                    "name": "contact-centre",
                    "platform": "genesys-notifications",
                    "endpoint": told["endpoint"],
                    "topics": [{"v2.users.{id}?presence&routingStatus": "all"}],
                    "timing": {"backoff": {"base": "200ms", "cap": "1s"}},
                    "auth": {
                        "grant": "client_credentials",
                        "client_id_env": "CLIENT_ID",
                        "client_secret_env": "CLIENT_SECRET",
                    },
                }
            ],
        }
        os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"] = told["client_id"], told["client_secret"]
        # JSON is YAML.
        (self.folder / "tieline.yaml").write_text(json.dumps(config))
        self.start_sidecar()
        users = self.ask("GET", "world")["users"]
        self.agents = sorted(users)
        now = datetime.now(timezone.utc)
        shift = {
            "from": (now - timedelta(hours=1)).strftime("%H:%M:%S"),
            "to": (now + timedelta(hours=1)).strftime("%H:%M:%S"),
            "activity": "on_queue",
        }
        agents = {agent: {"name": users[agent]["name"], "shifts": [shift]} for agent in self.agents[:2]}
        (self.folder / "schedule.yaml").write_text(json.dumps({"tolerance": f"{TOLERANCE}s", "agents": agents}))
        self.start_alert()

    def start_sidecar(self):
        self.start("sidecar", self.tieline, "run", "--config", self.folder / "tieline.yaml")
        command = [self.tieline, "wait", "--address", self.target, "--timeout", "30s"]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
        self.until("the session is connected", lambda: self.facts("connected"))

    def start_alert(self):
        out = open(self.folder / "said", "ab")
        command = [sys.executable, "-m", "adherence", "--schedule", self.folder / "schedule.yaml"]
        command += ["--state", self.folder / "state.json", "--target", self.target]
        self.start("alert", *command, stdout=out)
        out.close()

    def facts(self, kind):
        """How many facts of a kind the sidecar has told."""
        command = [self.tieline, "tail", "--address", self.target, "--earliest", "--until-caught-up", "--json"]
        command += ["--filter", f"type=tieline.session.{kind}.v1", "--filter-sidecar-events"]
        done = subprocess.run([str(part) for part in command], capture_output=True, check=True, timeout=PATIENCE)
        return len(done.stdout.splitlines())

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.control}/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def presence(self, agent, presence):
        self.ask("POST", "changes", {"change": "presence", "user": agent, "presence": presence})

    def until(self, what, holds):
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {PATIENCE:.0f} s")
            time.sleep(0.05)
        print(f"  ok    {what}", flush=True)

    def said(self, kind, agent=None):
        """What was said of that kind, from the beginning."""
        lines = (self.folder / "said").read_text().splitlines()
        told = [json.loads(line) for line in lines if line.endswith("}")]
        return [line for line in told if line["kind"] == kind and (agent is None or line.get("agent") == agent)]

    def saved(self, agent):
        """What the state file holds of an agent."""
        return json.loads((self.folder / "state.json").read_text())["state"]["agents"][agent]

    def counts(self, **expected):
        """Whether these are the numbers that were told last."""
        told = self.said("status")
        return bool(told) and all(told[-1][name] == count for name, count in expected.items())


def play(stage):
    stage.open()
    ada, grace, stranger = stage.agents
    for agent in (ada, grace):
        stage.presence(agent, "ON_QUEUE")
    stage.until("who is on queue keeps to it", lambda: stage.counts(kept=2, out=0))

    stage.presence(stranger, "MEAL")
    stage.presence(ada, "MEAL")
    stage.until("who leaves the queue makes an alert", lambda: stage.said("alert", ada))
    [alert] = stage.said("alert")
    lasted = datetime.fromisoformat(alert["at"]) - datetime.fromisoformat(alert["out_since"])
    assert alert["certain"] and alert["wanted"] == "on_queue" and alert["availability"] == "away", alert
    assert timedelta(seconds=TOLERANCE) <= lasted < timedelta(seconds=TOLERANCE + 10), alert

    # Printed first, then saved: killed between the two it would tell it again.
    stage.until("which is saved", lambda: stage.saved(ada)["alerted"])
    stage.end("alert", signal.SIGKILL)
    stage.presence(grace, "BREAK")
    stage.start_alert()
    stage.until("killed and begun again, it tells what happened meanwhile", lambda: stage.said("alert", grace))
    stage.presence(ada, "ON_QUEUE")
    stage.until("and knows whom it told of", lambda: stage.said("back", ada))
    assert len(stage.said("alert", ada)) == 1, stage.said("alert", ada)

    stage.ask("PUT", "faults/websocket_reset", {"count": 1})
    stage.presence(ada, "ON_QUEUE")
    stage.until("a gap at the platform makes what is known uncertain", lambda: stage.said("uncertain"))
    stage.until("until the sidecar has filled it", lambda: stage.said("certain"))

    stage.end("sidecar")
    (stage.folder / "journal").rename(stage.folder / "journal.before")
    stage.until("without the sidecar, it says that it hears nothing", lambda: silent(stage))
    stage.start_sidecar()
    stage.until("of another journal, all is uncertain", lambda: another(stage))
    settled = len(stage.said("certain"))
    stage.presence(ada, "MEAL")
    stage.until("until something fresh comes", lambda: len(stage.said("certain")) > settled)
    stage.until("of whom an alert is certain again", lambda: len(stage.said("alert", ada)) == 2)
    assert stage.said("alert", ada)[-1]["certain"], stage.said("alert", ada)

    status = stage.end("alert")
    assert status == 0, f"it ended with {status} after SIGTERM"


def silent(stage):
    return any("nothing is known" in told["text"] for told in stage.said("away"))


def another(stage):
    return any("another one" in told["text"] for told in stage.said("uncertain"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tieline", required=True, type=pathlib.Path)
    parser.add_argument("--folder", required=True, type=pathlib.Path)
    stage = Stage(parser.parse_args())
    stage.folder.mkdir(exist_ok=True)
    # Asked to end, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        play(stage)
    except (AssertionError, subprocess.SubprocessError, OSError) as error:
        print(f"FAILED: {error}")
        for log in [*sorted(stage.folder.glob("*.log")), stage.folder / "said"]:
            if log.exists():
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-15:], sep="\n")
        return 1
    finally:
        for name in reversed(list(stage.running)):
            stage.end(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
