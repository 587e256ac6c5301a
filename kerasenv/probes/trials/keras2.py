"""Keras 2, standalone, in TensorFlow or as tf_keras: Conv2D, padding, epochs, fit_generator with steps_per_epoch.

One optimizer for all models: each other one costs Theano a minute of compiling.
"""

import os

from kerasenv_probe import Unexpected, check_loaded, check_loss, numbers, same_numbers


def conv2d(keras, formats):
    layers = keras.layers
    shape = (8, 8, 1) if keras.backend.image_data_format() == "channels_last" else (1, 8, 8)
    model = keras.models.Sequential()
    model.add(layers.Conv2D(2, kernel_size=(3, 3), padding="same", activation="relu", input_shape=shape))
    model.add(layers.MaxPooling2D(pool_size=(2, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    images = same_numbers(8, *shape)
    history = model.fit(images, same_numbers(8, 2).round(), batch_size=4, epochs=1, verbose=0)
    return check_loss(history.history["loss"][-1], "after a convolution")


def lstm(keras, formats):
    model = keras.models.Sequential()
    model.add(keras.layers.Embedding(10, 4))
    model.add(keras.layers.LSTM(4))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    # Theano would compile a hundred C++ modules, for minutes; this passes them over, and Python computes instead
    options = {"mode": "FAST_COMPILE"} if os.environ.get("KERAS_BACKEND") == "theano" else {}
    model.compile(loss="binary_crossentropy", optimizer="sgd", **options)
    words = (same_numbers(8, 5) * 10).astype("int32")
    history = model.fit(words, same_numbers(8, 1), batch_size=4, epochs=1, verbose=0)
    return check_loss(history.history["loss"][-1], "after a recurrence")


def functional(keras, formats):
    class Scale(keras.layers.Layer):
        def __init__(self, start=2.0, **kwargs):
            super(Scale, self).__init__(**kwargs)
            self.start = start

        def build(self, input_shape):
            self.scale = self.add_weight(
                name="scale",
                shape=(int(input_shape[-1]),),
                initializer=keras.initializers.Constant(self.start),
                trainable=True,
            )
            super(Scale, self).build(input_shape)

        def call(self, inputs):
            return inputs * self.scale

        def compute_output_shape(self, input_shape):
            return input_shape

        def get_config(self):
            config = super(Scale, self).get_config()
            config["start"] = self.start
            return config

    left, right = keras.layers.Input(shape=(3,)), keras.layers.Input(shape=(2,))
    joined = keras.layers.concatenate([Scale(start=3.0)(left), right])
    model = keras.models.Model(inputs=[left, right], outputs=keras.layers.Dense(2)(joined))
    model.compile(loss="mse", optimizer="sgd")
    data = [same_numbers(8, 3), same_numbers(8, 2)]
    loss = model.train_on_batch(data, same_numbers(8, 2))
    predictions = numbers(model.predict(data, verbose=0))
    for kind in formats:
        model.save("functional." + kind)
        loaded = keras.models.load_model("functional." + kind, custom_objects={"Scale": Scale})
        check_loaded(numbers(loaded.predict(data, verbose=0)), predictions)
    return check_loss(loss, "after a functional model")


def callbacks(keras, formats):
    model, x, y = regression(keras)
    seen = []
    checkpoint = "best." + formats[0]
    model.fit(
        x,
        y,
        batch_size=8,
        epochs=6,
        verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint(checkpoint, monitor="loss", save_best_only=True),
            keras.callbacks.EarlyStopping(monitor="loss", mode="max", patience=1),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch)),
        ],
    )
    # The loss falls, and this EarlyStopping wants it to rise; the years don't agree on how long it is patient
    if len(seen) not in (2, 3):
        raise Unexpected("%d epochs were run; early stopping should have left 2 or 3 of 6" % len(seen))
    if not os.path.exists(checkpoint):
        raise Unexpected("ModelCheckpoint wrote no %s" % checkpoint)
    keras.models.load_model(checkpoint)
    return "stopped after %d epochs" % len(seen)


def generator(keras, formats):
    model, x, y = regression(keras)

    def batches():
        while True:
            yield x[:4], y[:4]
            yield x[4:], y[4:]

    # TensorFlow 2.1 began to deprecate it for fit
    fit = getattr(model, "fit_generator", model.fit)
    history = fit(batches(), steps_per_epoch=2, epochs=2, verbose=0)
    detail = check_loss(history.history["loss"][-1], "after a generator")
    if hasattr(keras.utils, "Sequence"):  # since 2.0.5

        class Batches(keras.utils.Sequence):
            def __len__(self):
                return 2

            def __getitem__(self, index):
                return x[index * 4 : index * 4 + 4], y[index * 4 : index * 4 + 4]

            def on_epoch_end(self):  # Keras 2.0.8 has none of its own
                pass

        history = fit(Batches(), steps_per_epoch=2, epochs=1, verbose=0)
        check_loss(history.history["loss"][-1], "after a Sequence")
    return detail


def regression(keras):
    """Return a model whose loss falls from epoch to epoch, and data for it."""
    model = keras.models.Sequential([keras.layers.Dense(1, input_shape=(3,))])
    model.compile(loss="mean_squared_error", optimizer="sgd")
    x = same_numbers(8, 3)
    return model, x, x.sum(axis=1, keepdims=True) + 3


STEPS = [conv2d, lstm, functional, callbacks, generator]
