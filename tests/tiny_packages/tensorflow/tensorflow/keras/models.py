from keras.models import *  # noqa: F403
