"""`buf curl` against a running Tieline, with its schema from reflection: status 0 or 1.

    buf_curl.py --buf BUF --target 127.0.0.1:7443 --session queue-stats
    buf_curl.py --buf BUF --target unix:/run/tieline/tieline.sock --session queue-stats
"""

import argparse
import base64
import json
import subprocess
import sys

from expect import Wrong, contiguous, equal, expect, run


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--buf", required=True, help="the buf binary")
    parser.add_argument("--target", required=True, help="HOST:PORT or unix:PATH")
    parser.add_argument("--journal", default="default")
    parser.add_argument("--session", required=True)
    return parser.parse_args()


ARGUMENTS = arguments()
JOURNAL = f"journals/{ARGUMENTS.journal}"
SESSION = f"sessions/{ARGUMENTS.session}"


def buf(method, request=None, options=()):
    """Runs one call; its exit status, the JSON values it printed, and what it said of errors."""
    command = [ARGUMENTS.buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge", *options]
    host = ARGUMENTS.target
    if host.startswith("unix:"):
        command += ["--unix-socket", host.removeprefix("unix:")]
        host = "tieline"
    if request is not None:
        command += ["--data", json.dumps(request)]
    command.append(f"http://{host}/{method}".rstrip("/"))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
    )
    return done.returncode, done.stdout, done.stderr


def call(method, request):
    """The responses of a call that has to succeed."""
    code, out, err = buf(method, request)
    expect(code == 0, f"{method} ended with {code}: {err.strip()}")
    decoder, responses, rest = json.JSONDecoder(), [], out.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        responses.append(value)
        rest = rest[end:].lstrip()
    return responses


def lists_services():
    code, out, err = buf("", options=["--list-services"])
    expect(code == 0, err)
    services = ("EventService", "MessagingService", "SessionService", "SubscriptionService")
    for name in (f"tieline.v1.{service}" for service in services):
        expect(name in out.split(), f"{name} is not among {out.split()}")


def lists_journals():
    (response,) = call("tieline.v1.EventService/ListJournals", {})
    names = [journal["name"] for journal in response["journals"]]
    expect(JOURNAL in names, f"{JOURNAL} is not among {names}")


def lists_sessions():
    (response,) = call("tieline.v1.SessionService/ListSessions", {})
    names = [session["name"] for session in response["sessions"]]
    expect(SESSION in names, f"{SESSION} is not among {names}")


def checks_health():
    for name in ("", "tieline.v1.EventService", JOURNAL):
        (response,) = call("grpc.health.v1.Health/Check", {"service": name})
        equal(response["status"], "SERVING", f"health of '{name}'")


def history(start):
    request = {"journal": JOURNAL, "untilCaughtUp": True, **start}
    responses = call("tieline.v1.EventService/Subscribe", request)
    events = [event for response in responses for event in response.get("events", [])]
    return responses, events


def subscribes_and_resumes():
    responses, events = history({"preset": "START_PRESET_EARLIEST"})
    opened = responses[0]["opened"]
    sequences = [int(event["sequence"]) for event in events]
    contiguous(sequences, int(opened["earliestSequence"]), "history")
    middle = sequences[len(sequences) // 2]
    _, later = history({"after": {"epoch": opened["epoch"], "sequence": middle}})
    suffix = [event for event in events if int(event["sequence"]) > middle]
    equal(later[: len(suffix)], suffix, f"suffix after {middle}")
    return f"{len(events)} events"


def keeps_a_cursor():
    """A subscription as the README shows it: made, read by, committed, read by again, deleted."""
    service = "tieline.v1.SubscriptionService"
    name = "subscriptions/buf-curl"
    draft = {"journal": JOURNAL, "maxRetainedBytes": 268435456}
    start = {"subscriptionId": "buf-curl", "start": "START_PRESET_EARLIEST", "subscription": draft}
    (made,) = call(f"{service}/CreateSubscription", start)
    equal(made["subscription"]["name"], name, "name")
    # Where one of that name was deleted before, leases go on.
    former = int(made["subscription"].get("lease", 0))
    for again in (False, True):
        responses, events = history({"subscription": name})
        opened = responses[0]["opened"]
        lease = int(opened["lease"])
        equal(lease, former + 1, "lease")
        former = lease
        if again:
            equal(int(opened["start"]["sequence"]), through, "start after the commit")
            equal([e for e in events if int(e["sequence"]) <= through], [], "events again")
        through = int(responses[-1]["throughSequence"])
        position = {"epoch": opened["epoch"], "sequence": through}
        commit = {"name": name, "lease": lease, "position": position}
        (done,) = call(f"{service}/CommitSubscription", commit)
        equal(int(done["committed"]["sequence"]), through, "committed")
    (listed,) = call(f"{service}/ListSubscriptions", {})
    expect(name in [one["name"] for one in listed["subscriptions"]], "it is listed")
    call(f"{service}/DeleteSubscription", {"name": name})
    return f"committed {through}"


def shows_the_reason_of_a_refusal():
    method = "tieline.v1.EventService/Subscribe"
    code, _, err = buf(method, {"journal": JOURNAL})
    expect(code != 0, "a Subscribe without a start succeeded")
    try:
        error = json.loads(err)
    except ValueError as wrong:
        raise Wrong(f"not JSON: {err}") from wrong
    equal(error["code"], "invalid_argument", "code")
    details = {detail["type"]: detail["value"] for detail in error["details"]}
    info = base64.b64decode(details["google.rpc.ErrorInfo"] + "==")
    expect(b"START_REQUIRED" in info, f"no reason in {info}")


CHECKS = (
    lists_services,
    lists_journals,
    lists_sessions,
    checks_health,
    subscribes_and_resumes,
    keeps_a_cursor,
    shows_the_reason_of_a_refusal,
)

if __name__ == "__main__":
    sys.exit(1 if run(f"buf over {ARGUMENTS.target.split(':')[0]}", CHECKS) else 0)
