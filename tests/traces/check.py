"""Traces of the real binary, in a real backend: status 0 or 1.

    check.py --tieline BIN --backend BIN --stubs DIR [--picture FILE]

Starts a simulated platform, the sidecar, a consumer and the backend on loopback, and looks at what the
backend was told. Then the sidecar again, with a collector that is not there and one that never answers.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from ports import free_port

HERE = pathlib.Path(__file__).parent
# No wait is longer.
PATIENCE = 30
DRAIN = 5
# What the last spans may take beyond the drain.
LAST_SPANS = 3
EVENTS = 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tieline", required=True)
    parser.add_argument("--backend", required=True)
    parser.add_argument("--stubs", required=True)
    parser.add_argument("--picture", help="take one of an event's spans in the backend's page")
    return parser.parse_args()


ASKED = arguments()
FAILED = []


def check(what, is_so, found=""):
    print(f"  {'ok   ' if is_so else 'FAILED'} {what}" + ("" if is_so else f": {found}"))
    if not is_so:
        FAILED.append(what)


def environment(variables):
    """Neither a proxy nor traces of somebody else."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.lower().endswith("_proxy") and not key.startswith("OTEL_")
    }
    return kept | variables


@contextlib.contextmanager
def running(command, log, variables=None, **options):
    """A process, which is killed at the end where it has not ended by then."""
    with open(log, "w", encoding="utf-8") as lines:
        process = subprocess.Popen(
            command, stderr=lines, env=environment(variables or {}), text=True, **options
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def configure(platform, folder):
    """The sidecar's configuration for the sandbox, and the address that it will have."""
    address = f"127.0.0.1:{free_port()}"
    folder.mkdir()
    subprocess.run(
        [
            sys.executable, HERE.parent / "clients/python/configure.py", "--sandbox", platform,
            "--grpc", address, "--session", "queue-stats", "--folder", folder,
        ],
        check=True,
    )  # fmt: skip
    return address


def sidecar(folder, variables):
    command = [
        ASKED.tieline, "run", "--config", folder / "tieline.yaml", "--set", f"drain_timeout={DRAIN}s",
    ]  # fmt: skip
    return running(command, folder / "tieline.log", variables)


def consume(folder, address, variables):
    """Runs the consumer, and returns the sequences that it got."""
    waiting = [ASKED.tieline, "wait", "--address", address, "--timeout", f"{PATIENCE}s"]
    subprocess.run(waiting, check=True, env=environment({}))
    command = [
        sys.executable, HERE / "process.py", "--stubs", ASKED.stubs, "--target", address,
        "--events", str(EVENTS),
    ]  # fmt: skip
    with running(command, folder / "consumer.log", variables, stdout=subprocess.PIPE) as consumer:
        out, _ = consumer.communicate(timeout=2 * PATIENCE)
        check("the consumer ended in order", consumer.returncode == 0, consumer.returncode)
    return [int(line) for line in out.split() if line.isdigit()]


def contiguous(sequences):
    return len(sequences) == EVENTS and sequences == list(
        range(sequences[0], sequences[0] + len(sequences))
    )


def end(process):
    """Asks the sidecar to end; how it did, and after how long."""
    began = time.monotonic()
    process.terminate()
    try:
        status = process.wait(DRAIN + LAST_SPANS + PATIENCE)
    except subprocess.TimeoutExpired:
        status = None
    return status, time.monotonic() - began


def spans(page, service):
    """The spans of a service, as Jaeger shows them, by their ids."""
    url = f"{page}/api/traces?service={service}&limit=100000"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        traces = json.load(answer)["data"]
    found = {}
    for trace in traces:
        for span in trace["spans"]:
            span["tags"] = {tag["key"]: tag["value"] for tag in span["tags"]}
            found[(span["traceID"], span["spanID"])] = span
    return found


def named(found, name):
    return {place: span for place, span in found.items() if span["operationName"] == name}


def joined(span):
    return {
        (reference["traceID"], reference["spanID"])
        for reference in span["references"]
        if reference["refType"] == "FOLLOWS_FROM"
    }


def is_joined(found, created):
    return any(joined(span) & set(created) for span in found.values())


def with_a_backend(platform, folder):
    address = configure(platform, folder)
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running([ASKED.backend], folder / "backend.log", **options) as backend:
        otlp, page = (backend.stdout.readline().split()[1] for _ in range(2))
        to_it = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        own = {"OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=pod-1", "OTEL_BSP_SCHEDULE_DELAY": "500"}
        with sidecar(folder, to_it | own) as process:
            sequences = consume(folder, address, to_it | {"OTEL_SERVICE_NAME": "consumer"})
            check("a traced consumer gets every event in order", contiguous(sequences), sequences)
            status, _ = end(process)
            check("the sidecar ends with status 0", status == 0, status)
        # Both have ended, and before that exported all they had.
        ours, theirs = spans(page, "tieline"), spans(page, "consumer")
        created = named(ours, "create journals/default")
        sent = named(ours, "send journals/default")
        processed = named(theirs, "process journals/default")
        look_at(ours, created, sent, processed)
        if ASKED.picture and processed:
            take_picture(page, one_event(created, sent, processed))


def is_own(span):
    """Whether it is of a fact of the sidecar's, which nobody sent."""
    return span["tags"]["cloudevents.event_type"].startswith("tieline.")


def look_at(ours, created, sent, processed):
    names = {span["operationName"] for span in ours.values()}
    for name in ("connect sessions/queue-stats", "refresh sessions/queue-stats"):
        check(f"there is a span '{name}'", name in names, names)
    check("events are created", len(created) >= EVENTS, len(created))
    check("each processed event is a span", len(processed) == EVENTS, len(processed))
    check("what is sent is joined to what was created", is_joined(sent, created), sent)
    check(
        "each process span is joined to the span that its event was created in",
        all(
            len(joined(span) & set(created)) == (0 if is_own(span) else 1)
            for span in processed.values()
        ),
        processed,
    )
    both = [
        place
        for place in created
        if any(place in joined(span) for span in sent.values())
        and any(place in joined(span) for span in processed.values())
    ]
    check("an event is followed from creation over delivery to processing", bool(both), both)
    for place in both[:1]:
        of_one(created[place], [s for s in processed.values() if place in joined(s)][0])


def of_one(created, processed):
    tags = created["tags"]
    wanted = {
        "messaging.system": "tieline",
        "messaging.operation.name": "create",
        "messaging.operation.type": "create",
        "messaging.destination.name": "journals/default",
        "tieline.session": "sessions/queue-stats",
        "messaging.message.id": processed["tags"]["messaging.message.id"],
        "tieline.sequence": processed["tags"]["tieline.sequence"],
    }
    found = {key: tags.get(key) for key in wanted}
    check("its attributes say what was created and where", found == wanted, found)


def one_event(created, sent, processed):
    """The places of three spans of one event: created, sent alone, processed."""
    return next(
        (place, one, other)
        for place in created
        for one, span in sent.items()
        if joined(span) == {place}
        for other, span in processed.items()
        if place in joined(span)
    )


def take_picture(page, places):
    urls = [f"{page}/trace/{trace}?uiFind={span}" for trace, span in places]
    command = [
        "node", HERE / "picture.cjs", "--chromium", shutil.which("chromium"), "--out", ASKED.picture, "--url", *urls,
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=4 * PATIENCE)


def with_a_bad_collector(platform, folder, endpoint, protocol):
    address = configure(platform, folder)
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    with sidecar(folder, variables) as process:
        sequences = consume(folder, address, {"OTEL_SDK_DISABLED": "true"})
        check("every event is delivered in order", contiguous(sequences), sequences)
        status, took = end(process)
        check("the sidecar ends with status 0", status == 0, status)
        # What is no bound of ours: the start of a process, a loaded machine.
        bound = DRAIN + LAST_SPANS + 2
        check(f"and within {DRAIN} + {LAST_SPANS} s", took < bound, f"{took:.1f} s")


def main():
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        command = [
            ASKED.tieline, "sandbox", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0",
            "--rate", "20", "--json",
        ]  # fmt: skip
        try:
            with running(command, scratch / "sandbox.log", stdout=subprocess.PIPE) as sandbox:
                platform = sandbox.stdout.readline()
                print("a backend for traces")
                with_a_backend(platform, scratch / "backend")
                print("a collector that is not there")
                nowhere = f"http://127.0.0.1:{free_port()}"
                with_a_bad_collector(platform, scratch / "nowhere", nowhere, "grpc")
                with socket.create_server(("127.0.0.1", 0)) as silent:
                    there = f"http://127.0.0.1:{silent.getsockname()[1]}"
                    for protocol in ("grpc", "http/protobuf"):
                        print(f"a collector that never answers {protocol}")
                        place = scratch / protocol.replace("/", "-")
                        with_a_bad_collector(platform, place, there, protocol)
        finally:
            if FAILED or sys.exc_info()[0]:
                for log in sorted(scratch.glob("**/*.log")):
                    print(f"--- {log.relative_to(scratch)}")
                    print("\n".join(log.read_text(encoding="utf-8").splitlines()[-20:]))
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
