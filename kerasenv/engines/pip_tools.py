"""The second engine: pip-compile and pip-sync, in the release that runs on the Python they work for.

They see one Python on one platform, so what they resolve holds only there.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging.markers import Environment, Marker
from packaging.pylock import PylockSelectError
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from kerasenv import process, progress
from kerasenv.engine import File, Pin, Resolution, ResolvedPackage
from kerasenv.engines.tools import tool_environment
from kerasenv.errors import InstallError, InterpreterError, ResolveError
from kerasenv.folders import cache_folder
from kerasenv.index import SimpleIndex
from kerasenv.requirements_file import format_hashed, parse_hashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.pylock import Package, PackageSdist, PackageWheel
    from packaging.requirements import Requirement
    from packaging.tags import Tag
    from packaging.utils import NormalizedName

    from kerasenv.engine import Index, InstallRequest, ResolveRequest
    from kerasenv.index import IndexFile
    from kerasenv.interpreters.interpreter import Interpreter

_LOCKS = Path(__file__).with_name("tool_locks")
_PIP = canonicalize_name("pip")
_PIP_TOOLS = canonicalize_name("pip-tools")
# Python compiles what it imports; all of TensorFlow takes as long to compile as to install, and uv doesn't either
_INSTALL_OPTIONS = ("--no-deps", "--require-hashes", "--no-compile")
_NO_CHOICE = ("ResolutionImpossible", "Could not find a version", "incompatible versions")
_CONFLICT = "The conflict is caused by"
_FAILURE = re.compile(r"^\s*(ERROR: |error: |Could not find )", re.MULTILINE)
_TRACEBACK = re.compile(r"^Traceback ", re.MULTILINE)  # one of a build is indented
_AT_WORK = re.compile(r"^\s*((?:Collecting|Building wheel for) \S+)", re.MULTILINE)
_LINES, _WIDTH = 20, 300
_OFFLINE_HINT = "Use the default engine, which can: --engine uv"
# What of pip's variables is about the network; the others could change what is chosen
_KEPT = frozenset(
    {
        "PIP_CERT",
        "PIP_CLIENT_CERT",
        "PIP_DEFAULT_TIMEOUT",
        "PIP_KEYRING_PROVIDER",
        "PIP_PROXY",
        "PIP_RETRIES",
        "PIP_TIMEOUT",
        "PIP_TRUSTED_HOST",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Release:
    """The pip-tools that serves a Python, as hashed requirements with everything it needs."""

    first_python: Version
    requirements: str

    def pin(self, name: NormalizedName) -> Pin:
        return next(pin for pin in parse_hashed(self.requirements) if pin.name == name)


class PipToolsEngine:
    """Speaks to a pip-tools in a private environment of the target's Python."""

    name = "pip-tools"

    def describe(self) -> str:
        """Return a name without a version: that depends on the Python."""
        return "pip-tools for the target's Python"

    def serves(self, interpreter: Interpreter) -> bool:
        """Say whether there is a pip-tools for this Python."""
        return interpreter.version >= _releases()[0].first_python

    def resolve(self, request: ResolveRequest) -> Resolution:
        """Choose versions for the request's Python on this platform; raise ResolveError if there is no choice."""
        if request.index.offline:
            raise ResolveError("pip-tools can't resolve offline.", hints=[_OFFLINE_HINT])
        pins = request.pins if request.exactly_pins else _compile(request)
        found = SimpleIndex(request.index).files_of(pin.name for pin in pins)
        return Resolution(
            packages=tuple(_resolved(pin, found[pin.name], index=request.index) for pin in pins),
            only_here=not request.exactly_pins,
        )

    def install(self, request: InstallRequest) -> None:
        """Make the environment hold just what the lock selects for it; raise InstallError if a file can't be had."""
        if request.index.offline:
            raise InstallError("pip-tools can't install offline.", hints=[_OFFLINE_HINT])
        pins = _selected(request)
        tool = _tool(request.interpreter, index=request.index)
        with tempfile.TemporaryDirectory(prefix="kerasenv-install-") as name:
            installer = _Installer(request=request, tool=tool, folder=Path(name))
            locked_pip = [pin for pin in pins if pin.name == _PIP]
            wheel = installer.put_pip(locked_pip[0] if locked_pip else _release_for(request.interpreter).pin(_PIP))
            if request.build_constraints:
                # Constraints for builds would bind the installed packages as well: those come afterwards
                tools = {canonicalize_name(one.name) for one in request.build_constraints}
                installer.sync([pin for pin in pins if pin.name not in tools], constrained=True)
            installer.sync(pins)
            if not locked_pip:
                installer.remove_pip(wheel)


