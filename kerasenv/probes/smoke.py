"""Build, train, save and load one small Keras model, and report each step as it ends.

This runs in the Python of the environment that is being tested: CPython 2.7 and 3.6 to 3.14, with nothing but the
standard library until Keras is imported. It is started from an empty folder, and writes its models there.

argv[1], a JSON object:

    import    "keras", "tensorflow.keras" or "tf_keras"
    backend   the backend that must be in use, or null to accept any
    trains    false for a backend that can only infer
    formats   the file formats to save to and load from, such as ["h5", "keras"]
    gpu       optional: true if the backend must see a GPU
    settings  optional: the "floatx", "epsilon" and "image_data_format" that Keras must have read

Standard output is the report of kerasenv_probe.py.

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

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode, writes = True, sys.dont_write_bytecode  # this folder is not the environment's
from kerasenv_probe import (  # noqa: E402  # only now it can be found
    Uncollected,
    Unexpected,
    as_text,
    check_loaded,
    check_loss,
    conduct,
    devices_of,
    import_keras,
    is_gpu,
    numbers,
    same_numbers,
    version_of,
    versions_seen,
)

sys.path.pop()
sys.dont_write_bytecode = writes

INPUTS, HIDDEN, CLASSES = 784, 128, 10
SAMPLES, BATCH = 64, 32  # two training steps
SUM_TOLERANCE = 1e-2  # ten float16 numbers

DIM_ORDERINGS = {"th": "channels_first", "tf": "channels_last"}


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
        with Uncollected():
            self.keras = import_keras(self.name)
            if self.name == "tensorflow.keras":
                self.models, self.layers, self.backend = self.keras.models, self.keras.layers, self.keras.backend
            else:
                self.models = importlib.import_module(self.name + ".models")
                self.layers = importlib.import_module(self.name + ".layers")
                self.backend = importlib.import_module(self.name + ".backend")
        self.version = version_of(self.keras, self.name)
        # tensorflow.keras hides its version in TensorFlow 2.13 to 2.15 and with tf_keras: always a Keras 2
        self.major = int(self.version.split(".")[0]) if self.version else 2
        return "%s %s" % (self.name, self.version or "of unknown version")

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

    def check_gpu(self):
        seen = devices_of(self.backend_in_use)
        gpus = [device for device in seen if is_gpu(device)]
        if not gpus:
            raise Unexpected("%s sees no GPU; it sees %s" % (self.backend_in_use, ", ".join(seen) or "nothing"))
        return ", ".join(gpus)

    def devices(self):
        """Return what the backend can compute on; that it can't tell is no fault of the model."""
        try:
            return devices_of(self.backend_in_use)
        except Exception:
            return []

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
        """Make them once."""
        if self.inputs is None:
            import numpy

            targets = [[float(sample % CLASSES == column) for column in range(CLASSES)] for sample in range(SAMPLES)]
            self.inputs = same_numbers(SAMPLES, INPUTS)
            self.targets = numpy.asarray(targets, dtype="float32")

    def train(self):
        self.make_data()
        epochs = {"epochs" if self.major >= 2 else "nb_epoch": 1}
        history = self.model.fit(self.inputs, self.targets, batch_size=BATCH, verbose=0, **epochs)
        return check_loss(float(history.history["loss"][-1]), "after two training steps")

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
        return check_loaded(self.predict_with(loaded), self.predictions)

    def versions(self):
        """Return the version of everything that took part."""
        found = versions_seen()
        if self.version:
            found["keras"] = self.version
        if self.backend_in_use:
            found["backend"] = self.backend_in_use
        return found


def run_steps(plan, report, smoke):
    report.run("import", smoke.import_keras)
    report.run("backend", smoke.check_backend)
    if plan.get("gpu"):
        report.run("gpu", smoke.check_gpu)
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
    plan = json.loads(sys.argv[1])
    smoke = Smoke(plan)
    return conduct(functools.partial(run_steps, plan, smoke=smoke), smoke.versions, smoke.devices)


if __name__ == "__main__":
    sys.exit(main())
