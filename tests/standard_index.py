"""The tiny packages that tests make environments from, and a profile that asks for them.

keras        2.3.1, 3.12.0, 3.15.1; 3.99.0 is yanked       chooses a backend, trains, saves and loads like the real one
tensorflow   1.15.0 for Python < 3.8, 2.21.0 for >= 3.10   [and-cuda] adds nvidia-cudnn, which is for Linux alone
theano       1.0.5, a source distribution
jax, torch   one version each
numpy        1.0 for Python < 3.10, 2.0 for >= 3.10
h5py         2.10.0, 3.14.0                                Keras 2.3.1 can't load a model with h5py 3
ml-dtypes    0.6.0, a wheel per CPython and platform       needed by tensorflow 2.21.0
libclang     18.1.1, a wheel per platform                  needed by tensorflow 2.21.0
pandas       1.0, 2.0                                      need numpy < 2 and >= 2
antique      1.0, a source distribution                    builds only with tiny-build < 2, and says nothing of that
pip          the last one of every era                     only knows --version
"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

import tomli_w

from kerasenv.platforms import PLATFORMS
from tests.local_index import TINY_PACKAGES, Sdist, Wheel, sources, with_tags

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_index import LocalIndex

PLATFORM_TAGS = (
    "manylinux2014_x86_64",
    "manylinux2014_aarch64",
    "macosx_12_0_arm64",
    "macosx_10_9_x86_64",
    "win_amd64",
)
MODERN_PYTHONS = ("cp310", "cp311", "cp312", "cp313", "cp314")
NEWEST = datetime(2026, 1, 1, tzinfo=timezone.utc)

PIPS = {"20.3.4": ">=2.7", "21.3.1": ">=3.6", "24.0": ">=3.7", "25.0.1": ">=3.8", "26.0": ">=3.9"}


def standard_index(index: LocalIndex) -> None:
    """Offer the whole set."""
    index.add(*standard_packages())


def write_profile(folder: Path, name: str = "tiny", **changes: Any) -> Path:
    """Write <folder>/<name>.toml, which the whole set can satisfy; return its path.

    `changes` replace whole keys (requires_python stands for requires-python), and None leaves one out.
    """
    profile: dict[str, Any] = {
        "name": name,
        "summary": "Tiny packages that behave like Keras.",
        "era": "tests",
        "requires-python": ">=3.10",
        "platforms": list(PLATFORMS),
        "requirements": ["tensorflow", "keras"],
        "backend": "tensorflow",
        "smoke": {"import": "keras", "formats": ["keras", "h5"]},
    }
    profile |= {key.replace("_", "-"): value for key, value in changes.items()}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(tomli_w.dumps({key: value for key, value in profile.items() if value is not None}), "utf-8")
    return path


@cache
def standard_packages() -> tuple[Wheel | Sdist, ...]:
    """Return the whole set."""
    modern: dict[str, Any] = {"requires_python": ">=3.10"}
    arrays = ("numpy", "h5py")
    return (
        _wheel("keras", "2.3.1", requires=arrays),
        _wheel("keras", "3.12.0", requires=arrays, **modern),
        _wheel("keras", "3.15.1", requires=arrays, **modern, uploaded=NEWEST),
        _wheel("keras", "3.99.0", requires=arrays, **modern, uploaded=NEWEST, yanked="breaks pickles"),
        _wheel("tensorflow", "1.15.0", requires=("numpy<2",), requires_python="<3.8"),
        _wheel(
            "tensorflow",
            "2.21.0",
            requires=("keras>=3.12", "libclang>=13", "ml-dtypes>=0.5,<1", "numpy>=2"),
            extras={"and-cuda": ("nvidia-cudnn",)},
            **modern,
        ),
        *with_tags(_wheel("nvidia-cudnn", "9.0"), *(f"py3-none-{tag}" for tag in PLATFORM_TAGS[:2])),
        *with_tags(_wheel("libclang", "18.1.1"), *(f"py2.py3-none-{tag}" for tag in PLATFORM_TAGS)),
        *with_tags(
            _wheel("ml-dtypes", "0.6.0", requires=("numpy>=2",), **modern),
            *(f"{python}-{python}-{tag}" for python in MODERN_PYTHONS for tag in PLATFORM_TAGS),
        ),
        Sdist(name="Theano", version="1.0.5", requires=("numpy",), files=_files("theano", "1.0.5")),
        _wheel("jax", "0.12.0", requires=("numpy>=2",), **modern),
        _wheel("torch", "2.15.0", **modern),
        _wheel("numpy", "1.0", requires_python="<3.10"),
        _wheel("numpy", "2.0", **modern),
        _wheel("h5py", "2.10.0", requires=("numpy",)),
        _wheel("h5py", "3.14.0", requires=("numpy",)),
        _wheel("pandas", "1.0", requires=("numpy<2",)),
        _wheel("pandas", "2.0", requires=("numpy>=2",)),
        Sdist(name="antique", version="1.0", files=_files("antique", "1.0"), build_requires=("tiny-build",)),
        Wheel(name="tiny-build", version="1.0", files=sources("tiny_build")),
        Wheel(name="tiny-build", version="2.0", files=sources("tiny_build_2")),
        *(
            _wheel("pip", version, requires_python=pythons, scripts={"pip": "pip:main"})
            for version, pythons in PIPS.items()
        ),
    )


def _wheel(name: str, version: str, **rest: Any) -> Wheel:
    return Wheel(name=name, version=version, files=_files(name, version), **rest)


def _files(name: str, version: str) -> dict[str, str]:
    """Return the files of a package; one without sources here is nothing but its version."""
    module = name.replace("-", "_")
    own = sources(name) if (TINY_PACKAGES / name).is_dir() else {}
    init = {f"{module}/__init__.py": f'from {module}._version import __version__\n\n__all__ = ["__version__"]\n'}
    return init | own | {f"{module}/_version.py": f'__version__ = "{version}"\n'}