def _releases() -> list[_Release]:
    found = [
        _Release(first_python=Version(path.stem.rpartition("-")[2]), requirements=path.read_text(encoding="utf-8"))
        for path in _LOCKS.glob(f"{_PIP_TOOLS}-*.txt")
    ]
    return sorted(found, key=lambda release: release.first_python)


def _release_for(interpreter: Interpreter) -> _Release:
    serving = [release for release in _releases() if release.first_python <= interpreter.version]
    if not serving:
        raise InterpreterError(
            f"There is no pip-tools here for CPython {interpreter.minor}.",
            looked_at=[f"oldest Python that it is kept for: {_releases()[0].first_python}"],
        )
    return serving[-1]


def _tool(interpreter: Interpreter, *, index: Index) -> Path:
    """Return the Python that has pip-tools."""
    requirements = _release_for(interpreter).requirements
    return tool_environment(_PIP_TOOLS, requirements, interpreter=interpreter, index=index)


def _environ(index: Index, *, build_constraints: Path | None = None) -> dict[str, str]:
    """Return variables in which pip knows the one index, and no configuration, paths or packages of the machine."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("PIP_", "PYTHON", "VIRTUAL_ENV", "CUSTOM_COMPILE_")) or name.upper() in _KEPT
    }
    environ |= {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_CACHE_DIR": str(cache_folder() / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_COLOR": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        # Otherwise an old pip builds an old source distribution with whatever setuptools it finds installed
        "PIP_USE_PEP517": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    if index.url:
        environ["PIP_INDEX_URL"] = index.url
    if build_constraints:
        # The first is for pips before 25.3, the second for the others. As an address, since pip splits at spaces
        environ["PIP_CONSTRAINT"] = environ["PIP_BUILD_CONSTRAINT"] = build_constraints.as_uri()
    return environ


# Resolving


def _compile(request: ResolveRequest) -> tuple[Pin, ...]:
    """Let pip-compile choose versions.

    It could look for hashes too, but knows them only of one index; of any other it downloads every file of a version,
    gigabytes for some. The index says what they are, and the index is read anyway.
    """
    for requirement in request.requirements:
        if requirement.url:
            raise ResolveError(
                f"{requirement.name} comes from no index, and no lock can promise to find it again.",
                looked_at=[process.redact(str(requirement))],
                hints=["Name a released version of it instead."],
            )
    version = _release_for(request.interpreter).pin(_PIP_TOOLS).version
    tool = _tool(request.interpreter, index=request.index)
    with tempfile.TemporaryDirectory(prefix="kerasenv-resolve-") as name:
        folder = Path(name)
        build = _write_inputs(request, folder)
        answer = process.run(
            [tool, "-m", "piptools", "compile", *_compile_options(version), "requirements.in"],
            environ=_environ(request.index, build_constraints=build),
            cwd=folder,
            on_line=_tell,
            on_stdout_line=_tell,
        )
        if answer.returncode:
            raise _resolve_error(answer, index=request.index)
        written = (folder / "requirements.txt").read_text(encoding="utf-8")
    # It wrote down what holds here, with markers of the requirements that are of no more use
    return tuple(replace(pin, marker=None) for pin in parse_hashed(written))


def _compile_options(pip_tools: Version) -> list[str]:
    options = ["--verbose", "--allow-unsafe", "--no-header", "--no-annotate", "--no-emit-options", "--strip-extras"]
    options += ["--cache-dir", str(cache_folder() / "pip-tools"), "--output-file", "requirements.txt"]
    if pip_tools >= Version("6.9"):
        options.append("--resolver=backtracking")
    if pip_tools >= Version("7.0"):
        options.append("--no-config")
    return options


def _write_inputs(request: ResolveRequest, folder: Path) -> Path | None:
    """Write what pip-compile reads, and return the constraints for builds if there are any."""
    _write_lines(folder / "constraints.txt", request.constraints)
    _write_lines(folder / "requirements.in", ["-c constraints.txt", *request.requirements])
    here = [replace(pin, marker=None, hashes=frozenset()) for pin in request.pins if _holds(pin, request.interpreter)]
    if here:
        # pip-compile stays with the versions of an existing output file as long as they fit
        (folder / "requirements.txt").write_text(format_hashed(here), encoding="utf-8")
    return _write_build_constraints(request.build_constraints, folder)


def _write_build_constraints(constraints: Sequence[Requirement], folder: Path) -> Path | None:
    if not constraints:
        return None
    _write_lines(folder / "build-constraints.txt", constraints)
    return folder / "build-constraints.txt"


def _write_lines(target: Path, lines: Sequence[Requirement | str]) -> None:
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _holds(pin: Pin, interpreter: Interpreter) -> bool:
    return pin.marker is None or Marker(pin.marker).evaluate({**interpreter.markers, "extra": ""})


def _resolved(pin: Pin, files: Sequence[IndexFile], *, index: Index) -> ResolvedPackage:
    """Return what the index has of a version; only files that the pin's hashes know, if it has any."""
    of_version = [file for file in files if file.version == pin.version]
    chosen = [
        File(
            name=file.name,
            url=file.url,
            sha256=file.sha256,
            size=file.size,
            # Whole seconds, as uv writes them: the same files make the same lock
            upload_time=file.upload_time and file.upload_time.replace(microsecond=0),
        )
        for file in of_version
        if file.sha256 and (not pin.hashes or file.sha256 in pin.hashes)
    ]
    if not chosen:
        raise _nothing_left(pin, of_version, index=index)
    return ResolvedPackage(name=pin.name, version=pin.version, marker=pin.marker, files=tuple(chosen))


