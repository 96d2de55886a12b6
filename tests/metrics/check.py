"""What tests/metrics/run does in Python: writes configurations, reads scrapes, and asks Prometheus."""

import argparse
import json
import pathlib
import re
import time
import urllib.parse
import urllib.request

from ports import free_port

OPEN_METRICS = "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"
PATIENCE = 60.0
# All of the sandbox: an event that it skips is then one that is missed.
CHANNELS = ["routing.queueStats", "routing.agentEvent", "platform.connectionEvent"]


def configure(args):
    sandbox = json.loads(args.sandbox)
    folder = pathlib.Path(args.folder)
    (folder / "id").write_text(sandbox["client_id"])
    (folder / "secret").write_text(sandbox["client_secret"])
    names = ("grpc", "health", "prometheus_address")
    first = free_port(len(names))
    addresses = {name: f"127.0.0.1:{first + n}" for n, name in enumerate(names)}
    (folder / "tieline.yaml").write_text(
        json.dumps(
            {
                "listen": {"grpc": [addresses["grpc"]], "health": addresses["health"], "admin": []},
                "journals": [{"name": "default", "path": str(folder / "journal")}],
                "sessions": [
                    {
                        "name": "cc",
                        "platform": "genesys-events",
                        "endpoint": sandbox["endpoint"],
                        "channels": CHANNELS,
                        "auth": {
                            "grant": "client_credentials",
                            "client_id_file": str(folder / "id"),
                            "client_secret_file": str(folder / "secret"),
                        },
                    }
                ],
            }
        )
    )
    addresses["control"] = sandbox["control"]
    lines = [f"{value}\n" for value in addresses.values()]
    (folder / "addresses").write_text("".join(lines))


def fetch(url, accept=None, data=None, method=None):
    headers = {"Accept": accept} if accept else {}
    if data is not None:
        data, headers["Content-Type"] = json.dumps(data).encode(), "application/json"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers.get("Content-Type", ""), answer.read().decode()


def until(what, ask, told=str):
    deadline = time.monotonic() + PATIENCE
    while True:
        found = ask()
        if found:
            print(f"  ok    {what}: {told(found)}")
            return found
        if time.monotonic() > deadline:
            raise SystemExit(f"  FAIL  waited in vain for: {what}")
        time.sleep(0.25)


def series(text):
    return [line.split(" ")[0] for line in text.splitlines() if not line.startswith("#")]


def scrape(args):
    url = f"http://{args.health}/metrics"

    def above(name, labels, least):
        _, text = fetch(url)
        value = re.search(rf"^{name}\{{{labels}\}} (\d+)$", text, re.M)
        return int(value[1]) if value and int(value[1]) > least else None

    def at_once():
        """Both formats of a time when no series came or went: the text is the same before and after."""
        text, open_metrics, after = fetch(url), fetch(url, OPEN_METRICS), fetch(url)
        return (text, open_metrics) if series(text[1]) == series(after[1]) else None

    until("events are counted", lambda: above("tieline_session_events_total", 'session="cc"', 100))
    until("a reader is live", lambda: above("tieline_feed_subscribers", '.*state="live"', 0))
    (kind, text), (open_kind, open_text) = until(
        "no series comes or goes", at_once, lambda found: f"{len(series(found[0][1]))} series"
    )
    assert kind.startswith("text/plain; version=0.0.4"), kind
    assert open_kind.startswith("application/openmetrics-text; version=1.0.0"), open_kind
    assert open_text.endswith("# EOF\n")
    assert series(text) == series(open_text), "the formats name different series"
    (pathlib.Path(args.folder) / "prometheus.txt").write_text(text)
    exemplars = re.findall(r' # \{trace_id="[0-9a-f]{32}",span_id="[0-9a-f]{16}"\} ', open_text)
    assert exemplars and "trace_id" not in text, "exemplars belong into OpenMetrics alone"
    own = [name for name in series(text) if 'session="cc"' in name]
    print(f"  ok    {len(series(text))} series, {len(own)} of the session, {len(text)} bytes")
    assert len(own) < 300, own


def prometheus(args):
    base = f"http://{args.address}/api/v1"

    def ask(query):
        try:
            _, text = fetch(f"{base}/query?{urllib.parse.urlencode({'query': query})}")
        except OSError:
            return None
        found = json.loads(text)["data"]["result"]
        return found[0]["value"][1] if found else None

    until("it scrapes", lambda: ask('up{job="tieline"} == 1'))
    until("the session is active", lambda: ask('tieline_session_state{state="active"} == 1'))
    until("events flow", lambda: ask("rate(tieline_session_events_total[10s]) > 10"))
    quantile = "histogram_quantile(0.99, rate(tieline_feed_delivery_delay_seconds_bucket[10s]))"
    until("deliveries have a 99th percentile", lambda: ask(f"{quantile} > 0"))
    delays = "tieline_feed_delivery_delay_seconds_bucket"
    until("it keeps the span of a delivery", lambda: exemplar(base, delays))
    _, text = fetch(f"{base}/rules")
    rules = [rule for group in json.loads(text)["data"]["groups"] for rule in group["rules"]]
    assert len(rules) >= 10, rules
    until(
        "every rule was evaluated without an error",
        lambda: all_well(base),
    )
    # An event that is skipped and of which no history tells is lost, and somebody is told.
    fault = {"history": False, "count": 1}
    fetch(f"{args.control}/faults/skip", data=fault, method="PUT")
    lost = 'ALERTS{alertname="TielineEventsLost", alertstate="firing"}'
    until("a loss fires its alert", lambda: ask(lost))


def exemplar(base, query):
    """One of those that Prometheus keeps of these series, as its labels."""
    now = time.time()
    span = urllib.parse.urlencode({"query": query, "start": now - PATIENCE, "end": now})
    _, text = fetch(f"{base}/query_exemplars?{span}")
    found = [one["labels"] for series in json.loads(text)["data"] for one in series["exemplars"]]
    return next((labels for labels in found if len(labels.get("trace_id", "")) == 32), None)


def all_well(base):
    _, text = fetch(f"{base}/rules")
    rules = [rule for group in json.loads(text)["data"]["groups"] for rule in group["rules"]]
    bad = [rule for rule in rules if rule["health"] == "err"]
    assert not bad, bad
    return len(rules) if all(rule["health"] == "ok" for rule in rules) else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["configure", "scrape", "prometheus"])
    for name in ("sandbox", "folder", "health", "address", "control"):
        parser.add_argument(f"--{name}")
    args = parser.parse_args()
    {"configure": configure, "scrape": scrape, "prometheus": prometheus}[args.what](args)


main()
