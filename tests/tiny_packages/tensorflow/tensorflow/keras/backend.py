from keras.backend import *  # noqa: F403
