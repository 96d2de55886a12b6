"""Makes the SBOM of the program: CycloneDX, of what is linked in and nothing else, without where or when.

    sbom.py --cyclonedx PATH --target x86_64-unknown-linux-gnu --binary tieline --out tieline.cdx.json

Fails where a component has no licence.
"""

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

MADE = "sbom-of-the-program"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("cyclonedx", "binary", "out"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--target", required=True)
    return parser.parse_args()


def made_by(cyclonedx, target):
    """It writes beside the manifest, whatever it is told."""
    beside = pathlib.Path(f"{MADE}.json")
    try:
        subprocess.run(
            [cyclonedx, "cyclonedx", "--format", "json", "--no-build-deps", "--target", target, "--override-filename", MADE],
            check=True,
        )
        return beside.read_text()
    finally:
        beside.unlink(missing_ok=True)


def main():
    asked = arguments()
    text = made_by(asked.cyclonedx, asked.target)
    # Its references to this package name the folder that it stands in.
    here = pathlib.Path.cwd()
    for folder in (here.resolve(), here):
        text = text.replace(f"file://{folder}", "file:///tieline")
    bom = json.loads(text)
    bom.pop("serialNumber", None)
    built = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))
    bom["metadata"]["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", built)
    subject = bom["metadata"]["component"]
    digest = hashlib.sha256(asked.binary.read_bytes()).hexdigest()
    subject["hashes"] = [{"alg": "SHA-256", "content": digest}]
    subject.pop("components", None)
    # It is told where the sources were, which is nowhere that others could look.
    subject["purl"] = subject["purl"].partition("?")[0]
    bom["components"].sort(key=lambda component: component["bom-ref"])
    bom["dependencies"].sort(key=lambda dependency: dependency["ref"])
    without = [component["name"] for component in bom["components"] if not component.get("licenses")]
    if without:
        sys.exit(f"no licence is known of {', '.join(without)}")
    asked.out.write_text(json.dumps(bom, indent=1, sort_keys=True) + "\n")
    print(f"{len(bom['components'])} components in {asked.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
