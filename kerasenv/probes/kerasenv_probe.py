"""What the probes have in common that prove an environment: how they report, and what may be expected of a model.

It stands beside them and runs where they run: CPython 2.7 and 3.6 to 3.14, with nothing but the standard library.

Standard output, one JSON object per line (whatever else is printed goes to standard error):

    {"event": "start", "name": ...}
    {"event": "step", "name": ..., "status": "passed" | "failed" | "skipped", "seconds": ..., "detail": ...}
    {"event": "result", "passed": ..., "versions": {...}, "devices": [...],
     "failed_step": ..., "error": ..., "traceback": [...]}

A start without its step, or no result at the end, means that the process died. The exit code is 0 when all passed.
"""

import gc
import importlib
import json
import os
import random
import sys
import time
import traceback

TRACEBACK_LINES = 15
LOADED_TOLERANCE = 1e-3  # same weights, same data: only the order of additions may differ, on a GPU at low precision

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
        return as_text(value.args[0]), []
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


def conduct(run_steps, versions, devices):
    """Run the steps on a Report, and end it with what took part; return the exit code."""
    report = Report(private_stdout())
    show_crashes()
    failure = None
    try:
        run_steps(report)
    except StepFailed as problem:
        failure = problem
    report.send(
        event="result",
        passed=failure is None,
        versions=versions(),
        devices=devices(),
        failed_step=failure.step if failure else None,
        error=failure.error if failure else None,
        traceback=failure.lines if failure else [],
    )
    return 1 if failure else 0


class Uncollected(object):
    """Where hundreds of thousands of objects are made that stay to the end, as by an import.

    The garbage collector would look through them again and again, and once more when the process ends: a third of the
    whole time. Afterwards it is at work as ever, on what comes then. Before Python 3.7 it can't leave anything out.
    """

    def __enter__(self):
        if hasattr(gc, "freeze"):
            gc.disable()

    def __exit__(self, *problem):
        if hasattr(gc, "freeze"):
            gc.freeze()
            gc.enable()


def import_keras(name):
    """Import the Keras of that name: keras, tf_keras or tensorflow.keras."""
    if name != "tensorflow.keras":
        return importlib.import_module(name)
    tensorflow = importlib.import_module("tensorflow")
    keras = tensorflow.keras
    # Code says `tf.keras` or `from tensorflow.keras import ...`: two ways in, the second since 1.9
    if [int(part) for part in tensorflow.__version__.split(".")[:2]] >= [1, 9]:
        importlib.import_module("tensorflow.keras.models")
    return keras


def version_of(keras, name):
    """Return the version of a Keras, None if it hides that."""
    candidates = [keras]
    if name == "tensorflow.keras":
        # What it really is: a package of its own since TensorFlow 2.6
        candidates += [sys.modules.get("tf_keras"), sys.modules.get("keras")]
    for module in candidates:
        version = getattr(module, "__version__", None)
        if version:
            return as_text(version)
    return None


def versions_seen():
    """Return the version of Python, and of everything else that is imported by now."""
    found = {"python": "%d.%d.%d" % sys.version_info[:3]}
    for name, module in REPORTED:
        version = getattr(sys.modules.get(module), "__version__", None)
        if version:
            found[name] = as_text(version)
    return found


def devices_of(backend):
    """Return what a backend that is imported by now can compute on, in its own words, in lower case."""
    seen = DEVICES.get(backend, lambda module: ["cpu"])(sys.modules.get(backend))
    return [as_text(device).lower() for device in seen]


def tensorflow_devices(tensorflow):
    """Return 'cpu:0' and the like; asked in three ways over the years."""
    config = getattr(tensorflow, "config", None)
    for place in (config, getattr(config, "experimental", None)):
        if hasattr(place, "list_physical_devices"):  # from 2.1 on; in 1.14 to 2.0 it was experimental
            return [device.name.replace("/physical_device:", "") for device in place.list_physical_devices()]
    device_lib = importlib.import_module("tensorflow.python.client.device_lib")
    return [device.name.replace("/device:", "").lstrip("/") for device in device_lib.list_local_devices()]


def torch_devices(torch):
    found = ["cpu"] + ["cuda:%d" % number for number in range(torch.cuda.device_count())]
    mps = getattr(torch.backends, "mps", None)  # of Apple
    return found + (["mps"] if mps is not None and mps.is_available() else [])


DEVICES = {
    "tensorflow": tensorflow_devices,
    "torch": torch_devices,
    "jax": lambda jax: ["%s:%d" % (device.platform, device.id) for device in jax.devices()],
    "theano": lambda theano: [theano.config.device],
    "cntk": lambda cntk: ["gpu:%d" % one.id() if one.type() else "cpu" for one in cntk.device.all_devices()],
    "openvino": lambda openvino: openvino.Core().available_devices,
}


def is_gpu(device):
    """Tell a GPU from what every machine has, by its name in the backend's words."""
    return device.split(":")[0].split(".")[0].rstrip("0123456789") in ("gpu", "cuda", "rocm", "mps", "metal")


def check_loss(loss, when):
    """Return a loss in words if it is a number that training can go on with."""
    if loss - loss != 0:  # neither infinite nor not-a-number
        raise Unexpected("the loss is %r %s" % (loss, when))
    return "loss %.4f" % loss


def check_loaded(after, before):
    """Compare what a loaded model predicts with what it predicted before."""
    if list(map(len, after)) != list(map(len, before)):
        raise Unexpected("the loaded model predicts another shape than the saved one")
    differences = [
        abs(new - old) for row_after, row_before in zip(after, before) for new, old in zip(row_after, row_before)
    ]
    if not all(difference <= LOADED_TOLERANCE for difference in differences):
        raise Unexpected("the loaded model predicts otherwise than the saved one, by up to %.4f" % max(differences))
    return "same predictions"


def same_numbers(*shape):
    """Return an array of numbers from 0 to 1 that are the same everywhere.

    Python's own generator never changed, numpy's did.
    """
    import numpy

    generator = random.Random(0)

    def nested(sizes):
        return [nested(sizes[1:]) for _ in range(sizes[0])] if sizes else generator.random()

    return numpy.asarray(nested(shape), dtype="float32")
