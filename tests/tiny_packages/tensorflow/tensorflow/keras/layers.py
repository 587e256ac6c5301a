from keras.layers import *  # noqa: F403
