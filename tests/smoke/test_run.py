from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from kerasenv import process, progress
from kerasenv.resources import probe
from kerasenv.smoke.plan import IDIOMS, Noise, SmokePlan, Trial
from kerasenv.smoke.run import SmokeResult, StepResult, run_smoke, run_trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import FindPython

TINY_PACKAGES = Path(__file__).resolve().parents[1] / "tiny_packages"
PYTHON = Path(sys.executable)
ALL_STEPS = [
    "import",
    "backend",
    "build",
    "compile",
    "train",
    "predict",
    "save h5",
    "load h5",
    "save keras",
    "load keras",
]


class Packages:
    """A folder of tiny packages on PYTHONPATH: a Keras that can be broken at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, version in {"keras": "3.15.1", "numpy": "2.5.5", "tensorflow": "2.21.0"}.items():
            shutil.copytree(TINY_PACKAGES / name / name, folder / name)
            self.set_version(name, version)

    def set_version(self, name: str, version: str) -> None:
        self.add(f"{name}/_version.py", f"__version__ = '{version}'")

    def add(self, path: str, code: str) -> None:
        """Append code to a module, which may be a new one."""
        with (self.folder / path).open("a", encoding="utf-8") as file:
            file.write(f"\n{dedent(code).strip()}\n")

    def smoke(
        self,
        plan: SmokePlan | None = None,
        *,
        python: Path = PYTHON,
        on_step: Callable[[StepResult], None] | None = None,
        timeout: float | None = 120,
        gpu: bool = False,
        noise: tuple[Noise, ...] = (),
        **environ: str,
    ) -> SmokeResult:
        return run_smoke(
            python,
            plan or SmokePlan(backend="tensorflow"),
            environ={**os.environ, "PYTHONPATH": str(self.folder), **environ},
            on_step=on_step,
            timeout=timeout,
            gpu=gpu,
            noise=noise,
        )


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path / "packages")


def statuses(result: SmokeResult) -> dict[str, str]:
    return {step.name: step.status for step in result.steps}


# What works


def test_every_step_passes_and_is_told_as_it_ends(packages: Packages) -> None:
    told: list[StepResult] = []

    result = packages.smoke(on_step=told.append)

    assert result.passed, result
    assert [step.name for step in result.steps] == ALL_STEPS
    assert set(statuses(result).values()) == {"passed"}
    assert tuple(told) == result.steps
    assert all(step.seconds >= 0 for step in result.steps)
    assert (result.failed_step, result.error, result.traceback, result.meaning) == (None, None, (), None)
    assert (result.noise, result.unknown) == (0, ())


def test_steps_are_told_where_progress_is_heard(packages: Packages) -> None:
    """They come from a thread, which would begin with nobody listening."""
    heard: list[str] = []

    class Listener:
        def begin(self, step: progress.Step) -> None: ...
        def detail(self, line: str) -> None: ...
        def end(self, step: progress.Step) -> None: ...
        def note(self, text: str) -> None: ...
        def substep(self, line: str) -> None: ...
        def passing(self, line: str) -> None:
            heard.append(line)

    with progress.listening(Listener()):
        packages.smoke(on_step=lambda step: progress.passing(step.name))

    assert heard == ALL_STEPS


def test_versions_are_those_that_took_part(packages: Packages) -> None:
    versions = packages.smoke().versions

    assert versions == {
        "python": ".".join(map(str, sys.version_info[:3])),
        "keras": "3.15.1",
        "backend": "tensorflow",
        "numpy": "2.5.5",
        "tensorflow": "2.21.0",
    }


def test_keras_inside_tensorflow(packages: Packages) -> None:
    result = packages.smoke(SmokePlan(import_name="tensorflow.keras", backend="tensorflow"))

    assert result.passed, result
    assert result.steps[0].detail == "tensorflow.keras 3.15.1"


def test_a_backend_that_only_infers_skips_training(packages: Packages) -> None:
    packages.add("openvino.py", "")

    result = packages.smoke(SmokePlan(backend="openvino", trains=False), KERAS_BACKEND="openvino")

    assert result.passed, result
    train = result.steps[ALL_STEPS.index("train")]
    assert (train.status, train.detail) == ("skipped", "the openvino backend can only infer")


def test_only_the_formats_of_the_plan(packages: Packages) -> None:
    result = packages.smoke(SmokePlan(formats=("keras",)))

    assert [step.name for step in result.steps] == [*ALL_STEPS[:6], "save keras", "load keras"]


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_runs_on_every_python(packages: Packages, python: FindPython, version: str) -> None:
    """The probe is written for all of them at once."""
    result = packages.smoke(python=python(version))

    assert result.passed, result
    assert result.versions["python"].startswith(f"{version}.")


def test_speaks_the_language_of_keras_1(packages: Packages) -> None:
    packages.set_version("keras", "1.2.2")
    packages.add("h5py.py", "__version__ = '2.10.0'")
    packages.add(
        "keras/models.py", "def fit(self, x, y, batch_size, nb_epoch, verbose): return History([float(nb_epoch)])"
    )
    packages.add("keras/models.py", "Sequential.fit = fit")
    packages.add("keras/layers.py", "del Input")
    packages.add("keras/backend.py", "del image_data_format\ndef image_dim_ordering(): return 'tf'")

    result = packages.smoke(SmokePlan(backend="tensorflow", image_data_format="channels_last"))

    assert result.passed, result
    assert result.steps[ALL_STEPS.index("train")].detail == "loss 1.0000"


def test_speaks_the_language_of_keras_0(packages: Packages) -> None:
    """No metrics, no function that names the backend, and structure and weights are saved apart."""
    packages.set_version("keras", "0.3.3")
    packages.add("keras/backend.py", "_BACKEND = backend()\ndel backend")
    packages.add(
        "keras/models.py",
        """
        del load_model, Sequential.save

        def compile(self, optimizer, loss):
            self.compiled = True

        def fit(self, x, y, batch_size, nb_epoch, verbose):
            return History([1.0])

        def predict(self, x, batch_size, verbose):
            assert self.compiled
            return [self._softmax(sum(row) / len(row)) for row in x]

        def save_weights(self, path):
            with open(path, "w") as file:
                json.dump(self.weights, file)

        def load_weights(self, path):
            with open(path) as file:
                self.weights = json.load(file)

        Sequential.compile, Sequential.fit, Sequential.predict = compile, fit, predict
        Sequential.save_weights, Sequential.load_weights = save_weights, load_weights
        Sequential.to_json = lambda self: "{}"

        def model_from_json(text):
            return Sequential()
        """,
    )

    result = packages.smoke()

    assert result.passed, result


# What fails


def test_an_import_that_fails(packages: Packages) -> None:
    (packages.folder / "tensorflow" / "__init__.py").write_text("import missing_library")

    result = packages.smoke()

    assert not result.passed
    assert statuses(result) == {"import": "failed"}
    assert result.failed_step == "import"
    assert result.error == "ModuleNotFoundError: No module named 'missing_library'"
    assert result.traceback[-1] == result.error
    assert "import missing_library" in "".join(result.traceback)
    assert result.meaning is None
    assert result.versions.keys() == {"python"}


def test_a_failure_is_explained(packages: Packages) -> None:
    packages.add("keras/models.py", "def load_model(path): return ''.decode('utf-8')")

    result = packages.smoke()

    assert result.failed_step == "load h5"
    assert statuses(result)["save h5"] == "passed"
    assert result.meaning is not None
    assert "h5py<3" in result.meaning.cure


def test_a_failure_is_explained_by_its_traceback(packages: Packages) -> None:
    """An AssertionError says nothing, the line that raised it does."""
    packages.add("keras/backend.py", "_backend = 'jax'\nassert _backend in {'theano', 'tensorflow'}")

    result = packages.smoke()

    assert result.error == "AssertionError"
    assert result.meaning is not None
    assert "KERAS_BACKEND" in result.meaning.cure


def test_the_traceback_is_short_and_without_the_markers_of_python(packages: Packages) -> None:
    packages.add(
        "keras/models.py", "def dig(depth): return dig(depth - 1) if depth else 1 / 0\nSequential.fit = dig(50)"
    )

    result = packages.smoke()

    assert result.error == "ZeroDivisionError: division by zero"
    assert len(result.traceback) == 15
    assert all(line.strip(" ~^") for line in result.traceback)


def test_a_library_that_exits_has_failed(packages: Packages) -> None:
    packages.add("keras/models.py", "import sys\nSequential.fit = lambda *args, **options: sys.exit('enough')")

    result = packages.smoke()

    assert (result.failed_step, result.error) == ("train", "SystemExit: enough")


@pytest.mark.parametrize(
    ("step", "code", "error"),
    [
        ("train", "Sequential.fit = lambda self, x, y, **_: History([float('nan')])", "the loss is nan"),
        ("train", "Sequential.fit = lambda self, x, y, **_: History([float('inf')])", "the loss is inf"),
        ("predict", "Sequential.predict = lambda self, x, **_: [[0.1] * 10]", "1 predictions of length [10]"),
        (
            "predict",
            "Sequential.predict = lambda self, x, **_: [[0.5, 0.5] for _ in x]",
            "64 predictions of length [2]",
        ),
        ("predict", "Sequential.predict = lambda self, x, **_: [[0.2] * 10 for _ in x]", "add up to 2.0000"),
        ("predict", "Sequential.predict = lambda self, x, **_: [[float('nan')] * 10 for _ in x]", "add up to nan"),
        ("load h5", "load_model = lambda path: Sequential([9.0] + [1.0] * 9)", "predicts otherwise"),
        ("load h5", "load_model = lambda path: Sequential([1.0] * 9)", "another shape"),
    ],
)
def test_silent_nonsense_is_a_failure(packages: Packages, step: str, code: str, error: str) -> None:
    """Nothing was raised, and yet nobody could work with this."""
    packages.add("keras/models.py", code)

    result = packages.smoke()

    assert result.failed_step == step
    assert result.error is not None
    assert error in result.error
    assert result.traceback == ()  # it would only show the probe


def test_another_backend_than_the_promised_one(packages: Packages) -> None:
    packages.add("jax.py", "__version__ = '0.12'")

    result = packages.smoke(SmokePlan(backend="tensorflow"), KERAS_BACKEND="jax")

    assert (result.failed_step, result.error) == ("backend", "the backend in use is jax; tensorflow was promised")
    assert result.versions["jax"] == "0.12"


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (SmokePlan(floatx="float16"), "floatx is float32; float16 was promised"),
        (
            SmokePlan(image_data_format="channels_first"),
            "image_data_format is channels_last; channels_first was promised",
        ),
    ],
)
def test_other_settings_than_the_promised_ones(packages: Packages, plan: SmokePlan, error: str) -> None:
    result = packages.smoke(plan)

    assert (result.failed_step, result.error) == ("backend", error)


# What dies


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to die of")
@pytest.mark.parametrize("name", ["SIGILL", "SIGSEGV", "SIGABRT", "SIGKILL"])
def test_a_process_that_is_ended_by_a_signal(packages: Packages, name: str) -> None:
    packages.add("keras/models.py", f"import os, signal\nos.kill(os.getpid(), signal.{name})")
    told: list[StepResult] = []

    result = packages.smoke(on_step=told.append)

    number = signal.Signals[name].value
    assert not result.passed
    assert result.failed_step == "import"
    assert result.error == f"the Python process was ended by signal {number} ({name}) during the step 'import'"
    assert result.steps == tuple(told)
    assert statuses(result) == {"import": "failed"}
    assert (result.meaning is not None) == (name == "SIGILL")
    assert result.versions == {}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to die of")
def test_a_crash_shows_where_python_was(packages: Packages) -> None:
    """Python lists the innermost call first, so the end of a long stack would say nothing."""
    packages.add(
        "keras/models.py", "import os, signal\ndef crash(n): crash(n - 1) if n else os.kill(os.getpid(), 11)\ncrash(60)"
    )

    result = packages.smoke()

    assert result.traceback[0] == "Fatal Python error: Segmentation fault"
    assert any("in crash" in line for line in result.traceback)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to die of")
def test_a_crash_is_explained_by_what_was_said_before(packages: Packages) -> None:
    """TensorFlow looks at the processor and gives up by itself, before it meets an instruction it can't run."""
    packages.add(
        "tensorflow/__init__.py",
        """
        import os
        message = "compiled to use AVX instructions, but these aren't available on your machine."
        os.write(2, message.encode("ascii"))
        os.abort()
        """,
    )

    result = packages.smoke()

    assert result.meaning is not None
    assert "AVX" in result.meaning.cure


