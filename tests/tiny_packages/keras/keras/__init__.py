from keras import backend, layers, models
from keras._version import __version__
from keras.models import Sequential

__all__ = ["Sequential", "__version__", "backend", "layers", "models"]
