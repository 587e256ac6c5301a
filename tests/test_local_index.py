"""The test bed itself: what tests rest on has to hold."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from dataclasses import replace
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any

import pytest
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from kerasenv.profiles.load import load_profile_file
from kerasenv.resources import probe
from kerasenv.uv import uv_command
from tests.local_index import LocalIndex, Sdist, Wheel
from tests.standard_index import standard_index, standard_packages, write_profile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FindPython


TINY = Wheel(name="Tiny.Thing", version="1.0", requires=("numpy>=1",), files={"tiny.py": "size = 'small'\n"})


@pytest.fixture
def tiny_index(own_index: LocalIndex) -> LocalIndex:
    own_index.add(TINY)
    return own_index


def get(url: str, accept: str = "*/*") -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept})) as answer:  # noqa: S310
        return bytes(answer.read())


def get_page(index: LocalIndex, project: str) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(get(f"{index.url}{project}/", "application/vnd.pypi.simple.v1+json"))
    return page


def uv_install(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Let uv install into a folder, from where the variables say."""
    command = [*uv_command(), "pip", "install", "--python", sys.executable, "--target", str(site), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Packages


@pytest.mark.parametrize("package", standard_packages(), ids=lambda package: package.filename)
def test_packages_are_the_same_every_time(package: Wheel | Sdist) -> None:
    """Hashes in a test's expectations would be worthless otherwise."""
    assert package.build() == package.build()
    if isinstance(package, Wheel):
        parse_wheel_filename(package.filename)
    else:
        parse_sdist_filename(package.filename)


def test_record_names_every_file_with_its_hash() -> None:
    with zipfile.ZipFile(io.BytesIO(TINY.build())) as archive:
        lines = archive.read("tiny_thing-1.0.dist-info/RECORD").decode().splitlines()
        recorded = {path: (digest, size) for path, digest, size in (line.split(",") for line in lines)}
        assert list(recorded) == archive.namelist()
        for path, (digest, size) in recorded.items():
            if not path.endswith("/RECORD"):
                data = archive.read(path)
                encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert (digest, size) == (f"sha256={encoded}", str(len(data)))


# Pages


def test_json_says_all_about_a_file(tiny_index: LocalIndex) -> None:
    (file,) = get_page(tiny_index, "tiny-thing")["files"]

    assert file == {
        "filename": TINY.filename,
        "url": f"../../files/{TINY.filename}",
        "hashes": {"sha256": hashlib.sha256(TINY.build()).hexdigest()},
        "size": len(TINY.build()),
        "upload-time": "2024-01-01T00:00:00Z",
        "yanked": False,
        "core-metadata": {"sha256": hashlib.sha256(TINY.metadata).hexdigest()},
    }


@pytest.mark.parametrize("accept", ["text/html", "*/*", "application/vnd.pypi.simple.v1+html"])
def test_html_for_who_asks_for_nothing_better(index: LocalIndex, accept: str) -> None:
    page = get(f"{index.url}keras/", accept).decode()

    assert page.startswith("<!DOCTYPE html>")
    assert 'data-requires-python="&gt;=3.10"' in page
    assert 'data-yanked="breaks pickles"' in page
    assert f"#sha256={index.sha256('keras-2.3.1-py2.py3-none-any.whl')}" in page


def test_an_index_of_the_old_kind(tiny_index: LocalIndex) -> None:
    tiny_index.html_only, tiny_index.hashes = True, False

    page = get(f"{tiny_index.url}tiny-thing/", "application/vnd.pypi.simple.v1+json").decode()

    assert f'<a href="../../files/{TINY.filename}">{TINY.filename}</a>' in page
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(f"{tiny_index.file_url(TINY.filename)}.metadata")
    caught.value.close()


def test_all_spellings_of_a_name_lead_to_one_page(tiny_index: LocalIndex) -> None:
    assert get(f"{tiny_index.url}Tiny_Thing/") == get(f"{tiny_index.url}tiny-thing")
    assert b'<a href="tiny-thing/">' in get(tiny_index.url)


def test_it_remembers_what_was_asked(tiny_index: LocalIndex) -> None:
    get_page(tiny_index, "tiny-thing")
    get(f"{tiny_index.file_url(TINY.filename)}.metadata")
    get(tiny_index.file_url(TINY.filename))

    assert tiny_index.pages == ["tiny-thing"]
    assert tiny_index.downloads == [TINY.filename]
    tiny_index.forget()
    assert tiny_index.requests == []


def test_what_is_removed_is_gone(tiny_index: LocalIndex) -> None:
    tiny_index.remove("tiny_thing-*")

    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get_page(tiny_index, "tiny-thing")
    caught.value.close()


# Trouble


def test_a_status(tiny_index: LocalIndex) -> None:
    with tiny_index.trouble("tiny-thing", status=503):
        with pytest.raises(urllib.error.HTTPError, match="503") as caught:
            get_page(tiny_index, "tiny-thing")
        caught.value.close()

    assert get_page(tiny_index, "tiny-thing")["files"]


def test_other_bytes(tiny_index: LocalIndex) -> None:
    other = replace(TINY, files={"tiny.py": "size = 'evil'\n"}).build()
    with tiny_index.trouble("tiny_thing-*.whl", body=other):
        assert get(tiny_index.file_url(TINY.filename)) == other


def test_a_cut_connection(tiny_index: LocalIndex) -> None:
    with tiny_index.trouble("*.whl", cut_after=100), pytest.raises(IncompleteRead) as caught:
        get(tiny_index.file_url(TINY.filename))

    assert caught.value.partial == TINY.build()[:100]


def test_a_slow_answer_is_a_whole_one(tiny_index: LocalIndex) -> None:
    with tiny_index.trouble("*.whl", delay=0.01, trickle=0.01) as trouble:
        assert get(tiny_index.file_url(TINY.filename)) == TINY.build()

    assert trouble.met.is_set()


def test_a_download_can_be_held_halfway(tiny_index: LocalIndex) -> None:
    """The way to interrupt a program in the middle of something, without guessing how long that takes."""
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(get(tiny_index.file_url(TINY.filename))))
    with tiny_index.trouble("*.whl", hold=True) as trouble:
        reader.start()
        trouble.met.wait()
        assert not got
    reader.join()

    assert got == [TINY.build()]