def _nothing_left(pin: Pin, files: Sequence[IndexFile], *, index: Index) -> ResolveError:
    what = f"{pin.name} {pin.version}"
    if not files:
        return ResolveError(
            f"The index no longer has {what}, or never had it.",
            looked_at=[index.source],
            hints=["Name the index that has it with --index-url, or resolve anew: --upgrade"],
        )
    if not any(file.sha256 for file in files):
        return ResolveError(
            f"The index gives no sha256 of the files of {what}, so they can't be locked.",
            looked_at=[index.source],
            hints=["Name another index with --index-url"],
        )
    return ResolveError(
        f"The index has other files of {what} than those whose sha256 is known.",
        looked_at=[index.source, f"{len(files)} files of that version, none of them known"],
        hints=["If the index is a mirror, ask whoever keeps it; else resolve anew: --upgrade"],
    )


def _resolve_error(answer: process.Finished, *, index: Index) -> ResolveError:
    conflict = any(words in answer.stderr for words in _NO_CHOICE)
    return ResolveError(
        "The requirements can't be met together, or not from this index."
        if conflict
        else "pip-compile could not resolve the requirements.",
        looked_at=[index.source, *_explanation(answer)],
    )


def _explanation(answer: process.Finished) -> list[str]:
    """Return what pip itself said at the end, without the traceback of the tool that called it.

    It says on standard error what failed, and on standard output why two requirements are in conflict.
    """
    stderr = process.redact(answer.stderr).strip()
    said = _TRACEBACK.split(stderr)[0]
    failure = _FAILURE.search(said)
    lines = said[failure.start() :].splitlines() if failure else stderr.splitlines()[-1:]
    at_work = _AT_WORK.findall(answer.stdout)
    if failure and failure[1] == "error: " and at_work:
        lines.insert(0, at_work[-1])  # pip itself does not say whose build failed
    why = process.redact(answer.stdout).partition(_CONFLICT)
    lines = [*lines[:1], *lines[1:][-_LINES:], *(why[1] + why[2].partition("To fix this")[0]).splitlines()]
    return [textwrap.shorten(line, _WIDTH, placeholder=" ...") for line in lines if line.strip()]


# Installing


