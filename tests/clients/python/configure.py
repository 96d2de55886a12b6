"""Writes a configuration of the sidecar for a sandbox that runs: one session, one journal.

    configure.py --sandbox JSON --grpc 127.0.0.1:7443 unix:/tmp/x.sock --session NAME --folder DIR

JSON is the line that `tieline sandbox --json` prints first.
"""

import argparse
import json
import pathlib

CHANNELS = ["routing.queueStats", "routing.agentEvent", "platform.connectionEvent"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sandbox", required=True, type=json.loads)
    parser.add_argument("--grpc", required=True, nargs="+")
    parser.add_argument("--session", required=True)
    parser.add_argument("--folder", required=True, type=pathlib.Path)
    return parser.parse_args()


def main():
    asked = arguments()

    def secret(name):
        file = asked.folder / name
        file.touch(mode=0o600)
        file.write_text(asked.sandbox[name])
        return str(file)

    config = {
        "listen": {"grpc": asked.grpc, "health": "", "admin": []},
        "journals": [{"name": "default", "path": str(asked.folder / "journal")}],
        "sessions": [
            {
                "name": asked.session,
                "platform": "genesys-events",
                "endpoint": asked.sandbox["endpoint"],
                "channels": CHANNELS,
                "auth": {
                    "grant": "client_credentials",
                    "client_id_file": secret("client_id"),
                    "client_secret_file": secret("client_secret"),
                },
            }
        ],
    }
    # JSON is YAML.
    (asked.folder / "tieline.yaml").write_text(json.dumps(config, indent=2))


if __name__ == "__main__":
    main()
