"""Build, train, save and load one small Keras model, and report each step as it ends.

This runs in the Python of the environment that is being tested: CPython 2.7 and 3.6 to 3.14, with nothing but the
standard library until Keras is imported. It is started from an empty folder, and writes its models there.

argv[1], a JSON object:

    import    "keras", "tensorflow.keras" or "tf_keras"
    backend   the backend that must be in use, or null to accept any
    trains    false for a backend that can only infer
    formats   the file formats to save to and load from, such as ["h5", "keras"]
    settings  optional: the "floatx", "epsilon" and "image_data_format" that Keras must have read

Standard output, one JSON object per line (whatever else is printed goes to standard error):

    {"event": "start", "name": ...}
    {"event": "step", "name": ..., "status": "passed" | "failed" | "skipped", "seconds": ..., "detail": ...}
    {"event": "result", "passed": ..., "versions": {...}, "failed_step": ..., "error": ..., "traceback": [...]}

A start without its step, or no result at the end, means that the process died. The exit code is 0 when all passed.

Everything that is asked of Keras and of numpy (K is what the plan imports):

    import K, K.models, K.layers, K.backend       of tensorflow: tensorflow.keras.models ... as attributes,
                                                  tensorflow.__version__, and from 1.9 on import tensorflow.keras.models
    K.__version__                                 may be missing in tensorflow.keras; decides the spellings below
    K.backend.backend()                           or the name K.backend._BACKEND; with neither, it is TensorFlow
    K.backend.floatx(), epsilon(), image_data_format() or image_dim_ordering()   only for settings of the plan
    model = K.models.Sequential(); model.add(layer)
    K.layers.Input(shape=(784,)); K.layers.Dense(128, activation="relu"); K.layers.Dense(10, activation="softmax")
                                                  before Keras 3: no Input, and input_shape=(784,) on the first Dense
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])   before Keras 1: no metrics
    model.fit(x, y, batch_size=32, epochs=1, verbose=0).history["loss"][-1]     before Keras 2: nb_epoch
    model.predict(x, batch_size=32, verbose=0)    rows of numbers
    model.save("model.h5"), K.models.load_model("model.h5")
                                                  without save: to_json, save_weights, model_from_json, load_weights
    numpy.asarray(rows, dtype="float32")
"""

import sys

# A script's own folder comes first on sys.path, and what lies beside this file must not stand in for anything.
if not getattr(sys.flags, "isolated", 0) and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

import functools
import importlib
import json
import os
import random
import time
import traceback

INPUTS, HIDDEN, CLASSES = 784, 128, 10
SAMPLES, BATCH = 64, 32  # two training steps
TRACEBACK_LINES = 15
SUM_TOLERANCE = 1e-2  # ten float16 numbers
LOADED_TOLERANCE = 1e-3  # same weights, same data: only the order of additions may differ, on a GPU at low precision

DIM_ORDERINGS = {"th": "channels_first", "tf": "channels_last"}

# What a version is reported of: the name people know, and the module that says it
REPORTED = (
    ("numpy", "numpy"),
    ("tensorflow", "tensorflow"),
    ("tf_keras", "tf_keras"),
    ("theano", "theano"),
    ("cntk", "cntk"),
    ("torch", "torch"),
    ("jax", "jax"),
    ("openvino", "openvino"),
    ("h5py", "h5py"),
    ("protobuf", "google.protobuf"),
    ("scipy", "scipy"),
)

clock = getattr(time, "perf_counter", time.time)


class Unexpected(Exception):
    """Nothing raised, and yet what came out isn't what was promised."""


class StepFailed(Exception):
    """A step did not pass: its name, the error in words, and the end of the traceback."""

    def __init__(self, step, error, lines):
        Exception.__init__(self, error)
        self.step = step
        self.error = error
        self.lines = lines


def private_stdout():
    """Keep standard output for the report alone: libraries write to it from Python and from C."""
    private = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return private


def show_crashes():
    """Have Python say where it was when a library brings the process down."""
    try:
        import faulthandler
    except ImportError:  # Python 2.7
        return
    faulthandler.enable(sys.stderr)


def as_text(value):
    """Return text that can be encoded anywhere, from text, from the bytes that Python 2 calls str, or from anything."""
    if not isinstance(value, bytes) and not hasattr(value, "encode"):
        value = str(value)
    if not isinstance(value, bytes):
        value = value.encode("utf-8", "replace")
    return value.decode("utf-8", "replace")


