from tensorflow._version import __version__

__all__ = ["__version__"]


def __getattr__(name):  # loaded lazily, since Keras needs TensorFlow in turn
    if name != "keras":
        raise AttributeError("module 'tensorflow' has no attribute '%s'" % name)
    import importlib

    return importlib.import_module("tensorflow.keras")
