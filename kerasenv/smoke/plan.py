"""What a smoke test is asked to do."""

from __future__ import annotations

from dataclasses import dataclass


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
