"""What a smoke test and an era trial are asked to do, and what may be said meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

IDIOMS = ("keras0", "keras1", "keras2", "keras3", "infer")
"""The ways in which the years wrote Keras, and what a backend can do that never trains."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SmokePlan:
    """The model is always the same; the plan says through which Keras, and what of it this backend can do."""

    import_name: str = "keras"
    """What is imported: keras, tensorflow.keras or tf_keras."""
    backend: str | None = None
    """The backend that must be in use; None checks nothing."""
    trains: bool = True
    """False for backends that only infer."""
    formats: tuple[str, ...] = ("h5", "keras")
    """The file formats a model is saved to and loaded from."""
    floatx: str | None = None
    epsilon: float | None = None
    image_data_format: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What `kerasenv smoke --full` does beyond the model."""

    idiom: str | None = None
    """One of IDIOMS; None leaves it to the Keras that the smoke test meets."""
    imports: tuple[str, ...] = ()
    """Import statements as the code of the era has them, each of which must work."""


def idiom_of(trial: Trial, plan: SmokePlan, keras: str | None) -> str:
    """Return the idiom of a trial, which follows from the Keras that is there if nobody says it.

    A Keras that hides its version is the tensorflow.keras of TensorFlow 2.13 to 2.15, or of tf_keras: a Keras 2.
    """
    if trial.idiom is not None:
        return trial.idiom
    if not plan.trains:
        return "infer"
    return f"keras{min(int(keras.split('.')[0]), 3) if keras else 2}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """A line that an era prints and can't help: any that holds this text, and why it is no fault."""

    text: str
    because: str