def describe_exception():
    """Return the current exception in words, and the last lines of its traceback."""
    kind, value, trace = sys.exc_info()
    if isinstance(value, Unexpected):
        return as_text(str(value)), []
    trace = trace.tb_next or trace  # without Report.run
    words = traceback.format_exception_only(kind, value)
    # A SyntaxError comes with the line and the place; its message is the last part
    message = words[-1] if isinstance(value, SyntaxError) else "".join(words)
    lines = [
        line.rstrip()
        for part in traceback.format_exception(kind, value, trace)
        for line in as_text(part).splitlines()
        if line.strip(" ~^")  # neither empty nor the markers under the source that Python 3.11 and newer draw
    ]
    return as_text(message).strip(), lines[-TRACEBACK_LINES:]


def numbers(rows):
    """Return plain floats, so that nothing of numpy is needed to compare them."""
    return [[float(number) for number in row] for row in rows]


class Report(object):
    """Writes what happens to the private standard output."""

    def __init__(self, stream):
        self.stream = stream

    def send(self, **event):
        self.stream.write(json.dumps(event, sort_keys=True).encode("ascii") + b"\n")
        self.stream.flush()

    def run(self, name, act):
        """Run one step; `act` returns a detail worth telling."""
        self.send(event="start", name=name)
        started = clock()
        try:
            detail = act()
        except KeyboardInterrupt:
            raise
        except BaseException:  # a library that calls sys.exit has failed the step, too
            error, lines = describe_exception()
            self.tell(name, "failed", clock() - started, error)
            raise StepFailed(name, error, lines)
        self.tell(name, "passed", clock() - started, detail)

    def skip(self, name, reason):
        self.tell(name, "skipped", 0.0, reason)

    def tell(self, name, status, seconds, detail):
        self.send(event="step", name=name, status=status, seconds=round(seconds, 3), detail=detail or "")


