"""Set the variables of an environment when its interpreter starts.

Runs on CPython 2.7 and 3.6 to 3.14, at every start, so it imports only what is there already and never says a word.
In an environment it is the module _kerasenv, which _kerasenv.pth imports; _kerasenv.env beside it holds the variables,
each a name and a value that end in a null character, in UTF-8. What the process was given stays, an empty value too,
and KERASENV_STARTUP=0 switches all of it off.
"""

import os
import sys


def find():
    # The environment is the one that runs. This file may be another's, if PYTHONPATH leads there
    inside = os.path.join(os.path.abspath(sys.prefix), "")
    for folder in reversed(sys.path):  # where site has just appended the folder whose .pth file it reads
        if folder.startswith(inside):
            path = os.path.join(folder, "_kerasenv.env")
            if os.path.isfile(path):
                return path
    return None


def read(path):
    with open(path, "rb") as stream:
        fields = stream.read().split(b"\0")
    if fields.pop() or len(fields) % 2:  # a file that was cut off
        return []
    return zip(fields[::2], fields[1::2])


def set_missing(variables):
    environ = getattr(os, "environb", os.environ)  # bytes need no encoding, which a C locale would not have
    for name, value in variables:
        if os.name == "nt":
            name, value = name.decode("utf-8"), value.decode("utf-8")
            if sys.version_info[0] == 2:
                name, value = name.encode("mbcs"), value.encode("mbcs")
        environ.setdefault(name, value)


def main():
    try:
        if os.environ.get("KERASENV_STARTUP") != "0":
            path = find()
            if path:
                set_missing(read(path))
    except Exception:  # whatever it is, it must not come between a person and their interpreter
        pass


main()
