"""Keras 0.3: Graph beside Sequential, show_accuracy, TimeDistributedDense, structure and weights saved apart.

One optimizer for all models: each other one costs Theano a minute of compiling.
"""

import os

from keras import backend as K
from keras.callbacks import Callback, EarlyStopping, ModelCheckpoint
from keras.layers.convolutional import Convolution2D, MaxPooling2D
from keras.layers.core import Activation, Dense, Flatten, Layer, TimeDistributedDense
from keras.layers.embeddings import Embedding
from keras.layers.recurrent import LSTM
from keras.models import Graph, Sequential, model_from_json
from kerasenv_probe import Unexpected, check_loaded, check_loss, numbers, same_numbers


class Scale(Layer):
    def __init__(self, start=2.0, **kwargs):
        self.start = start
        super(Scale, self).__init__(**kwargs)

    def build(self):
        self.scale = K.variable(self.start * same_numbers(self.input_shape[-1]))
        self.trainable_weights = [self.scale]

    def get_output(self, train=False):
        return self.get_input(train) * self.scale

    def get_config(self):
        config = super(Scale, self).get_config()
        config["start"] = self.start
        return config


class Epochs(Callback):
    def on_train_begin(self, logs={}):  # noqa: B006  # as every callback of Keras 0 was written
        self.seen = []

    def on_epoch_end(self, epoch, logs={}):  # noqa: B006
        self.seen.append(epoch)


def conv2d(keras, formats):
    shape = (1, 8, 8)  # channels first, unless a layer is told otherwise
    model = Sequential()
    model.add(Convolution2D(2, 3, 3, border_mode="same", input_shape=shape))
    model.add(Activation("relu"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Flatten())
    model.add(Dense(2))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="sgd")
    history = model.fit(
        same_numbers(8, *shape),
        same_numbers(8, 2).round(),
        batch_size=4,
        nb_epoch=1,
        show_accuracy=True,
        verbose=0,
    )
    return check_loss(float(history.history["loss"][-1]), "after a convolution")


def lstm(keras, formats):
    model = Sequential()
    model.add(Embedding(10, 4, input_length=5))
    model.add(LSTM(4, return_sequences=True))
    model.add(TimeDistributedDense(1))
    model.add(Activation("sigmoid"))
    # Theano would compile a hundred C++ modules, for minutes; this passes them over, and Python computes instead
    options = {"mode": "FAST_COMPILE"} if K._BACKEND == "theano" else {}
    model.compile(loss="binary_crossentropy", optimizer="sgd", **options)
    words = (same_numbers(8, 5) * 10).astype("int32")
    history = model.fit(words, same_numbers(8, 5, 1), batch_size=4, nb_epoch=1, verbose=0)
    return check_loss(float(history.history["loss"][-1]), "after a recurrence")


def functional(keras, formats):
    """Make what the functional API came to replace."""
    graph = Graph()
    graph.add_input(name="left", input_shape=(3,))
    graph.add_input(name="right", input_shape=(2,))
    graph.add_node(Scale(start=3.0), name="scaled", input="left")
    graph.add_node(Dense(2), name="joined", inputs=["scaled", "right"], merge_mode="concat")
    graph.add_output(name="output", input="joined")
    graph.compile("sgd", {"output": "mse"})
    data = {"left": same_numbers(8, 3), "right": same_numbers(8, 2), "output": same_numbers(8, 2)}
    history = graph.fit(data, batch_size=4, nb_epoch=1, verbose=0)
    predictions = numbers(graph.predict(data)["output"])
    with open("functional.json", "w") as file:
        file.write(graph.to_json())
    graph.save_weights("functional.h5")
    with open("functional.json") as file:
        loaded = model_from_json(file.read(), custom_objects={"Scale": Scale})
    loaded.load_weights("functional.h5")
    loaded.compile("sgd", {"output": "mse"})  # that old, a model can't predict before
    check_loaded(numbers(loaded.predict(data)["output"]), predictions)
    return check_loss(float(history.history["loss"][-1]), "after a graph")


def callbacks(keras, formats):
    model, x, y = regression()
    epochs = Epochs()
    model.fit(
        x,
        y,
        batch_size=8,
        nb_epoch=6,
        verbose=0,
        callbacks=[
            ModelCheckpoint("best.h5", monitor="loss", save_best_only=True),
            EarlyStopping(monitor="loss", mode="max", patience=1),
            epochs,
        ],
    )
    # The loss falls, and this EarlyStopping wants it to rise; the years don't agree on how long it is patient
    if len(epochs.seen) not in (2, 3):
        raise Unexpected("%d epochs were run; early stopping should have left 2 or 3 of 6" % len(epochs.seen))
    if not os.path.exists("best.h5"):
        raise Unexpected("ModelCheckpoint wrote no best.h5")
    model.load_weights("best.h5")
    return "stopped after %d epochs" % len(epochs.seen)


def generator(keras, formats):
    model, x, y = regression()

    def batches():
        while True:
            yield x[:4], y[:4]
            yield x[4:], y[4:]

    history = model.fit_generator(batches(), samples_per_epoch=8, nb_epoch=2, show_accuracy=False, verbose=0)
    return check_loss(float(history.history["loss"][-1]), "after a generator")


def regression():
    """Return a model whose loss falls from epoch to epoch, and data for it."""
    model = Sequential()
    model.add(Dense(1, input_dim=3, init="uniform"))
    model.compile(loss="mean_squared_error", optimizer="sgd")
    x = same_numbers(8, 3)
    return model, x, x.sum(axis=1, keepdims=True) + 3


STEPS = [conv2d, lstm, functional, callbacks, generator]
