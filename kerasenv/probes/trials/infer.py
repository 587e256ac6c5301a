"""Keras 3 on a backend that never trains: the same models predict, are saved, and predict the same when loaded."""

from kerasenv_probe import check_loaded, numbers, same_numbers


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
    return check_saved(keras, model, same_numbers(8, *shape), formats)


def lstm(keras, formats):
    model = keras.Sequential(
        [
            keras.Input(shape=(5,), dtype="int32"),
            keras.layers.Embedding(10, 4),
            keras.layers.LSTM(4),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    return check_saved(keras, model, (same_numbers(8, 5) * 10).astype("int32"), formats)


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
    return check_saved(keras, model, [same_numbers(8, 3), same_numbers(8, 2)], formats, Scale=Scale)


def generator(keras, formats):
    model = keras.Sequential([keras.Input(shape=(3,)), keras.layers.Dense(1)])
    x = same_numbers(8, 3)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return (x[index * 4 : index * 4 + 4],)

    return check_loaded(numbers(model.predict(Batches(workers=1), verbose=0)), numbers(model.predict(x, verbose=0)))


def check_saved(keras, model, x, formats, **custom_objects):
    before = numbers(model.predict(x, verbose=0))
    for kind in formats:
        model.save("model." + kind)
        loaded = keras.models.load_model("model." + kind, custom_objects=custom_objects)
        check_loaded(numbers(loaded.predict(x, verbose=0)), before)
    return "same predictions"


STEPS = [conv2d, lstm, functional, generator]
