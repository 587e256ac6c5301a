"""Compile source files, each into the file that is named for its bytecode.

This runs in the Python whose bytecode is wanted: CPython 3.6 to 3.14, with nothing but the standard library.

Standard input is a JSON list of [source, bytecode, name]; `name` is what tracebacks call the source until Python puts
its real path in place. Standard output is a JSON list of the sources that can't be compiled. The bytecode is valid for
the time and the size of its source, whatever the variables of the process say.
"""

import json
import py_compile
import sys
import warnings


def compile_all(wanted):
    options = {}
    if hasattr(py_compile, "PycInvalidationMode"):  # SOURCE_DATE_EPOCH would change it
        options["invalidation_mode"] = py_compile.PycInvalidationMode.TIMESTAMP
    failed = []
    for source, bytecode, name in wanted:
        try:
            py_compile.compile(source, cfile=bytecode, dfile=name, doraise=True, **options)
        except Exception:  # what is for another Python, or a template, can't be compiled: nothing imports it either
            failed.append(source)
    return failed


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(10000)  # some generated sources nest deeply
    wanted = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    json.dump(compile_all(wanted), sys.stdout)
