"""Keras 3 on any backend that trains: Input layers, keras.ops in a custom layer, PyDataset."""

import os

from kerasenv_probe import Unexpected, check_loaded, check_loss, numbers, same_numbers


def conv2d(keras, formats):
    shape = (8, 8, 1) if keras.config.image_data_format() == "channels_last" else (1, 8, 8)
    model = keras.Sequential(
        [
            keras.Input(shape=shape),
            keras.layers.Conv2D(2, kernel_size=3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(pool_size=2),
            keras.layers.Dropout(0.25),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    history = model.fit(same_numbers(8, *shape), same_numbers(8, 2).round(), batch_size=4, epochs=1, verbose=0)
    return check_loss(history.history["loss"][-1], "after a convolution")


def lstm(keras, formats):
    model = keras.Sequential(
        [
            keras.Input(shape=(5,), dtype="int32"),
            keras.layers.Embedding(10, 4),
            keras.layers.LSTM(4),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    words = (same_numbers(8, 5) * 10).astype("int32")
    history = model.fit(words, same_numbers(8, 1), batch_size=4, epochs=1, verbose=0)
    return check_loss(history.history["loss"][-1], "after a recurrence")


def functional(keras, formats):
    class Scale(keras.layers.Layer):
        def __init__(self, start=2.0, **kwargs):
            super().__init__(**kwargs)
            self.start = start

        def build(self, input_shape):
            self.scale = self.add_weight(
                shape=(input_shape[-1],), initializer=keras.initializers.Constant(self.start), name="scale"
            )

        def call(self, inputs):
            return keras.ops.multiply(inputs, keras.ops.exp(self.scale))

        def get_config(self):
            return dict(super().get_config(), start=self.start)

    left, right = keras.Input(shape=(3,)), keras.Input(shape=(2,))
    joined = keras.layers.concatenate([Scale(start=0.5)(left), right])
    model = keras.Model(inputs=[left, right], outputs=keras.layers.Dense(2)(joined))
    model.compile(loss="mean_squared_error", optimizer="sgd")
    data = [same_numbers(8, 3), same_numbers(8, 2)]
    history = model.fit(data, same_numbers(8, 2), batch_size=4, epochs=1, verbose=0)
    predictions = numbers(model.predict(data, verbose=0))
    for kind in formats:
        model.save("functional." + kind)
        loaded = keras.models.load_model("functional." + kind, custom_objects={"Scale": Scale})
        check_loaded(numbers(loaded.predict(data, verbose=0)), predictions)
    return check_loss(history.history["loss"][-1], "after a functional model")


def callbacks(keras, formats):
    model, x, y = regression(keras)
    seen = []
    model.fit(
        x,
        y,
        batch_size=8,
        epochs=6,
        verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint("best.keras", monitor="loss", save_best_only=True),
            keras.callbacks.EarlyStopping(monitor="loss", mode="max", patience=1),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch)),
        ],
    )
    # The loss falls, and this EarlyStopping wants it to rise; the years don't agree on how long it is patient
    if len(seen) not in (2, 3):
        raise Unexpected("%d epochs were run; early stopping should have left 2 or 3 of 6" % len(seen))
    if not os.path.exists("best.keras"):
        raise Unexpected("ModelCheckpoint wrote no best.keras")
    keras.models.load_model("best.keras")
    return "stopped after %d epochs" % len(seen)


def generator(keras, formats):
    model, x, y = regression(keras)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return x[index * 4 : index * 4 + 4], y[index * 4 : index * 4 + 4]

    history = model.fit(Batches(workers=1), epochs=2, verbose=0)
    return check_loss(history.history["loss"][-1], "after a PyDataset")


def regression(keras):
    """Return a model whose loss falls from epoch to epoch, and data for it."""
    model = keras.Sequential([keras.Input(shape=(3,)), keras.layers.Dense(1)])
    model.compile(loss="mean_squared_error", optimizer=keras.optimizers.SGD(0.01))
    x = same_numbers(8, 3)
    return model, x, x.sum(axis=1, keepdims=True) + 3


STEPS = [conv2d, lstm, functional, callbacks, generator]
