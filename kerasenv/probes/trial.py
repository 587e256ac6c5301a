"""Try an environment as the code of its era would use it: import statements, then small models in the era's own words.

This runs in the Python of the environment that is being tried, after the smoke test, in a process of its own: CPython
2.7 and 3.6 to 3.14. It is started from an empty folder, and writes its models there. What is done is in trials/, one
file for each way in which the years wrote Keras.

argv[1], a JSON object:

    import    "keras", "tensorflow.keras" or "tf_keras"
    formats   the file formats to save to and load from, such as ["h5", "keras"]
    idiom     the file of trials/ that is run
    imports   the statements that must work, in their order

All statements run in one process, each in a namespace of its own, before anything else is imported: so does a program
that has them one after the other. Each is tried, whatever happened to those before it.

Standard output is the report of kerasenv_probe.py.
"""

import sys

# A script's own folder comes first on sys.path, and what lies beside this file must not stand in for anything.
if not getattr(sys.flags, "isolated", 0) and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

import functools
import json
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))

sys.path.append(FOLDER)
sys.dont_write_bytecode, writes = True, sys.dont_write_bytecode  # this folder is not the environment's
from kerasenv_probe import (  # noqa: E402  # only now it can be found
    Uncollected,
    Unexpected,
    conduct,
    describe_exception,
    import_keras,
    version_of,
    versions_seen,
)

sys.path.pop()
sys.dont_write_bytecode = writes


class Trial(object):
    """What the steps share."""

    def __init__(self, plan):
        self.name = str(plan["import"])
        self.imports = [str(statement) for statement in plan["imports"]]
        self.path = os.path.join(FOLDER, "trials", plan["idiom"] + ".py")
        self.formats = [str(kind) for kind in plan["formats"]]
        self.keras = None
        self.steps = []

    def run_imports(self):
        failed = []
        for statement in self.imports:
            try:
                with Uncollected():
                    exec(statement, {"__name__": "imports"})
            except Exception:
                failed.append("%s\n%s" % (statement, describe_exception()[0]))
        if failed:
            raise Unexpected("%d of %d fail:\n%s" % (len(failed), len(self.imports), "\n".join(failed)))
        return "all %d" % len(self.imports)

    def run_import(self):
        with Uncollected():
            self.keras = import_keras(self.name)
        namespace = {"__name__": "trial"}
        with open(self.path) as file:
            # Compiled under its path, so that a traceback can show its lines
            exec(compile(file.read(), self.path, "exec"), namespace)
        self.steps = namespace["STEPS"]

    def versions(self):
        found = versions_seen()
        version = version_of(self.keras, self.name)
        if version:
            found["keras"] = version
        return found


def run_steps(trial, report):
    if trial.imports:
        report.run("imports", trial.run_imports)
    report.run("import", trial.run_import)
    for step in trial.steps:
        report.run(step.__name__, functools.partial(step, trial.keras, trial.formats))


def main():
    trial = Trial(json.loads(sys.argv[1]))
    return conduct(functools.partial(run_steps, trial), trial.versions, list)


if __name__ == "__main__":
    sys.exit(main())
