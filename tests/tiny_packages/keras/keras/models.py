"""A model that learns how often each class occurs: one weight per class, changed by every batch."""

import json
import math

from keras import backend
from keras._version import __version__


class History(object):
    def __init__(self, loss):
        self.history = {"loss": loss}


class Sequential(object):
    def __init__(self, weights=()):
        self.weights = list(weights)
        self.compiled = False

    def add(self, layer):
        self.weights = [1.0] * layer.units

    def compile(self, optimizer, loss, metrics=()):
        self.compiled = True

    def fit(self, x, y, batch_size=32, epochs=1, verbose=0):
        if not self.compiled:
            raise RuntimeError("You must compile your model before training/testing. Use `model.compile(...)`.")
        if backend.backend() in ("numpy", "openvino"):
            raise NotImplementedError("fit not implemented for the %s backend." % backend.backend())
        for start in range(0, len(x), batch_size):
            batch = y[start : start + batch_size]
            self.weights = [
                weight + sum(column) / len(batch)
                for weight, column in zip(self.weights, zip(*batch))  # noqa: B905
            ]
        return History([1.0 / max(self.weights)])

    def predict(self, x, batch_size=32, verbose=0):
        return [self._softmax(sum(row) / len(row)) for row in x]

    def _softmax(self, value):
        exponentials = [math.exp(weight * value) for weight in self.weights]
        return [exponential / sum(exponentials) for exponential in exponentials]

    def save(self, path):
        if __version__ >= "3" and not path.endswith((".keras", ".h5")):
            raise ValueError("Invalid filepath extension for saving: " + path)
        with open(path, "w") as file:
            json.dump(self.weights, file)


def load_model(path):
    if __version__ < "3":
        import h5py

        if h5py.__version__ >= "3":
            "what h5py 3 returns is text already".decode("utf-8")  # fails as Keras 2.3.1 does
    with open(path) as file:
        return Sequential(json.load(file))