@pytest.mark.parametrize("ask", [b"", b"GET /files/" + TINY.filename.encode() + b" HTTP/1.0\r\n\r\n"])
def test_nobody_keeps_it_from_closing(ask: bytes) -> None:
    """Neither who connects and says nothing, nor who waits for a download that is held."""
    with LocalIndex() as index, socket.create_connection(("127.0.0.1", index.port)) as client:
        index.add(TINY)
        with index.trouble("*.whl", hold=True) as trouble:
            client.sendall(ask)
            if ask:
                trouble.met.wait()
            index.close()


def test_a_client_that_goes_away_is_no_fault(tiny_index: LocalIndex) -> None:
    large = b"x" * 10_000_000
    with tiny_index.trouble("*.whl", body=large) as trouble:
        with socket.create_connection(("127.0.0.1", tiny_index.port)) as client:
            client.sendall(f"GET /files/{TINY.filename} HTTP/1.0\r\n\r\n".encode())
            client.recv(1)
        trouble.met.wait()


# With real installers

PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-warn-script-location")
UV = (*uv_command(), "pip", "install", "--quiet", "--python", sys.executable)


@pytest.mark.parametrize(
    ("installer", "html_only"), [(PIP, False), (UV, False), (UV, True)], ids=["pip", "uv", "uv and html"]
)
def test_installers_take_it_for_a_real_index(
    own_index: LocalIndex, tmp_path: Path, installer: tuple[str, ...], *, html_only: bool
) -> None:
    own_index.html_only = html_only

    subprocess.run([*installer, "--target", str(tmp_path / "site"), "tensorflow", "theano", "pip"], check=True)

    installed = {path.name.removesuffix(".dist-info") for path in (tmp_path / "site").glob("*.dist-info")}
    modern = {"tensorflow-2.21.0", "keras-3.15.1", "numpy-2.0", "h5py-3.14.0", "ml_dtypes-0.6.0", "libclang-18.1.1"}
    assert installed == modern | {"theano-1.0.5", "pip-26.0"}
    assert "theano-1.0.5.tar.gz" in own_index.downloads


