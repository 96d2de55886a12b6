"""Looks at the image as others unpacked it: what is in it, how large, whose, and how it says to be run."""

import argparse
import gzip
import hashlib
import json
import pathlib
import re
import stat
import sys

USER = 65532
# Beyond the program: authorities to trust, licences, names of users.
MOST_BESIDE = 3 << 20
NO_INTERPRETER = "/lib64/ld-linux"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("image", "bundle", "inspected"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    return parser.parse_args()


FAILED = []


def holds(what, true):
    print(f"  {'ok  ' if true else 'FAIL'}  {what}")
    if not true:
        FAILED.append(what)


def files(root):
    for path in sorted(root.rglob("*")):
        yield path, path.lstat()


def contents(root, program):
    found = list(files(root))
    regular = {path for path, known in found if stat.S_ISREG(known.st_mode)}
    odd = [path for path, known in found if not stat.S_ISREG(known.st_mode) and not stat.S_ISDIR(known.st_mode)]
    holds("nothing but files and folders", not odd)
    holds("the only program is tieline", [p.name for p in regular if p.stat().st_mode & 0o111] == ["tieline"])
    special = [path for path, known in found if known.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX)]
    holds("no set-uid, set-gid or sticky bit", not special)
    foreign = [path for path, known in found if (known.st_uid, known.st_gid) != (0, 0) or known.st_mode & 0o022]
    holds("everything is root's, and nobody else may write", not foreign)
    beside = sum(path.stat().st_size for path in regular) - program.stat().st_size
    holds(f"{beside / 1e6:.2f} MB beside a program of {program.stat().st_size / 1e6:.2f} MB", beside < MOST_BESIDE)
    elf = program.read_bytes()
    holds("the program is static", elf[:4] == b"\x7fELF" and NO_INTERPRETER.encode() not in elf[:4096])
    holds("it says what it was built of", b".dep-v0" in elf)
    bundle = (root / "etc/ssl/certs/ca-certificates.crt").read_text()
    holds("authorities to trust", bundle.count("BEGIN CERTIFICATE") > 50)


def configuration(image, inspected):
    index = json.loads((image / "oci/index.json").read_text())

    def blob(descriptor):
        content = blob_of(image, descriptor)
        digest = descriptor["digest"].split(":")[1]
        holds(
            f"blob {digest[:12]} is what it is called by",
            hashlib.sha256(content).hexdigest() == digest and len(content) == descriptor["size"],
        )
        return content

    described, referring = index["manifests"]
    manifest = json.loads(blob(described))
    config = json.loads(blob(manifest["config"]))
    run = config["config"]
    holds(f"runs as {USER}:{USER}", run["User"] == f"{USER}:{USER}")
    holds("entry point and arguments", run["Entrypoint"] == ["/tieline"] and run["Cmd"][0] == "run")
    holds("environment", run["Env"] == ["SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"])
    labels = run["Labels"]
    wanted = {"created", "licenses", "revision", "title", "version"}
    holds("labels", wanted <= {name.removeprefix("org.opencontainers.image.") for name in labels})
    holds("skopeo reads the same labels", json.loads(inspected.read_text())["Labels"] == labels)
    unpacked = gzip.decompress(blob(manifest["layers"][0]))
    holds("the layer is what the configuration says", config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(unpacked).hexdigest()}"])
    attached = json.loads(blob(referring))
    holds("the SBOM refers to the image", attached["subject"]["digest"] == described["digest"])
    return json.loads(blob(attached["layers"][0]))


def dockerfile(image):
    """Where there is Docker, it makes the same."""
    index = json.loads((image / "oci/index.json").read_text())
    manifest = json.loads(blob_of(image, index["manifests"][0]))
    run = json.loads(blob_of(image, manifest["config"]))["config"]
    lines = pathlib.Path("image/Dockerfile").read_text().splitlines()
    said = dict(line.split(" ", 1) for line in lines if re.match(r"[A-Z]+ ", line))
    same = (
        said["USER"] == run["User"]
        and json.loads(said["ENTRYPOINT"]) == run["Entrypoint"]
        and json.loads(said["CMD"]) == run["Cmd"]
        and [said["ENV"]] == run["Env"]
        and said["STOPSIGNAL"] == run["StopSignal"]
        and set(json.loads(said["VOLUME"])) == set(run["Volumes"])
        and {f"{port}/tcp" for port in said["EXPOSE"].split()} == set(run["ExposedPorts"])
    )
    holds("the Dockerfile says the same", same)
    toolchain = pathlib.Path("image/toolchain").read_text().strip()
    holds("and builds with the same toolchain", f"FROM rust:{toolchain}-bookworm AS build" in lines)


def blob_of(image, descriptor):
    algorithm, digest = descriptor["digest"].split(":")
    return (image / "oci/blobs" / algorithm / digest).read_bytes()


def sbom(bom, program):
    holds("the SBOM is CycloneDX of this program", bom["bomFormat"] == "CycloneDX" and bom["metadata"]["component"]["name"] == "tieline")
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    holds("by its digest", bom["metadata"]["component"]["hashes"][0]["content"] == digest)
    names = {component["name"] for component in bom["components"]}
    holds(f"{len(names)} components, those that matter among them", {"rustls", "ring", "tokio", "tonic", "h2"} <= names)
    holds("no path of the machine it was built on", not re.search(r"file://(?!/tieline)", json.dumps(bom)))


def main():
    asked = arguments()
    root = asked.bundle / "rootfs"
    program = root / "tieline"
    contents(root, program)
    sbom(configuration(asked.image, asked.inspected), program)
    dockerfile(asked.image)
    licences = (root / "usr/share/doc/tieline/THIRD-PARTY-LICENSES").read_text()
    holds("the licences of what is in it", "Apache License" in licences and "ring" in licences)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
