"""Puts what `tieline schema` prints into the values schema of the library chart, or says where the two differ."""

import argparse
import json
import pathlib
import subprocess
import sys

VALUES = pathlib.Path("helm/tieline-sidecar/values.schema.json")


def generated(values: dict, printed: dict) -> dict:
    """`values` with `config` and its definitions, which begin with a capital, as they are printed."""
    own = {name: it for name, it in values["$defs"].items() if name[0].islower()}
    config = {key: it for key, it in printed.items() if key not in ("$schema", "$defs", "title")}
    # A default is a value of the program, not of the chart.
    made = {**values, "properties": {**values["properties"], "config": without_defaults(config)}}
    made["$defs"] = own | {name: without_defaults(it) for name, it in printed["$defs"].items()}
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