def test_a_notice_explains_no_crash(packages: Packages) -> None:
    notice = "WARNING (theano.configdefaults): g++ not available"
    packages.add("keras/models.py", f'import os\nos.write(2, b"{notice}")\nos._exit(3)')

    result = packages.smoke()

    assert result.error == "the Python process ended with exit code 3 during the step 'import'"
    assert result.traceback == (notice,)
    assert result.meaning is None


def test_a_process_that_ends_without_a_word(packages: Packages) -> None:
    packages.add("keras/models.py", "import os\nSequential.fit = lambda *args, **options: os._exit(0)")

    result = packages.smoke()

    assert (result.failed_step, result.error) == ("train", "the Python process ended during the step 'train'")


def test_a_process_that_breaks_on_its_way_out(packages: Packages) -> None:
    """All steps passed, but every script of this environment would report a failure."""
    packages.add("keras/models.py", "import atexit, os\natexit.register(os._exit, 5)")

    result = packages.smoke()

    assert not result.passed
    assert set(statuses(result).values()) == {"passed"}
    assert result.error == "the Python process ended with exit code 5 after the last step"
    assert result.failed_step == "exit"
    assert result.versions["keras"] == "3.15.1"


def test_a_step_that_never_ends(packages: Packages) -> None:
    packages.add("keras/__init__.py", "import time\ntime.sleep(600)")

    result = packages.smoke(timeout=4)

    assert result.failed_step == "import"
    assert result.error is not None
    assert result.error.endswith("did not end within 4 seconds during the step 'import'")
    assert statuses(result) == {"import": "failed"}