class Smoke(object):
    """The steps in their order; each leaves behind what the next ones need."""

    def __init__(self, plan):
        self.name = str(plan["import"])
        self.promised = plan.get("backend")
        self.settings = plan.get("settings") or {}
        self.keras = self.models = self.layers = self.backend = None
        self.version = None
        self.backend_in_use = None
        self.major = None
        self.model = None
        self.inputs = self.targets = None
        self.predictions = None

    def import_keras(self):
        if self.name == "tensorflow.keras":
            tensorflow = importlib.import_module("tensorflow")
            self.keras = tensorflow.keras
            self.models, self.layers, self.backend = self.keras.models, self.keras.layers, self.keras.backend
            # Code says `tf.keras` or `from tensorflow.keras import ...`: two ways in, the second since 1.9
            if [int(part) for part in tensorflow.__version__.split(".")[:2]] >= [1, 9]:
                importlib.import_module("tensorflow.keras.models")
        else:
            self.keras = importlib.import_module(self.name)
            self.models = importlib.import_module(self.name + ".models")
            self.layers = importlib.import_module(self.name + ".layers")
            self.backend = importlib.import_module(self.name + ".backend")
        self.version = self.find_version()
        # tensorflow.keras hides its version in TensorFlow 2.13 to 2.15 and with tf_keras: always a Keras 2
        self.major = int(self.version.split(".")[0]) if self.version else 2
        return "%s %s" % (self.name, self.version or "of unknown version")

    def find_version(self):
        candidates = [self.keras]
        if self.name == "tensorflow.keras":
            # What it really is: a package of its own since TensorFlow 2.6
            candidates += [sys.modules.get("tf_keras"), sys.modules.get("keras")]
        for module in candidates:
            version = getattr(module, "__version__", None)
            if version:
                return as_text(version)
        return None

    def check_backend(self):
        self.backend_in_use = self.find_backend()
        if self.promised and self.backend_in_use != self.promised:
            raise Unexpected("the backend in use is %s; %s was promised" % (self.backend_in_use, self.promised))
        for setting in sorted(self.settings):
            promised, read = self.settings[setting], self.find_setting(setting)
            same = abs(float(read) - promised) <= promised * 1e-6 if setting == "epsilon" else read == promised
            if not same:
                raise Unexpected("%s is %s; %s was promised" % (setting, read, promised))
        return self.backend_in_use

    def find_backend(self):
        if hasattr(self.backend, "backend"):
            return as_text(self.backend.backend())
        # Before Keras 1.0.7 a name held it; the first releases of tensorflow.keras don't say it, having no choice
        return as_text(getattr(self.backend, "_BACKEND", "tensorflow"))

    def find_setting(self, name):
        if name == "image_data_format" and not hasattr(self.backend, name):
            return DIM_ORDERINGS[self.backend.image_dim_ordering()]  # Keras 1
        return getattr(self.backend, name)()

    def build(self):
        dense = self.layers.Dense
        self.model = self.models.Sequential()
        if self.major >= 3:
            self.model.add(self.layers.Input(shape=(INPUTS,)))
            self.model.add(dense(HIDDEN, activation="relu"))
        else:
            self.model.add(dense(HIDDEN, activation="relu", input_shape=(INPUTS,)))
        self.model.add(dense(CLASSES, activation="softmax"))

    def compile(self):
        self.compile_model(self.model)

    def compile_model(self, model):
        options = {"metrics": ["accuracy"]} if self.major >= 1 else {}
        model.compile(optimizer="adam", loss="categorical_crossentropy", **options)

    def make_data(self):
        """Make the same data everywhere: Python's own generator never changed, numpy's did."""
        if self.inputs is None:
            import numpy

            generator = random.Random(0)
            inputs = [[generator.random() for _ in range(INPUTS)] for _ in range(SAMPLES)]
            targets = [[float(sample % CLASSES == column) for column in range(CLASSES)] for sample in range(SAMPLES)]
            self.inputs = numpy.asarray(inputs, dtype="float32")
            self.targets = numpy.asarray(targets, dtype="float32")

    def train(self):
        self.make_data()
        epochs = {"epochs" if self.major >= 2 else "nb_epoch": 1}
        history = self.model.fit(self.inputs, self.targets, batch_size=BATCH, verbose=0, **epochs)
        loss = float(history.history["loss"][-1])
        if loss - loss != 0:  # neither infinite nor not-a-number
            raise Unexpected("the loss is %r after two training steps" % loss)
        return "loss %.4f" % loss

    def predict(self):
        self.make_data()
        self.predictions = self.predict_with(self.model)
        shape = sorted(set(map(len, self.predictions)))
        if len(self.predictions) != SAMPLES or shape != [CLASSES]:
            raise Unexpected(
                "%d predictions of length %s; %d of length %d were expected"
                % (len(self.predictions), shape, SAMPLES, CLASSES)
            )
        for row in self.predictions:
            if not abs(sum(row) - 1) <= SUM_TOLERANCE:  # this way round, not-a-number fails
                raise Unexpected("the probabilities of a sample add up to %.4f" % sum(row))

    def predict_with(self, model):
        return numbers(model.predict(self.inputs, batch_size=BATCH, verbose=0))

    def save(self, kind):
        path = "model." + kind
        if hasattr(self.model, "save"):
            self.model.save(path)
        else:  # before Keras 1.0.7: structure and weights apart
            with open(path + ".json", "w") as file:
                file.write(self.model.to_json())
            self.model.save_weights(path)
        return "%d kB" % (os.path.getsize(path) // 1000)

    def load(self, kind):
        path = "model." + kind
        if hasattr(self.models, "load_model"):
            loaded = self.models.load_model(path)
        else:
            with open(path + ".json") as file:
                loaded = self.models.model_from_json(file.read())
            loaded.load_weights(path)
            self.compile_model(loaded)  # that old, a model can't predict before
        predictions = self.predict_with(loaded)
        if list(map(len, predictions)) != list(map(len, self.predictions)):
            raise Unexpected("the loaded model predicts another shape than the saved one")
        differences = [
            abs(after - before)
            for row_after, row_before in zip(predictions, self.predictions)
            for after, before in zip(row_after, row_before)
        ]
        if not all(difference <= LOADED_TOLERANCE for difference in differences):
            raise Unexpected("the loaded model predicts otherwise than the saved one, by up to %.4f" % max(differences))
        return "same predictions"

    def versions(self):
        """Return the version of everything that took part."""
        found = {"python": "%d.%d.%d" % sys.version_info[:3]}
        if self.version:
            found["keras"] = self.version
        if self.backend_in_use:
            found["backend"] = self.backend_in_use
        for name, module in REPORTED:
            version = getattr(sys.modules.get(module), "__version__", None)
            if version:
                found[name] = as_text(version)
        return found


def run_steps(plan, report, smoke):
    report.run("import", smoke.import_keras)
    report.run("backend", smoke.check_backend)
    report.run("build", smoke.build)
    report.run("compile", smoke.compile)
    if plan["trains"]:
        report.run("train", smoke.train)
    else:
        report.skip("train", "the %s backend can only infer" % smoke.backend_in_use)
    report.run("predict", smoke.predict)
    for kind in map(str, plan["formats"]):
        report.run("save " + kind, functools.partial(smoke.save, kind))
        report.run("load " + kind, functools.partial(smoke.load, kind))


def main():
    report = Report(private_stdout())
    show_crashes()
    plan = json.loads(sys.argv[1])
    smoke = Smoke(plan)
    failure = None
    try:
        run_steps(plan, report, smoke)
    except StepFailed as problem:
        failure = problem
    report.send(
        event="result",
        passed=failure is None,
        versions=smoke.versions(),
        failed_step=failure.step if failure else None,
        error=failure.error if failure else None,
        traceback=failure.lines if failure else [],
    )
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