@dataclass(frozen=True, kw_only=True, slots=True)
class _Installer:
    """Works on one environment; `folder` is for what it needs meanwhile."""

    request: InstallRequest
    tool: Path
    folder: Path

    def put_pip(self, pin: Pin) -> Path:
        """Install pip, which pip-sync needs in the environment it works on, and return its wheel.

        A wheel of pip is a program: it can install itself, and it sees neither the packages of the tool environment nor
        itself as installed, as it would if it were borrowed from there.
        """
        self._write("pip.txt", [pin])
        wheels = self.folder / "wheels"
        fetch = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", f"--dest={wheels}"]
        self._run([self.tool, "-m", "pip", *fetch, "--requirement=pip.txt"])
        (wheel,) = wheels.glob("pip-*.whl")
        local = ["install", "--no-index", f"--find-links={wheels}", *_INSTALL_OPTIONS]
        self._run([self.request.python, wheel / "pip", *local, "--requirement=pip.txt"])
        return wheel

    def sync(self, pins: Sequence[Pin], *, constrained: bool = False) -> None:
        """Let pip-sync install what is missing and take away what isn't named."""
        self._write("requirements.txt", pins)
        build = _write_build_constraints(self.request.build_constraints, self.folder) if constrained else None
        options = [f"--python-executable={self.request.python}", f"--pip-args={shlex.join(_INSTALL_OPTIONS)}"]
        self._run([self.tool, "-m", "piptools", "sync", *options, "requirements.txt"], build_constraints=build)

    def remove_pip(self, wheel: Path) -> None:
        """Take away a pip that no lock names."""
        self._run([self.request.python, wheel / "pip", "uninstall", "--yes", _PIP])

    def _write(self, name: str, pins: Sequence[Pin]) -> None:
        (self.folder / name).write_text(format_hashed(pins), encoding="utf-8")

    def _run(self, command: Sequence[str | Path], *, build_constraints: Path | None = None) -> None:
        environ = _environ(self.request.index, build_constraints=build_constraints)
        answer = process.run(
            command,
            # The environment's own pip runs too, and is to leave no traces
            environ=environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            cwd=self.folder,
            on_stdout_line=_tell,
        )
        if answer.returncode:
            raise _install_error(answer, index=self.request.index)


def _selected(request: InstallRequest) -> list[Pin]:
    """Return what the lock selects for the environment, each with the hashes of all its files."""
    packages = request.lock.packages
    # Any wheel will do here: pip itself takes the one that suits best
    tags: list[Tag] = [
        tag
        for package in packages
        for wheel in package.wheels or ()
        for tag in parse_wheel_filename(wheel.filename)[-1]
    ]
    markers = cast("Environment", dict(request.interpreter.markers))
    try:
        return [_locked(package) for package, _ in request.lock.select(environment=markers, tags=tags)]
    except PylockSelectError as error:
        raise InstallError(
            f"The lock is not for CPython {request.interpreter.version} on this machine: {error}",
            looked_at=[f"interpreter {request.interpreter.path}"],
        ) from error


def _locked(package: Package) -> Pin:
    files: list[PackageWheel | PackageSdist] = [
        *(package.wheels or ()),
        *([package.sdist] if package.sdist else []),
    ]
    hashes = frozenset(file.hashes["sha256"] for file in files if "sha256" in file.hashes)
    if package.version is None or not hashes:
        raise InstallError(
            f"The lock names no version of {package.name} with the sha256 of its files, which pip-tools needs.",
            hints=["Use the default engine: --engine uv"],
        )
    return Pin(name=package.name, version=package.version, hashes=hashes)


def _tell(line: str) -> None:
    spoken = line.strip().partition(" (from ")[0]
    if spoken.startswith(("Collecting", "Downloading", "Building")):
        progress.passing(spoken)


def _install_error(answer: process.Finished, *, index: Index) -> InstallError:
    said = answer.stderr + answer.stdout
    hints: list[str] = []
    if "DO NOT MATCH THE HASHES" in said:
        message = "A file is not the one that the lock names: its sha256 differs."
        hints.append("Don't install it. If the index is a mirror, ask whoever keeps it; else resolve anew: --upgrade")
    elif "o space left" in said:
        message = "The disk is full."
        hints.append("Make room; what pip keeps of earlier installs lies in " + str(cache_folder() / "pip"))
    else:
        message = "pip could not install what the lock names."
    return InstallError(message, looked_at=[index.source, *_explanation(answer)], hints=hints)