def test_a_python_that_is_not_there(packages: Packages, tmp_path: Path) -> None:
    result = packages.smoke(python=tmp_path / "python")

    assert result.failed_step == "start"
    assert result.error is not None
    assert "could not be started" in result.error
    assert result.steps == ()


# What must not matter


def test_what_is_printed_never_mixes_with_the_report(packages: Packages) -> None:
    """TensorFlow writes to both streams, from Python and from C; a sitecustomize prints before the probe begins."""
    packages.add("sitecustomize.py", "print('hello')\nprint('{\"event\": 1}')\nprint('[]')")
    packages.add(
        "keras/models.py",
        """
        import os, subprocess, sys
        os.write(1, b'{"event": "result", "passed": false}\\n')
        print('{"event": "result", "passed": false}')
        subprocess.check_call([sys.executable, "-S", "-c", "print('from a child')"])
        os.write(2, b"\\xff\\xfe not text\\n")
        """,
    )

    result = packages.smoke()

    assert result.passed, result


def test_nothing_beside_the_probe_or_in_the_current_folder_stands_in(packages: Packages, tmp_path: Path) -> None:
    """A script's folder comes first on sys.path: a file there would be imported in place of Keras."""
    folder = tmp_path / "probes"
    folder.mkdir()
    shutil.copy(probe("smoke"), folder)
    shutil.copy(probe("kerasenv_probe"), folder)
    for name in ("keras", "json", "importlib", "numpy"):
        (folder / f"{name}.py").write_text("raise RuntimeError('an impostor')")
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('an impostor')")
    plan = json.dumps({"import": "keras", "backend": None, "trains": True, "formats": []})

    finished = process.run(
        [PYTHON, folder / "smoke.py", plan],
        environ={**os.environ, "PYTHONPATH": str(packages.folder)},
        cwd=tmp_path,
    )

    assert finished.returncode == 0, finished


