"""Say which entries of the store are as they were taken.

Standard input is a JSON object: `entries` are the folders of entries, and `parts` the names of what may be taken of
them, "spare" and "tree", best first. Standard output is a JSON list with a word for each entry: its first part that is
good, and "" if none is: a file isn't there or has another size or time, or the table of files makes no sense.

Runs on the Python that kerasenv runs on, isolated.
"""

import json
import os
import stat
import sys

KINDS = ("shared", "text", "link")
AWAY = ("", ".", "..")


def leads_away(name):
    return name in AWAY or "/" in name or os.sep in name or "\0" in name


WHOLE = slice(None)


def table_of(entry, share):
    """Return the files of an entry, folder by folder; with a share, only those of some lines."""
    with open(os.path.join(entry, "files.jsonl"), encoding="utf-8") as stream:
        lines = stream.read().split("\n")
    return [item for line in lines[share] for item in json.loads(line).items()]


def is_sound(table):
    for folder, files in table:
        if folder and any(map(leads_away, folder.split("/"))):
            return False
        for name, kind, _size, _time in files:
            if leads_away(name) or kind not in KINDS:
                return False
    return True


def is_as_taken(tree, table):
    lstat, is_link = os.lstat, stat.S_ISLNK
    os.chdir(tree)  # or a table without files would be good, whatever is there
    for folder, files in table:
        os.chdir(os.path.join(tree, folder))  # from there, a name is found in less time than a path
        for name, kind, size, time in files:
            state = lstat(name)
            if kind == "link":
                if not is_link(state.st_mode):
                    return False
            elif state.st_mtime_ns != time or state.st_size != size:
                return False
    return True


def good_part_of(entry, parts, share=WHOLE):
    """Return the first good part of an entry, '' if none is."""
    try:
        table = table_of(entry, share)
        if not is_sound(table):
            return ""
    except Exception:  # whatever it is, such an entry can't be used
        return ""
    for part in parts:
        try:
            if is_as_taken(os.path.join(entry, part), table):
                return part
        except Exception:  # as above
            continue
    return ""


def good_parts_of_half(entries, parts, whose):
    """Look at half of the files: at every other line of the tables, of which many have one."""
    return [
        good_part_of(entry, parts, slice((number + whose) % 2, None, 2)) for number, entry in enumerate(entries)
    ]


def good_parts_by_halves(entries, parts):
    """Look at half of the files here, and at the others in a second process."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writing, "w") as stream:
            json.dump(good_parts_of_half(entries, parts, 1), stream)
        os._exit(0)
    os.close(writing)
    mine = good_parts_of_half(entries, parts, 0)
    with os.fdopen(reading) as stream:
        theirs = json.load(stream)
    # What only one of them found fault with is no good as a whole, and may have another part that is
    return [
        one if one == other else good_part_of(entry, parts)
        for entry, one, other in zip(entries, mine, theirs, strict=True)
    ]


def main():
    asked = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    entries, parts = asked["entries"], asked["parts"]
    if hasattr(os, "fork") and (os.cpu_count() or 1) > 1:
        found = good_parts_by_halves(entries, parts)
    else:
        found = [good_part_of(entry, parts) for entry in entries]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