def test_a_yanked_file_is_there_for_who_pins_it(index: LocalIndex, tmp_path: Path) -> None:
    uv_install(tmp_path / "newest", "keras")
    done = uv_install(tmp_path / "pinned", "keras==3.99.0")

    assert "breaks pickles" in done.stderr
    assert [name for name in index.downloads if name.startswith("keras")] == [
        "keras-3.15.1-py2.py3-none-any.whl",
        "keras-3.99.0-py2.py3-none-any.whl",
    ]


@pytest.mark.parametrize("html_only", [False, True], ids=["json", "html"])
def test_another_file_than_the_page_promised_is_refused(
    own_index: LocalIndex, tmp_path: Path, *, html_only: bool
) -> None:
    own_index.html_only = html_only
    other = Wheel(name="numpy", version="2.0", requires_python=">=3.10", files={"numpy.py": "evil = True\n"}).build()
    (tmp_path / "pins.txt").write_text(f"numpy==2.0 --hash=sha256:{own_index.sha256('numpy-2.0-py2.py3-none-any.whl')}")

    with own_index.trouble("numpy-2.0-*.whl", body=other):
        done = uv_install(tmp_path, "--require-hashes", "-r", "pins.txt")

    assert done.returncode != 0
    assert "Hash mismatch" in done.stderr


def test_credentials_are_asked_for(tmp_path: Path) -> None:
    with LocalIndex(credentials=("me", "p@ss:w/rd")) as index:
        standard_index(index)

        refused = uv_install(tmp_path / "refused", "--default-index", index.url, "torch")
        welcome = uv_install(tmp_path / "welcome", "--default-index", index.url_with_credentials, "torch")

    assert refused.returncode != 0
    assert "401" in refused.stderr
    assert welcome.returncode == 0
    assert (tmp_path / "welcome" / "torch").is_dir()


def test_an_antique_is_built_only_by_the_old_backend(index: LocalIndex, tmp_path: Path) -> None:
    """Which is what build constraints of a profile are for."""
    (tmp_path / "old.txt").write_text("tiny-build<2\n")

    without = uv_install(tmp_path / "site", "antique")
    built = uv_install(tmp_path / "site", "--build-constraint", "old.txt", "antique")

    assert "tiny_build 2 builds nothing" in without.stderr
    assert built.returncode == 0, built.stderr
    assert "tiny_build-1.0-py2.py3-none-any.whl" in index.downloads


# The tiny packages


def smoke(
    python: Path | str, site: Path, backend: str, *packages: str, environ: dict[str, str] | None = None, **plan: Any
) -> tuple[dict[str, Any], str]:
    """Unpack packages, given as 'name-version', and run kerasenv's smoke probe on them; return result and stderr."""
    for package in standard_packages():
        if isinstance(package, Wheel) and package.stem in packages:
            for name, text in package.files.items():
                (site / name).parent.mkdir(parents=True, exist_ok=True)
                (site / name).write_text(text, encoding="utf-8")
    plan = {"import": "keras", "backend": backend, "trains": True, "formats": ["h5"], **plan}
    words = [str(python), "-B", str(probe("smoke")), json.dumps(plan)]
    variables = {**os.environ, "PYTHONPATH": str(site), "KERAS_BACKEND": backend, **(environ or {})}
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


MODERN = ("keras-3.15.1", "tensorflow-2.21.0", "numpy-2.0")
LEGACY = ("keras-2.3.1", "tensorflow-1.15.0", "numpy-1.0", "h5py-2.10.0")


