"""Compile source files, each into the file that is named for its bytecode.

This runs in the Python whose bytecode is wanted: CPython 3.6 to 3.14, with nothing but the standard library.

Standard input is a JSON list of [source, bytecode, name]; `name` is what tracebacks call the source until Python puts
its real path in place. What can't be compiled has no bytecode afterwards. The bytecode is valid for the time and the
size of its source, whatever the variables of the process say.
"""

import json
import py_compile
import sys
import warnings


def compile_all(wanted):
    options = {}
    if hasattr(py_compile, "PycInvalidationMode"):  # SOURCE_DATE_EPOCH would change it
        options["invalidation_mode"] = py_compile.PycInvalidationMode.TIMESTAMP
    for source, bytecode, name in wanted:
        try:
            py_compile.compile(source, cfile=bytecode, dfile=name, doraise=True, **options)
        except Exception:  # what is for another Python, or a template, can't be compiled: nothing imports it either
            pass


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(10000)  # some generated sources nest deeply
    compile_all(json.loads(sys.stdin.buffer.read().decode("utf-8")))
