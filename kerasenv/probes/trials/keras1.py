"""Keras 1: Convolution2D and border_mode, nb_epoch, merge, Model(input, output), samples_per_epoch.

One optimizer for all models: each other one costs Theano a minute of compiling.
"""

import os

from keras import backend as K
from keras.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint
from keras.engine.topology import Layer
from keras.layers import Activation, Dense, Embedding, Flatten, Input, LSTM, merge
from keras.layers.convolutional import Convolution2D, MaxPooling2D
from keras.models import Model, Sequential, load_model
from kerasenv_probe import Unexpected, check_loaded, check_loss, numbers, same_numbers


class Scale(Layer):
    def __init__(self, start=2.0, **kwargs):
        self.start = start
        super(Scale, self).__init__(**kwargs)

    def build(self, input_shape):
        self.scale = self.add_weight(
            shape=(input_shape[-1],),
            initializer=lambda shape, name=None: K.variable(self.start * same_numbers(*shape), name=name),
            name="{}_scale".format(self.name),
        )
        super(Scale, self).build(input_shape)

    def call(self, x, mask=None):
        return x * self.scale

    def get_output_shape_for(self, input_shape):
        return input_shape

    def get_config(self):
        config = super(Scale, self).get_config()
        config["start"] = self.start
        return config


def conv2d(keras, formats):
    shape = (1, 8, 8) if K.image_dim_ordering() == "th" else (8, 8, 1)
    model = Sequential()
    model.add(Convolution2D(2, 3, 3, border_mode="same", input_shape=shape))
    model.add(Activation("relu"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Flatten())
    model.add(Dense(2))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    history = model.fit(same_numbers(8, *shape), same_numbers(8, 2).round(), batch_size=4, nb_epoch=1, verbose=0)
    return check_loss(float(history.history["loss"][-1]), "after a convolution")


def lstm(keras, formats):
    model = Sequential()
    model.add(Embedding(10, 4, input_length=5))
    model.add(LSTM(4))
    model.add(Dense(1))
    model.add(Activation("sigmoid"))
    # Theano would compile a hundred C++ modules, for minutes; this passes them over, and Python computes instead
    options = {"mode": "FAST_COMPILE"} if K.backend() == "theano" else {}
    model.compile(loss="binary_crossentropy", optimizer="sgd", **options)
    words = (same_numbers(8, 5) * 10).astype("int32")
    history = model.fit(words, same_numbers(8, 1), batch_size=4, nb_epoch=1, verbose=0)
    return check_loss(float(history.history["loss"][-1]), "after a recurrence")


def functional(keras, formats):
    left, right = Input(shape=(3,)), Input(shape=(2,))
    joined = merge([Scale(start=3.0)(left), right], mode="concat")
    model = Model(input=[left, right], output=Dense(2)(joined))
    model.compile(loss="mse", optimizer="sgd")
    data = [same_numbers(8, 3), same_numbers(8, 2)]
    loss = model.train_on_batch(data, same_numbers(8, 2))
    predictions = numbers(model.predict(data))
    for kind in formats:
        model.save("functional." + kind)
        loaded = load_model("functional." + kind, custom_objects={"Scale": Scale})
        check_loaded(numbers(loaded.predict(data)), predictions)
    return check_loss(float(loss), "after a functional model")


def callbacks(keras, formats):
    model, x, y = regression()
    seen = []
    checkpoint = "best." + formats[0]
    model.fit(
        x,
        y,
        batch_size=8,
        nb_epoch=6,
        verbose=0,
        callbacks=[
            ModelCheckpoint(checkpoint, monitor="loss", save_best_only=True),
            EarlyStopping(monitor="loss", mode="max", patience=1),
            LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch)),
        ],
    )
    # The loss falls, and this EarlyStopping wants it to rise; the years don't agree on how long it is patient
    if len(seen) not in (2, 3):
        raise Unexpected("%d epochs were run; early stopping should have left 2 or 3 of 6" % len(seen))
    if not os.path.exists(checkpoint):
        raise Unexpected("ModelCheckpoint wrote no %s" % checkpoint)
    load_model(checkpoint)
    return "stopped after %d epochs" % len(seen)


def generator(keras, formats):
    model, x, y = regression()

    def batches():
        while True:
            yield x[:4], y[:4]
            yield x[4:], y[4:]

    history = model.fit_generator(batches(), samples_per_epoch=8, nb_epoch=2, verbose=0)
    return check_loss(float(history.history["loss"][-1]), "after a generator")


def regression():
    """Return a model whose loss falls from epoch to epoch, and data for it."""
    model = Sequential()
    model.add(Dense(1, input_dim=3, init="uniform"))
    model.compile(loss="mean_squared_error", optimizer="sgd")
    x = same_numbers(8, 3)
    return model, x, x.sum(axis=1, keepdims=True) + 3


STEPS = [conv2d, lstm, functional, callbacks, generator]