def test_the_folder_is_empty_and_gone_afterwards(packages: Packages, tmp_path: Path) -> None:
    note = tmp_path / "note"
    packages.add(
        "keras/__init__.py", f"import os\nopen({str(note)!r}, 'w').write(repr((os.getcwd(), os.listdir('.'))))"
    )

    result = packages.smoke()

    assert result.passed, result
    folder, content = eval(note.read_text())  # noqa: S307  # written two lines above
    assert content == []
    assert not Path(folder).exists()


def test_the_environ_is_the_whole_environ(packages: Packages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "cntk")

    result = run_smoke(
        PYTHON,
        SmokePlan(backend="tensorflow"),
        environ={
            "PYTHONPATH": str(packages.folder),
            **{name: os.environ[name] for name in ("HOME", "PATH", "SYSTEMROOT") if name in os.environ},
        },
    )

    assert result.passed, result


def test_a_relative_python_is_meant_from_here(packages: Packages, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process starts in another folder."""
    monkeypatch.chdir(PYTHON.parent)

    result = packages.smoke(python=Path(PYTHON.name))

    assert result.passed, result


# What is said meanwhile


def test_what_a_profile_knows_is_counted_and_the_rest_is_kept(packages: Packages) -> None:
    packages.add(
        "keras/models.py",
        """
        import sys, warnings
        warnings.warn("the old ways", FutureWarning)
        sys.stderr.write("WARNING: from https://user:secret@mirror.example/simple\\n\\n")
        sys.stdout.write("it hums\\n")
        """,
    )

    result = packages.smoke(noise=(Noise(text="the old ways", because="they are"),))

    assert result.passed, result
    # The line of source that a warning shows belongs to it
    assert (result.noise, result.unknown) == (2, ("WARNING: from https://mirror.example/simple", "it hums"))


def test_known_noise_is_left_out_of_what_a_dead_process_said_last(packages: Packages) -> None:
    packages.add(
        "keras/models.py",
        """
        import os
        os.write(2, b"what mattered\\n" + b"always the same\\n" * 30)
        os._exit(7)
        """,
    )

    result = packages.smoke(noise=(Noise(text="always the same", because="it is"),))

    assert result.traceback == ("what mattered",)
    assert result.noise == 30


# What there is to compute on

# No machine that tests run on is sure to have a GPU: these modules answer as those of TensorFlow, PyTorch and JAX do
ANSWERS = {
    "tensorflow": """
        class config:
            @staticmethod
            def list_physical_devices():
                return [type("Device", (), {"name": "/physical_device:" + name}) for name in %(devices)r]
        """,
    "torch": """
        class cuda:
            @staticmethod
            def device_count():
                return len(%(devices)r) - 1
        class backends:
            pass
        """,
    "jax": """
        def devices():
            return [
                type("Device", (), {"platform": name.split(":")[0].lower(), "id": int(name.split(":")[1])})
                for name in %(devices)r
            ]
        """,
}


def answering(packages: Packages, backend: str, *devices: str) -> None:
    (packages.folder / backend).mkdir(exist_ok=True)
    packages.add(f"{backend}/__init__.py", dedent(ANSWERS[backend]) % {"devices": devices})


@pytest.mark.parametrize("backend", ANSWERS)
def test_a_gpu_that_is_there(packages: Packages, backend: str) -> None:
    """With a stand-in for the backend, so that it says what it would say on such a machine."""
    answering(packages, backend, "CPU:0", "GPU:0")

    result = packages.smoke(SmokePlan(backend=backend), gpu=True, KERAS_BACKEND=backend)

    assert result.passed, result
    assert statuses(result)["gpu"] == "passed"
    assert len(result.devices) == 2


@pytest.mark.parametrize("backend", ANSWERS)
def test_no_gpu_where_one_is_required(packages: Packages, backend: str) -> None:
    answering(packages, backend, "CPU:0")
    packages.add("keras/models.py", "import os\nos.write(2, b'I0000 00:00: no libcuda\\nnothing of the kind\\n')")

    result = packages.smoke(SmokePlan(backend=backend), gpu=True, KERAS_BACKEND=backend)

    assert result.failed_step == "gpu"
    assert result.error is not None
    assert result.error.startswith(f"{backend} sees no GPU; it sees cpu")
    assert result.traceback == ("I0000 00:00: no libcuda",)  # noise otherwise, and now all that matters


def test_devices_are_told_whether_or_not_a_gpu_is_required(packages: Packages) -> None:
    answering(packages, "tensorflow", "CPU:0", "XLA_GPU:0")

    assert packages.smoke().devices == ("cpu:0", "xla_gpu:0")


def test_a_backend_that_cannot_tell_its_devices_is_no_fault(packages: Packages) -> None:
    result = packages.smoke()

    assert result.passed, result
    assert result.devices == ()


# The era trial


@pytest.fixture
def trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of stand-ins for the files of an era, since no tiny Keras has all the layers of a real one."""
    probes = tmp_path / "probes"
    shutil.copytree(probe("trial").parent, probes)
    monkeypatch.setattr("kerasenv.smoke.run.probe", lambda name: probes / f"{name}.py")
    return probes / "trials"


def trial(packages: Packages, plan: Trial, *, keras: str | None = "3.15.1", python: Path = PYTHON) -> SmokeResult:
    return run_trial(
        python,
        SmokePlan(backend="tensorflow"),
        plan,
        keras=keras,
        environ={**os.environ, "PYTHONPATH": str(packages.folder)},
    )


STEPS = """
from kerasenv_probe import check_loss, same_numbers

def one(keras, formats):
    return "%s in %s" % (keras.__version__, " and ".join(formats))

def two(keras, formats):
    return check_loss({loss}, "after two")

STEPS = [one, two]
"""


def test_a_trial_runs_the_steps_of_its_idiom(packages: Packages, trials: Path) -> None:
    (trials / "keras1.py").write_text(STEPS.format(loss="0.5"))

    result = trial(packages, Trial(idiom="keras1"))

    assert result.passed, result
    assert [(step.name, step.detail) for step in result.steps] == [
        ("import", ""),
        ("one", "3.15.1 in h5 and keras"),
        ("two", "loss 0.5000"),
    ]
    assert result.versions["keras"] == "3.15.1"


@pytest.mark.parametrize("version", ["2.7", "3.6"])
def test_a_trial_on_old_pythons(packages: Packages, trials: Path, python: FindPython, version: str) -> None:
    packages.set_version("keras", "1.2.2")
    (trials / "keras1.py").write_text(STEPS.format(loss="0.5"))

    result = trial(
        packages, Trial(imports=("from keras.models import Sequential",)), keras="1.2.2", python=python(version)
    )

    assert result.passed, result
    assert [step.name for step in result.steps] == ["imports", "import", "one", "two"]


def test_a_trial_that_fails_shows_its_own_line(packages: Packages, trials: Path) -> None:
    (trials / "keras3.py").write_text(STEPS.format(loss="1 / 0"))

    result = trial(packages, Trial())

    assert (result.passed, result.failed_step) == (False, "two")
    assert '    return check_loss(1 / 0, "after two")' in result.traceback
    assert result.error is not None
    assert result.error.startswith("ZeroDivisionError: ")


def test_a_loss_that_is_no_number(packages: Packages, trials: Path) -> None:
    (trials / "keras3.py").write_text(STEPS.format(loss="float('nan')"))

    assert trial(packages, Trial()).error == "the loss is nan after two"


def test_imports_that_fail_are_all_named(packages: Packages) -> None:
    """And nothing of one is there for the next."""
    packages.add("keras/layers.py", "import warnings")

    result = trial(
        packages,
        Trial(imports=("import keras.layers", "from keras.layers.core import Dense", "from keras import layer as L")),
    )

    assert (result.passed, result.failed_step) == (False, "imports")
    assert result.error is not None
    assert result.error.splitlines()[:3] == [
        "2 of 3 fail:",
        "from keras.layers.core import Dense",
        "ModuleNotFoundError: No module named 'keras.layers.core'; 'keras.layers' is not a package",
    ]
    assert "from keras import layer as L" in result.error
    assert result.meaning is not None  # of the first that is known


def test_a_trial_that_dies_is_told_with_its_step(packages: Packages, trials: Path) -> None:
    (trials / "keras3.py").write_text("import os\ndef one(keras, formats):\n    os._exit(3)\nSTEPS = [one]\n")

    assert trial(packages, Trial()).error == "the Python process ended with exit code 3 during the step 'one'"


@pytest.mark.parametrize("idiom", IDIOMS)
def test_each_idiom_has_a_file_with_its_steps(idiom: str) -> None:
    text = (probe("trial").parent / "trials" / f"{idiom}.py").read_text("utf-8")
    steps = re.search(r"^STEPS = \[(.*)\]$", text, re.MULTILINE)

    assert steps is not None
    assert {"conv2d", "lstm", "functional", "generator"} <= set(steps[1].split(", "))


# What is collected


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.12"])
def test_garbage_is_collected_from_the_first_model_on(packages: Packages, python: FindPython, version: str) -> None:
    """What an import makes stays to the end; it is left out where Python can do that."""
    can_leave_out = version not in {"2.7", "3.6"}
    packages.add(
        "keras/__init__.py",
        f"""
        import gc
        assert gc.isenabled() is {not can_leave_out}, "during the import"
        KEPT = [[]]
        """,
    )
    packages.add(
        "keras/models.py",
        f"""
        import gc
        import keras
        _begun = Sequential.__init__
        def _begin(self, *arguments, **options):
            assert gc.isenabled(), "afterwards"
            assert any(one is keras.KEPT for one in gc.get_objects()) is {not can_leave_out}, "what is looked through"
            _begun(self, *arguments, **options)
        Sequential.__init__ = _begin
        """,
    )

    result = packages.smoke(python=python(version))

    assert result.passed, result
