"""Puts what `tieline schema` prints into the values schema of the library chart, or says where the two differ."""

import argparse
import json
import pathlib
import subprocess
import sys

# What a binary without authentication does not print yet: goes with the first that does.
TEXT = {"type": ["string", "null"]}
RIGHTS = {"type": "array", "items": {"enum": ["read", "commit", "send", "admin"]}}
PERMISSION = {
    "type": "object",
    "properties": {
        "principal": {"type": "string"},
        "journals": {"type": "array", "items": {"type": "string"}},
        "allow": RIGHTS,
    },
    "required": ["principal", "journals", "allow"],
    "additionalProperties": False,
}
PENDING = {
    "tls": {
        "type": ["object", "null"],
        "properties": {
            "cert_file": {"type": "string"},
            "key_file": {"type": "string"},
            "client_ca_file": TEXT,
        },
        "required": ["cert_file", "key_file"],
        "additionalProperties": False,
    },
    "auth": {
        "type": ["object", "null"],
        "properties": {
            "tokens_file": TEXT,
            "jwks_file": TEXT,
            "issuer": TEXT,
            "audience": TEXT,
            "leeway": {"$ref": "#/$defs/Duration"},
            "permissions": {"type": "array", "items": PERMISSION},
        },
        "additionalProperties": False,
    },
    "insecure": {
        "enum": ["insecure-plaintext", "insecure-anyone", "insecure-plaintext-and-anyone", None]
    },
}

VALUES = pathlib.Path("helm/tieline-sidecar/values.schema.json")


def generated(values: dict, printed: dict) -> dict:
    """`values` with `config` and its definitions, which begin with a capital, as they are printed."""
    own = {name: it for name, it in values["$defs"].items() if name[0].islower()}
    config = {key: it for key, it in printed.items() if key not in ("$schema", "$defs", "title")}
    # A default is a value of the program, not of the chart.
    made = {**values, "properties": {**values["properties"], "config": without_defaults(config)}}
    made["$defs"] = own | {name: without_defaults(it) for name, it in printed["$defs"].items()}
    listen = made["$defs"]["ListenConfig"]["properties"]
    made["$defs"]["ListenConfig"]["properties"] = PENDING | listen
    return made


def without_defaults(schema):
    if isinstance(schema, list):
        return [without_defaults(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, it in schema.items():
        if key == "properties":
            kept[key] = {name: without_defaults(of) for name, of in it.items()}
        elif key != "default":
            kept[key] = without_defaults(it)
    return kept


def text(schema: dict) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tieline", required=True, help="the binary")
    arguments.add_argument("--bless", action="store_true", help="write it")
    given = arguments.parse_args()
    printed = json.loads(subprocess.check_output([given.tieline, "schema"], timeout=20))
    wanted = text(generated(json.loads(VALUES.read_text()), printed))
    if given.bless:
        VALUES.write_text(wanted)
    elif VALUES.read_text() != wanted:
        print(
            f"{VALUES} is not what `tieline schema` prints: TIELINE_BLESS=1 tests/helm/run writes it",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
