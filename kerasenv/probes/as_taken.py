"""Say which entries of the store aren't as they were taken.

Standard input has the folder of an entry in each line. Standard output has those of which a file that several
environments have isn't there any more, or has another size or time, and those whose table of files makes no sense. Runs on the Python that kerasenv runs on, isolated.
"""

import json
import os
import sys


KINDS = ("shared", "text", "link")
AWAY = ("", ".", "..")


def leads_away(name):
    return name in AWAY or "/" in name or os.sep in name or "\0" in name


def is_as_taken(entry):
    tree = os.path.join(entry, "tree")
    with open(os.path.join(entry, "files.json"), encoding="utf-8") as stream:
        table = json.load(stream)
    lstat = os.lstat
    for folder, files in table.items():
        if folder and any(map(leads_away, folder.split("/"))):
            return False
        start = "/".join([tree, folder, ""]) if folder else tree + "/"
        for name, kind, size, time in files:
            if leads_away(name) or kind not in KINDS:
                return False
            if kind == "shared":
                state = lstat(start + name)
                if state.st_mtime_ns != time or state.st_size != size:
                    return False
    return True


def main():
    for line in sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines():
        try:
            good = is_as_taken(line)
        except Exception:  # whatever it is, such an entry can't be used
            good = False
        if not good:
            sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape") + b"\n")


main()
