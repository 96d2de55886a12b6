"""Writes a schedule for the agents of a sandbox that runs: on queue for hours, some with a break soon.

    make_schedule.py --control URL --tolerance 10s > schedule.yaml
"""

import argparse
import json
import urllib.request
from datetime import datetime, timedelta, timezone


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--control", required=True, help="the sandbox's control API")
    parser.add_argument("--tolerance", default="10s")
    asked = parser.parse_args()
    with urllib.request.urlopen(f"{asked.control}/world", timeout=10) as answer:
        users = json.load(answer)["users"]
    now = datetime.now(timezone.utc)

    def clock(minutes, seconds=0):
        return (now + timedelta(minutes=minutes, seconds=seconds)).strftime("%H:%M:%S")

    agents = {}
    for place, (user, known) in enumerate(sorted(users.items(), key=lambda user: user[1]["name"])):
        shifts = [{"from": clock(-60), "to": clock(240), "activity": "on_queue"}]
        if place % 4 == 0:
            shifts.append({"from": clock(0, 15), "to": clock(15), "activity": "break"})
        agents[user] = {"name": known["name"], "shifts": shifts}
    # JSON is YAML.
    print(json.dumps({"zone": "UTC", "tolerance": asked.tolerance, "agents": agents}, indent=2))


if __name__ == "__main__":
    main()
