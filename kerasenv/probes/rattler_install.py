"""Link the packages of a conda channel in a prefix, as py-rattler solves them.

It is run by the Python that runs kerasenv, and in a process of its own: py-rattler's threads can outlive its work, and
a Python that ends meanwhile dies of that ("PyGILState_Release: thread state must be current", py-rattler 0.28).

Reads one JSON object from standard input (channel, spec, prefix, cache) and prints one: {"error": null}, or what is
wrong. What a person can follow goes to standard error.
"""

from __future__ import absolute_import, print_function

import asyncio
import hashlib
import json
import os
import sys

MEGABYTE = 1000000


def main():
    wish = json.load(sys.stdin)
    try:
        install(wish)
        error = None
    except Exception as caught:  # what rattler's many errors have in common is nothing but this
        error = str(caught) or type(caught).__name__
    print(json.dumps({"error": error}))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # not sys.exit, which waits for threads and meets the fault above


def install(wish):
    import rattler

    records = asyncio.run(
        rattler.solve(
            sources=[wish["channel"]],
            specs=[wish["spec"]],
            gateway=rattler.Gateway(cache_dir=os.path.join(wish["cache"], "repodata")),
            virtual_packages=rattler.VirtualPackage.detect(),
        )
    )
    for record in records:
        verify_local(record)
    megabytes = sum(record.size or 0 for record in records) / MEGABYTE
    print("%d packages, %.0f MB" % (len(records), megabytes), file=sys.stderr)
    asyncio.run(
        rattler.install(
            records,
            target_prefix=wish["prefix"],
            cache_dir=os.path.join(wish["cache"], "rattler"),
            execute_link_scripts=False,
            show_progress=False,
        )
    )


def verify_local(record):
    """Refuse a package of a local channel that is not what the channel says: rattler verifies only what it downloads.

    Seen with py-rattler 0.28.
    """
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    address = urlsplit(record.url)
    if address.scheme != "file":
        return
    package = url2pathname(address.path)
    with open(package, "rb") as file:
        digest = hashlib.sha256(file.read()).digest()
    if record.sha256 is None or record.sha256 != digest:
        raise ValueError("hash mismatch: %s is not the file that its channel describes" % package)


if __name__ == "__main__":
    main()
