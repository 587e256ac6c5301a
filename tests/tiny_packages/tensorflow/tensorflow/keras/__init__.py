from keras import Sequential, __version__
from tensorflow.keras import backend, layers, models

__all__ = ["Sequential", "__version__", "backend", "layers", "models"]
