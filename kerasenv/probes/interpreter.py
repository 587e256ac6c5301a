"""Say what this interpreter is, as one JSON object on standard output.

Runs on CPython 2.7 and 3.6 to 3.14 with nothing but the standard library. The keys under "markers" are those of
environment markers (PEP 508).
"""

from __future__ import print_function

import json
import os
import struct
import sys


def full_version(info):
    text = "%d.%d.%d" % tuple(info[:3])
    return text if info[3] == "final" else text + info[3][0] + str(info[4])


def uname():
    """Return (system, node, release, version, machine); up to Python 3.8, platform.uname starts a program for more."""
    if hasattr(os, "uname"):
        return tuple(os.uname())
    import platform

    return tuple(platform.uname())[:5]


def name_and_version():
    """Return what platform says of them, which takes longer to be imported than Python takes to start."""
    if hasattr(sys, "implementation") and sys.implementation.name == "cpython":
        return "CPython", sys.version.split()[0]
    import platform

    return platform.python_implementation(), platform.python_version()


def main():
    implementation = getattr(sys, "implementation", None)
    system, _, release, version, machine = uname()
    name, python_version = name_and_version()
    markers = {
        "implementation_name": implementation.name if implementation else "cpython",
        "implementation_version": full_version(implementation.version if implementation else sys.version_info),
        "os_name": os.name,
        "platform_machine": machine,
        "platform_python_implementation": name,
        "platform_release": release,
        "platform_system": system,
        "platform_version": version,
        "python_full_version": python_version,
        "python_version": ".".join(python_version.split(".")[:2]),
        "sys_platform": "linux" if sys.platform == "linux2" else sys.platform,
    }
    facts = {
        "version": full_version(sys.version_info),
        "implementation": name,
        "bits": struct.calcsize("P") * 8,
        "abi_flags": getattr(sys, "abiflags", ""),  # Windows has none
        "markers": markers,
    }
    print(json.dumps(facts, sort_keys=True))


main()
