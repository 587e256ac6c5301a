"""Say what this interpreter is, as one JSON object on standard output.

Runs on CPython 2.7 and 3.6 to 3.14 with nothing but the standard library. The keys under "markers" are those of
environment markers (PEP 508).
"""

from __future__ import print_function

import json
import os
import platform
import struct
import sys


def full_version(info):
    text = "%d.%d.%d" % tuple(info[:3])
    return text if info[3] == "final" else text + info[3][0] + str(info[4])


def uname():
    """Return (system, node, release, version, machine); up to Python 3.8, platform.uname starts a program for more."""
    return os.uname() if hasattr(os, "uname") else platform.uname()


def main():
    implementation = getattr(sys, "implementation", None)
    system, _, release, version, machine = tuple(uname())[:5]
    markers = {
        "implementation_name": implementation.name if implementation else "cpython",
        "implementation_version": full_version(implementation.version if implementation else sys.version_info),
        "os_name": os.name,
        "platform_machine": machine,
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": release,
        "platform_system": system,
        "platform_version": version,
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": "linux" if sys.platform == "linux2" else sys.platform,
    }
    facts = {
        "executable": sys.executable,
        "base_prefix": getattr(sys, "base_prefix", sys.prefix),
        "prefix": sys.prefix,
        "version": full_version(sys.version_info),
        "implementation": platform.python_implementation(),
        "bits": struct.calcsize("P") * 8,
        "abi_flags": getattr(sys, "abiflags", ""),  # Windows has none
        "markers": markers,
    }
    print(json.dumps(facts, sort_keys=True))


main()
