"""Reads what cargo built and what llvm-cov exported, and says how much of each folder of src/ was reached.

report.py programs BUILT.json    the programs that cargo built, a line each
report.py lines LCOV [--missing] the table; --missing names the lines of the four folders that nothing reached
"""

import itertools
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
WANTED = {"journal": 95.0, "session": 95.0, "feed": 95.0, "connectors": 95.0}


def programs(built):
    for line in built.read_text().splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message.get("executable"):
            print(message["executable"])


def is_of_tests(path):
    parts = path.relative_to(SOURCES).with_suffix("").parts
    return "tests" in parts or parts[0] == "testing" or path.stem.endswith("_tests")


def end_of_program(path):
    """The line at which the tests begin that stand behind the program in its file."""
    lines = path.read_text().splitlines()
    for number, (line, following) in enumerate(itertools.pairwise(lines), 1):
        if line == "#[cfg(test)]" and following.startswith("mod tests {"):
            return number
    return len(lines) + 1


def reached(lcov):
    """Of each file of the program, its lines and how often each was reached."""
    files, path = {}, None
    for line in lcov.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            path = pathlib.Path(value)
            counts = path.is_relative_to(SOURCES) and not is_of_tests(path)
            path, end = (path, end_of_program(path)) if counts else (None, 0)
        elif key == "DA" and path:
            number, count = (int(part) for part in value.split(",")[:2])
            if number < end:
                of = files.setdefault(path, {})
                of[number] = of.get(number, 0) + count
    return files


def ranges(numbers):
    told = []
    for number in sorted(numbers):
        if told and told[-1][1] == number - 1:
            told[-1][1] = number
        else:
            told.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in told)


def lines(lcov, missing):
    folders = {}
    files = reached(lcov)
    for path, of in files.items():
        part = path.relative_to(SOURCES).parts[0]
        total, hit = folders.get(part, (0, 0))
        folders[part] = (total + len(of), hit + sum(1 for count in of.values() if count))
    if not files:
        sys.exit("nothing of src/ was exported")
    below = []
    print("| folder | lines | reached | wanted |\n|---|---|---|---|")
    for part, (total, hit) in sorted(folders.items()):
        share, wanted = 100 * hit / total, WANTED.get(part)
        print(f"| {part} | {total} | {share:.1f} % | {f'{wanted:.0f} %' if wanted else ''} |")
        if wanted and share < wanted:
            below.append(part)
    if missing:
        for path, of in sorted(files.items()):
            unreached = [number for number, count in of.items() if not count]
            if unreached and path.relative_to(SOURCES).parts[0] in WANTED:
                print(f"{path.relative_to(ROOT)}: {ranges(unreached)}")
    if below:
        sys.exit(f"below what is wanted: {', '.join(below)}")


def main():
    what, file, *more = sys.argv[1:]
    if what == "programs":
        programs(pathlib.Path(file))
    else:
        lines(pathlib.Path(file), "--missing" in more)


main()
