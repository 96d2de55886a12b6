"""checkov over the goldens, over one that was made worse, and against what was waived.

A finding that is not waived fails, and so does a waiver that nothing needs any more. The sidecar's own container is never
waived where a waiver speaks of the application's.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
GOLDENS = HERE.parent / "goldens"
OF_THE_APPLICATION = {"CKV_K8S_8", "CKV_K8S_9", "CKV_K8S_40"}
WORKLOADS = re.compile(r"^kind: (Deployment|StatefulSet)$", re.MULTILINE)

# What must be found when it is there: of a golden's text, and the check that says so.
WORSE = [
    ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "CKV_K8S_20"),
    ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "CKV_K8S_22"),
    ("runAsUser: 65532", "runAsUser: 0", "CKV_K8S_40"),
    ("memory: 512Mi", "ephemeral-storage: 1Mi", "CKV_K8S_13"),
    ("automountServiceAccountToken: false", "automountServiceAccountToken: true", "CKV_K8S_38"),
]


def findings(checkov, files):
    """What it finds in each file, as (check, its title, the places that it looked at)."""
    command = [checkov, "--framework", "kubernetes", "--skip-download", "--quiet", "--output", "json", "--soft-fail"]
    for file in files:
        command += ["--file", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    report = json.loads(ran.stdout)
    if not report["summary"]["passed"]:
        sys.exit(f"checkov looked at nothing: {report['summary']}")
    found = {file.name: [] for file in files}
    for one in report["results"]["failed_checks"]:
        places = one["check_result"].get("evaluated_keys") or []
        found[pathlib.Path(one["file_path"]).name].append((one["check_id"], one["check_name"], places))
    return report["summary"], found


def is_waived(check, places, waived):
    if check not in waived:
        return False
    return check not in OF_THE_APPLICATION or not any("initContainers" in place for place in places)


def goldens(checkov, waived):
    files = [file for file in sorted(GOLDENS.glob("*.yaml")) if WORKLOADS.search(file.read_text())]
    summary, found = findings(checkov, files)
    complaints, needed = [], set()
    for file, checks in found.items():
        standalone = not file.startswith("app.")
        for check, title, places in checks:
            needed.add(check)
            if not is_waived(check, places, waived) or (standalone and check in OF_THE_APPLICATION):
                complaints.append(f"{file}: {check}: {title} {places}")
    complaints += [f"{check} is waived, and nothing needs it" for check in sorted(set(waived) - needed)]
    print(f"  {len(files)} goldens: {summary['passed']} checks passed, {summary['failed']} findings, each waived or named below")
    return complaints


def made_worse(checkov):
    """A scanner that is silent about what is wrong would prove nothing."""
    golden = (GOLDENS / "tieline.smallest.yaml").read_text()
    with tempfile.TemporaryDirectory() as scratch:
        files = {}
        for place, (right, wrong, check) in enumerate(WORSE):
            if right not in golden:
                sys.exit(f"the golden has no '{right.strip()}' to make worse")
            file = pathlib.Path(scratch, f"worse{place}.yaml")
            file.write_text(golden.replace(right, wrong))
            files[file] = (wrong, check)
        _, found = findings(checkov, list(files))
    return [
        f"'{wrong.strip()}' was not found by {check}"
        for file, (wrong, check) in files.items()
        if check not in {one for one, _, _ in found[file.name]}
    ]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--checkov", required=True)
    checkov = arguments.parse_args().checkov
    waived = json.loads((HERE / "waived.json").read_text())
    complaints = goldens(checkov, waived) + made_worse(checkov)
    for complaint in complaints:
        print(f"  FAILED {complaint}")
    if complaints:
        sys.exit(1)
    print(f"  {len(WORSE)} of {len(WORSE)} things made worse were found")


main()
