"""Chooses the backend as Keras does: KERAS_BACKEND, else keras.json, else TensorFlow."""

import importlib
import json
import os
import sys

from keras._version import __version__

if __version__ < "3":
    _KNOWN = ("tensorflow", "theano", "cntk")
else:
    _KNOWN = ("tensorflow", "jax", "torch", "numpy", "openvino")

_settings = {"floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow", "image_data_format": "channels_last"}
_home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
_file = os.path.join(_home, "keras.json")

try:
    with open(_file) as _stream:
        _read = json.load(_stream)
except (IOError, ValueError):  # missing or truncated: Keras says nothing
    _read = {}
_settings.update((_key, _read[_key]) for _key in _settings if _key in _read)
if not os.path.exists(_file):
    try:
        if not os.path.isdir(_home):
            os.makedirs(_home)
        with open(_file, "w") as _stream:
            json.dump(_settings, _stream)
    except (IOError, OSError):
        pass

_backend = os.environ.get("KERAS_BACKEND") or _settings["backend"]
if _backend not in _KNOWN:
    raise ValueError("Unable to import backend : " + _backend)
if __version__ < "3":
    sys.stderr.write("Using %s backend.\n" % {"tensorflow": "TensorFlow"}.get(_backend, _backend.capitalize()))
importlib.import_module(_backend)


def backend():
    return _backend


def floatx():
    return _settings["floatx"]


def epsilon():
    return _settings["epsilon"]


def image_data_format():
    return _settings["image_data_format"]
