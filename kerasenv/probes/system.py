"""Say which shared libraries and headers an interpreter has, as one JSON object on standard output.

Runs on CPython 2.7 and 3.6 to 3.14 with nothing but the standard library. Its one argument is a JSON object: the names
under "libraries" are loaded, just as an extension module of this interpreter would load them; those under "headers" are
looked for where it compiles. For each the answer has where it is, and why not if it isn't there.
"""

from __future__ import print_function

import ctypes
import json
import os
import sys
import sysconfig


class LinkMap(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("path", ctypes.c_char_p)]


def path_of(library):
    """Return the file that the loader took, None where it doesn't tell."""
    try:
        loader = ctypes.CDLL(None)
        found = ctypes.POINTER(LinkMap)()
        if loader.dlinfo(ctypes.c_void_p(library._handle), 2, ctypes.byref(found)) == 0:  # RTLD_DI_LINKMAP
            return os.path.abspath(found.contents.path.decode(sys.getfilesystemencoding()))
    except (AttributeError, OSError, TypeError, UnicodeDecodeError):
        pass  # only glibc and musl have dlinfo
    return None


def load(name):
    try:
        return {"there": True, "path": path_of(ctypes.CDLL(name))}
    except OSError as error:
        return {"there": False, "why": str(error)}


def look_for(name):
    path = os.path.join(sysconfig.get_paths()["include"], name)
    there = os.path.isfile(path)
    return {"there": there, "path": path} if there else {"there": False, "why": path + ": not there"}


def main():
    wanted = json.loads(sys.argv[1])
    facts = {
        "libraries": dict((name, load(name)) for name in wanted["libraries"]),
        "headers": dict((name, look_for(name)) for name in wanted["headers"]),
    }
    print(json.dumps(facts, sort_keys=True))


main()