@pytest.mark.parametrize("name", ["keras", "tensorflow.keras"])
def test_the_tiny_keras_passes_the_smoke_test(tmp_path: Path, name: str) -> None:
    plan: dict[str, Any] = {"import": name, "formats": ["keras", "h5"]}

    result, _ = smoke(sys.executable, tmp_path, "tensorflow", *MODERN, **plan)

    assert result["error"] is None
    assert result["passed"]
    assert result["versions"]["keras"] == "3.15.1"


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_the_tiny_keras_of_old_passes_on_old_pythons(tmp_path: Path, python: FindPython, version: str) -> None:
    result, said = smoke(python(version), tmp_path, "tensorflow", *LEGACY)

    assert result["error"] is None
    assert result["versions"]["backend"] == "tensorflow"
    assert "Using TensorFlow backend." in said


def test_it_fails_to_load_with_a_new_h5py_as_the_real_one_does(tmp_path: Path) -> None:
    result, _ = smoke(sys.executable, tmp_path, "tensorflow", *LEGACY[:3], "h5py-3.14.0")

    assert result["failed_step"] == "load h5"
    # newer Pythons go on with what may have been meant
    assert result["error"].startswith("AttributeError: 'str' object has no attribute 'decode'")


@pytest.mark.parametrize(
    ("backend", "error"),
    [
        ("theano", "ValueError: Unable to import backend : theano"),
        ("jax", "ModuleNotFoundError: No module named 'jax'"),
    ],
)
def test_it_knows_its_backends(tmp_path: Path, backend: str, error: str) -> None:
    result, _ = smoke(sys.executable, tmp_path, backend, *MODERN)

    assert (result["failed_step"], result["error"]) == ("import", error)


def test_the_numpy_backend_only_infers(tmp_path: Path) -> None:
    assert smoke(sys.executable, tmp_path, "numpy", *MODERN)[0]["failed_step"] == "train"
    assert smoke(sys.executable, tmp_path, "numpy", *MODERN, trains=False)[0]["passed"]


@pytest.mark.parametrize(
    ("variable", "backend_in_file", "chosen"),
    [("tensorflow", "theano", "tensorflow"), ("", "theano", "theano"), ("", None, "tensorflow")],
)
def test_it_chooses_its_backend_as_the_real_one_does(
    tmp_path: Path, home: Path, variable: str, backend_in_file: str | None, chosen: str
) -> None:
    """The variable wins, then keras.json, then TensorFlow; settings are read even where the backend isn't."""
    (tmp_path / "site" / "theano").mkdir(parents=True)
    (tmp_path / "site" / "theano" / "__init__.py").touch()
    if backend_in_file:
        (home / ".keras").mkdir()
        (home / ".keras" / "keras.json").write_text(json.dumps({"backend": backend_in_file, "floatx": "float64"}))
    settings = {"floatx": "float64" if backend_in_file else "float32"}

    result, _ = smoke(
        sys.executable, tmp_path / "site", chosen, *LEGACY, environ={"KERAS_BACKEND": variable}, settings=settings
    )

    assert result["passed"]
    assert (home / ".keras" / "keras.json").is_file()


def test_keras_home_moves_its_settings(tmp_path: Path, home: Path) -> None:
    moved = tmp_path / "moved"

    smoke(sys.executable, tmp_path / "site", "tensorflow", *MODERN, environ={"KERAS_HOME": str(moved)})

    assert (moved / "keras.json").is_file()
    assert not (home / ".keras").exists()


# The profile


def test_the_profile_is_one(tmp_path: Path) -> None:
    path = write_profile(tmp_path / "profiles", requires_python="==3.7.*", backend="theano", summary=None)

    profile = load_profile_file(path, "here", name="tiny")

    assert path == tmp_path / "profiles" / "tiny.toml"
    assert (profile.backend, str(profile.requires_python), profile.summary) == ("theano", "==3.7.*", None)
