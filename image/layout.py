"""Assembles the image as an OCI layout, byte for byte the same from the same files.

    layout.py --out DIR --binary tieline --ca-bundle FILE --sbom FILE --licenses DIR --version 0.1.0 \\
      --revision COMMIT --epoch SECONDS [--source URL] [--architecture amd64]

DIR/oci is the layout: the image, tagged with the version, and its SBOM, which refers to it. DIR/root.tar
is what is in it. Prints the digest of the image.
"""

import argparse
import gzip
import hashlib
import io
import json
import pathlib
import tarfile
import time

# The user of distroless' `nonroot`: numeric, so that Kubernetes can tell that it is not root.
USER = 65532
PASSWD = f"root:x:0:0:root:/:/nowhere\nnonroot:x:{USER}:{USER}:nonroot:/:/nowhere\n"
GROUP = f"root:x:0:\nnonroot:x:{USER}:\n"
# What a container's runtime mounts at, and no more: nothing in the image can be written to.
FOLDERS = (
    "etc",
    "etc/ssl",
    "etc/ssl/certs",
    "etc/tieline",
    "run",
    "run/tieline",
    "usr",
    "usr/share",
    "usr/share/doc",
    "usr/share/doc/tieline",
    "var",
    "var/lib",
    "var/lib/tieline",
)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("out", "binary", "ca-bundle", "sbom", "licenses"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    for name in ("version", "revision"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--epoch", required=True, type=int)
    parser.add_argument("--source", default="", help="where the repository is")
    parser.add_argument("--architecture", default="amd64")
    return parser.parse_args()


def layer(asked):
    """The one layer: folders and files by name, owned by root, of one time."""
    files = {
        "etc/group": GROUP.encode(),
        "etc/nsswitch.conf": b"hosts: files dns\n",
        "etc/passwd": PASSWD.encode(),
        "etc/ssl/certs/ca-certificates.crt": asked.ca_bundle.read_bytes(),
        "tieline": asked.binary.read_bytes(),
    }
    for file in sorted(asked.licenses.iterdir()):
        files[f"usr/share/doc/tieline/{file.name}"] = file.read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted([*FOLDERS, *files]):
            member = tarfile.TarInfo(name)
            member.mtime = asked.epoch
            if name in files:
                member.size = len(files[name])
                member.mode = 0o755 if name == "tieline" else 0o644
                tar.addfile(member, io.BytesIO(files[name]))
            else:
                member.type = tarfile.DIRTYPE
                member.mode = 0o755
                tar.addfile(member)
    return packed.getvalue()


def as_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Layout:
    """Blobs by their digests."""

    def __init__(self, place):
        self.place = place
        (place / "blobs/sha256").mkdir(parents=True)
        (place / "oci-layout").write_bytes(as_json({"imageLayoutVersion": "1.0.0"}))

    def add(self, media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        (self.place / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def labels(asked, created):
    source = {"org.opencontainers.image.source": asked.source} if asked.source else {}
    return source | {
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.description": "Owns contact-centre sessions, serves one resumable gRPC stream",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.revision": asked.revision,
        "org.opencontainers.image.title": "tieline",
        "org.opencontainers.image.version": asked.version,
    }


def manifest(config, layers, **more):
    return as_json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": layers,
            **more,
        }
    )


def main():
    asked = arguments()
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(asked.epoch))
    annotations = labels(asked, created)
    tar = layer(asked)
    (asked.out / "root.tar").write_bytes(tar)
    layout = Layout(asked.out / "oci")
    config = {
        "architecture": asked.architecture,
        "os": "linux",
        "created": created,
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": ["/tieline"],
            "Cmd": ["run", "--config", "/etc/tieline/tieline.yaml"],
            "Env": ["SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
            "WorkingDir": "/",
            "StopSignal": "SIGTERM",
            "ExposedPorts": {"7443/tcp": {}, "7444/tcp": {}},
            "Volumes": {"/run/tieline": {}, "/var/lib/tieline": {}},
            "Labels": annotations,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]},
        "history": [{"created": created, "created_by": "image/layout.py"}],
    }
    image = layout.add(
        "application/vnd.oci.image.manifest.v1+json",
        manifest(
            layout.add("application/vnd.oci.image.config.v1+json", as_json(config)),
            [layout.add("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(tar, 9, mtime=0))],
            annotations=annotations,
        ),
    )
    # The empty object that stands for no configuration, as the specification of artifacts has it.
    empty = layout.add("application/vnd.oci.empty.v1+json", b"{}")
    sbom_type = "application/vnd.cyclonedx+json"
    sbom = layout.add(
        "application/vnd.oci.image.manifest.v1+json",
        manifest(empty, [layout.add(sbom_type, asked.sbom.read_bytes())], artifactType=sbom_type, subject=image),
    )
    tag = {"org.opencontainers.image.ref.name": asked.version}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {**image, "annotations": tag, "platform": {"architecture": asked.architecture, "os": "linux"}},
            {**sbom, "artifactType": sbom_type},
        ],
    }
    (layout.place / "index.json").write_bytes(as_json(index))
    print(image["digest"])


if __name__ == "__main__":
    main()
