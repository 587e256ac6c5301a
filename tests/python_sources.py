"""Sources of Pythons that need no network: what uv and conda would download, packed from Pythons of this machine.

What comes out runs, and is what it says it is. Of a Python that was built with a shared library the packed one still
loads that library from where the first one lies, since nothing here rewrites binaries.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from collections.abc import Iterator

# What no test needs, by the first name below lib/pythonX.Y
_LEFT_OUT = {"test", "site-packages", "idlelib", "lib2to3", "tkinter", "turtledemo", "pydoc_data", "ensurepip"}
SUBDIRS = {
    ("Linux", "x86_64"): "linux-64",
    ("Linux", "aarch64"): "linux-aarch64",
    ("Darwin", "x86_64"): "osx-64",
    ("Darwin", "arm64"): "osx-arm64",
    ("Windows", "AMD64"): "win-64",
}


def full_version(python: Path) -> str:
    """Return '3.7.16', as the Python says it."""
    code = "import platform; print(platform.python_version())"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def archive_for_uv(python: Path, folder: Path) -> dict[str, str]:
    """Pack a Python as uv downloads it; return the variables that make uv take it from there, and no other."""
    version = full_version(python)
    major, minor, patch = map(int, version.split("."))
    archive = folder / f"cpython-{version}.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name, file in _files(python):
            tar.add(file, f"python/{name}", recursive=False)
    system, machine = platform.system().lower(), platform.machine()
    libc = "gnu" if system == "linux" else "none"
    entry = {
        "name": "cpython",
        "arch": {"family": "aarch64" if machine == "arm64" else "x86_64", "variant": None},
        "os": system,
        "libc": libc,
        "major": major,
        "minor": minor,
        "patch": patch,
        "prerelease": "",
        "variant": None,
        "build": "20240101",
        "url": archive.as_uri(),
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
    }
    listed = folder / "downloads.json"
    listed.write_text(json.dumps({f"cpython-{version}-{system}-{machine}-{libc}": entry}), "utf-8")
    return {"UV_PYTHON_DOWNLOADS_JSON_URL": listed.as_uri()}


def conda_channel_of(python: Path, folder: Path) -> dict[str, str]:
    """Make a conda channel with this Python in it; return the variable that makes kerasenv take it from there."""
    version, subdir = full_version(python), SUBDIRS[platform.system(), platform.machine()]
    (folder / subdir).mkdir(parents=True, exist_ok=True)
    package = folder / subdir / f"python-{version}-0_cpython.tar.bz2"
    index = {
        "name": "python",
        "version": version,
        "build": "0_cpython",
        "build_number": 0,
        "depends": [],
        "subdir": subdir,
        "license": "PSF-2.0",
        "timestamp": 1700000000000,
    }
    files = dict(_files(python))
    paths = [{"_path": name, **_facts(file)} for name, file in files.items()]
    with tarfile.open(package, "w:bz2", compresslevel=1) as tar:
        _add(tar, "info/index.json", json.dumps(index))
        _add(tar, "info/paths.json", json.dumps({"paths": paths, "paths_version": 1}))
        _add(tar, "info/files", "\n".join(files) + "\n")
        for name, file in files.items():
            tar.add(file, name, recursive=False)
    content = package.read_bytes()
    sums = {"md5": hashlib.md5(content, usedforsecurity=False).hexdigest(), "size": len(content)}
    record = index | sums | {"sha256": hashlib.sha256(content).hexdigest()}
    (folder / "noarch").mkdir()
    for name, packages in ((subdir, {package.name: record}), ("noarch", {})):
        table = {"info": {"subdir": name}, "packages": packages, "packages.conda": {}, "repodata_version": 1}
        (folder / name / "repodata.json").write_text(json.dumps(table), "utf-8")
    return {"KERASENV_CONDA_CHANNEL": folder.as_uri()}


def _files(python: Path) -> Iterator[tuple[str, Path]]:
    """Yield what belongs to a Python by its name below the prefix; links are not followed."""
    windows = sys.platform == "win32"
    prefix = python.parent if windows else python.parents[1]
    minor = ".".join(full_version(python).split(".")[:2])
    # Whatever else lies there, as beside a Python in /usr
    posix = ("bin/python*", "lib/libpython*", f"lib/python{minor}/**/*", f"include/python{minor}*/**/*")
    patterns = ("*.exe", "*.dll", "DLLs/**/*", "Lib/**/*") if windows else posix
    for path in sorted(path for pattern in patterns for path in prefix.glob(pattern)):
        name = path.relative_to(prefix)
        within = name.parts[1:] if windows else name.parts[2:]
        if "__pycache__" in name.parts or path.suffix == ".a" or _LEFT_OUT.intersection(within[:1]):
            continue
        if path.is_symlink() or path.is_file():
            yield name.as_posix(), path


def _facts(file: Path) -> dict[str, Any]:
    if file.is_symlink():
        return {"path_type": "softlink"}
    content = file.read_bytes()
    return {"path_type": "hardlink", "sha256": hashlib.sha256(content).hexdigest(), "size_in_bytes": len(content)}


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def folder_of(address: str) -> Path:
    """Return the path that a file:// address names."""
    return Path(url2pathname(urlsplit(address).path))
