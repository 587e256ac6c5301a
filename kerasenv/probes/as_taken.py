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


def table_of(entry):
    """Return the files of an entry, folder by folder; None if that can't be read."""
    try:
        with open(os.path.join(entry, "files.json"), encoding="utf-8") as stream:
            return list(json.load(stream).items())
    except Exception:  # whatever it is, such an entry can't be used
        return None


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


def good_part_of(entry, table, parts):
    try:
        if not is_sound(table):
            return ""
    except Exception:  # as above
        return ""
    for part in parts:
        try:
            if is_as_taken(os.path.join(entry, part), table):
                return part
        except Exception:  # as above
            continue
    return ""


def good_parts_of(tables, parts, share=slice(None)):
    """Return the first good part of each entry, '' if none is; with a share, that of the folders is looked at."""
    return ["" if table is None else good_part_of(entry, table[share], parts) for entry, table in tables]


def good_parts_by_halves(tables, parts):
    """Look at every other folder here, and at the others in a second process."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writing, "w") as stream:
            json.dump(good_parts_of(tables, parts, slice(1, None, 2)), stream)
        os._exit(0)
    os.close(writing)
    mine = good_parts_of(tables, parts, slice(0, None, 2))
    with os.fdopen(reading) as stream:
        theirs = json.load(stream)
    # What only one of them found fault with is no good as a whole, and may have another part that is
    return [
        one if one == other else good_part_of(entry, table, parts)
        for (entry, table), one, other in zip(tables, mine, theirs, strict=True)
    ]


def main():
    asked = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    look = good_parts_by_halves if hasattr(os, "fork") and (os.cpu_count() or 1) > 1 else good_parts_of
    json.dump(look([(entry, table_of(entry)) for entry in asked["entries"]], asked["parts"]), sys.stdout)


if __name__ == "__main__":
    main()
