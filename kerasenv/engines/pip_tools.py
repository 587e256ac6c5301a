"""The second engine: pip-compile and pip-sync, in the release that runs on the Python they work for.

They see one Python on one platform, so what they resolve holds only there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from packaging.markers import Environment, Marker
from packaging.pylock import PylockSelectError
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from kerasenv import process, progress
from kerasenv.creators import create_python_2_with_pip
from kerasenv.engine import BUILD_VARIABLES
from kerasenv.engines.tools import LOCKS, tool_environment
from kerasenv.errors import InstallError, InterpreterError, ResolveError
from kerasenv.folders import cache_folder
from kerasenv.index import SimpleIndex
from kerasenv.interpreters.serving import serving
from kerasenv.requirements_file import format_hashed, parse_hashed
from kerasenv.resolution import NO_CHOICE, File, Pin, Resolution, ResolvedPackage
from kerasenv.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.pylock import Package, PackageSdist, PackageWheel
    from packaging.requirements import Requirement
    from packaging.tags import Tag
    from packaging.utils import NormalizedName

    from kerasenv.engine import BuildConstraint, Index, InstallRequest, ResolveRequest
    from kerasenv.index import IndexFile
    from kerasenv.interpreters.interpreter import Interpreter

_PIP = canonicalize_name("pip")
_PIP_TOOLS = canonicalize_name("pip-tools")
# Python compiles what it imports; all of TensorFlow takes as long to compile as to install, and uv doesn't either
_INSTALL_OPTIONS = ("--no-deps", "--require-hashes", "--no-compile")
_FIRST_FOR_OTHER_ENVIRONMENTS = Version("6.2")  # --python-executable
_NO_CHOICE = ("ResolutionImpossible", "Could not find a version", "incompatible versions")
_CONFLICT = "The conflict is caused by"
_FAILURE = re.compile(r"^\s*(ERROR: |error: |Could not find )", re.MULTILINE)
_TRACEBACK = re.compile(r"^Traceback ", re.MULTILINE)  # one of a build is indented
_AT_WORK = re.compile(r"^\s*((?:Collecting|Building wheel for) \S+)", re.MULTILINE)
_UNKNOWN_TOOL = re.compile(r"No matching distribution found for (\S+)")
_LINES, _WIDTH = 20, 300
_OTHER_ENGINE = "uv"
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
    fills_store = False  # pip writes the path of the interpreter into every script
    keeps_unpacked = False

    def describe(self) -> str:
        """Return a name without a version: that depends on the Python."""
        return "pip-tools for the target's Python"

    def resolve(self, request: ResolveRequest) -> Resolution:
        """Choose versions for the request's Python on this platform; raise ResolveError if there is no choice."""
        if request.index.offline:
            raise ResolveError("pip-tools can't resolve offline.", hints=_other_ways(request.interpreter))
        pins = request.pins if request.exactly_pins else _compile(request)
        found = SimpleIndex(request.index).files_of(pin.name for pin in pins)
        return Resolution(
            packages=tuple(_resolved(pin, found[pin.name], index=request.index) for pin in pins),
            only_here=not request.exactly_pins,
        )

    def install(self, request: InstallRequest) -> None:
        """Make the environment hold just what the lock selects for it; raise InstallError if a file can't be had."""
        if request.index.offline:
            raise InstallError("pip-tools can't install offline.", hints=_other_ways(request.interpreter))
        pins = _selected(request)
        tool = _tool(request.interpreter, index=request.index)
        with scratch("install") as folder:
            installer = _Installer(request=request, tool=tool, folder=folder)
            locked_pip = [pin for pin in pins if pin.name == _PIP]
            wheel = installer.put_pip(locked_pip[0] if locked_pip else _release_for(request.interpreter).pin(_PIP))
            if any(one.sha256 for one in request.build_constraints):
                built = installer.build(pins)
                installer.sync([pin for pin in pins if pin.name not in {one.name for one in built}])
                if built:
                    installer.install_built(built, wheel)
            else:
                if request.build_constraints:
                    # Constraints for builds would bind the installed packages as well: those come afterwards
                    tools = {canonicalize_name(one.requirement.name) for one in request.build_constraints}
                    installer.sync([pin for pin in pins if pin.name not in tools], constrained=True)
                installer.sync(pins)
            if not locked_pip:
                installer.remove_pip(wheel)


def _releases() -> list[_Release]:
    found = [
        _Release(first_python=Version(path.stem.rpartition("-")[2]), requirements=path.read_text(encoding="utf-8"))
        for path in LOCKS.glob(f"{_PIP_TOOLS}-*.txt")
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
    if _OTHER_ENGINE in serving(interpreter.version).engines:
        hint = f"The default engine needs no such tools: --engine {_OTHER_ENGINE}"
        return tool_environment(_PIP_TOOLS, requirements, interpreter=interpreter, index=index, hints=[hint])
    return tool_environment(_PIP_TOOLS, requirements, interpreter=interpreter, index=index, fill=_fill_with_pip)


def _fill_with_pip(folder: Path, wanted: Path, *, interpreter: Interpreter, index: Index) -> process.Finished:
    """Let the pip that comes with the environment install the rest, where uv can't."""
    python = create_python_2_with_pip(interpreter, folder, index=index).python
    words = ["-m", "pip", "install", *_INSTALL_OPTIONS, f"--requirement={wanted}"]
    return process.run([python, *words], environ=_environ(index), cwd=folder)


def _other_ways(interpreter: Interpreter) -> list[str]:
    if _OTHER_ENGINE in serving(interpreter.version).engines:
        return [f"Use the default engine, which can: --engine {_OTHER_ENGINE}"]
    return [f"Leave --offline out: nothing else serves CPython {interpreter.minor}."]


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
        "PIP_NO_PYTHON_VERSION_WARNING": "1",
        "PIP_PROGRESS_BAR": "off",
        # Otherwise an old pip builds an old source distribution with whatever setuptools it finds installed
        "PIP_USE_PEP517": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    if index.url:
        environ |= {"PIP_INDEX_URL": index.url, **index.environ}
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
    tool = _tool(request.interpreter, index=request.tool_index or request.index)
    with scratch("resolve") as folder:
        build = _write_inputs(request, folder)
        answer = process.run(
            [tool, "-m", "piptools", "compile", *_compile_options(version), "requirements.in"],
            environ=_environ(request.index, build_constraints=build)
            | ({} if request.builds else {"PIP_ONLY_BINARY": ":all:"}),
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
    options = ["--verbose", "--allow-unsafe", "--no-header", "--no-annotate"]
    options += ["--cache-dir", str(cache_folder() / "pip-tools"), "--output-file", "requirements.txt"]
    if pip_tools >= Version("6.0"):
        options += ["--no-emit-options", "--strip-extras"]
    else:
        options += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"]
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


def _write_build_constraints(constraints: Sequence[BuildConstraint], folder: Path) -> Path | None:
    if not constraints:
        return None
    _write_lines(folder / "build-constraints.txt", [one.requirement for one in constraints])
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
            hints=["Name the index that has it with --index-url, or resolve anew: kerasenv lock PROFILE --upgrade"],
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
        hints=["If the index is a mirror, ask whoever keeps it; else: kerasenv lock PROFILE --upgrade"],
    )


def _resolve_error(answer: process.Finished, *, index: Index) -> ResolveError:
    conflict = any(words in answer.stderr for words in _NO_CHOICE)
    return ResolveError(
        NO_CHOICE if conflict else "pip-compile could not resolve the requirements.",
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

    @property
    def _built(self) -> Path:
        return self.folder / "built"

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
        if _release_for(self.request.interpreter).pin(_PIP_TOOLS).version < _FIRST_FOR_OTHER_ENVIRONMENTS:
            self._sync_without_pip_sync(pins, build_constraints=build)
            return
        options = [f"--python-executable={self.request.python}", f"--pip-args={shlex.join(_INSTALL_OPTIONS)}"]
        self._run([self.tool, "-m", "piptools", "sync", *options, "requirements.txt"], build_constraints=build)

    def _sync_without_pip_sync(self, pins: Sequence[Pin], *, build_constraints: Path | None) -> None:
        """Do what pip-sync does, with the environment's own pip: an older one works only where it is installed."""
        pip: list[str | Path] = [self.request.python, "-m", "pip"]
        listed = self._run([*pip, "list", "--format=json"]).stdout
        names = {canonicalize_name(one["name"]) for one in json.loads(listed)}
        unnamed = sorted(names - {_PIP, *(pin.name for pin in pins)})
        if unnamed:
            self._run([*pip, "uninstall", "--yes", *unnamed])
        if pins:
            options = [*_INSTALL_OPTIONS, "--requirement=requirements.txt"]
            self._run([*pip, "install", *options], build_constraints=build_constraints)

    def build(self, pins: Sequence[Pin]) -> list[Pin]:
        """Build what has no wheel for this Python; return the pins of the wheels that came out.

        No pip compares what builds with a sha256. So the tools are downloaded first, which it does verify, and the
        build sees nothing but these.
        """
        sources = self._sources(pins)
        if not sources:
            return []
        tools, archives = self.folder / "build-tools", self.folder / "sources"
        archives.mkdir()
        _write_lines(self.folder / "build-tools.txt", [str(one) for one in self.request.build_constraints])
        fetch = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", f"--dest={tools}"]
        self._run([self.tool, "-m", "pip", *fetch, "--requirement=build-tools.txt"])
        index = SimpleIndex(self.request.index)
        fetched = [index.fetch(pin.name, one.hashes["sha256"], archives / one.filename) for pin, one in sources]
        # What pip keeps of earlier builds may have been built by something else
        offline = ["--no-deps", "--no-index", f"--find-links={tools}", "--no-cache-dir", f"--wheel-dir={self._built}"]
        self._run([self.tool, "-m", "pip", "wheel", *offline, *fetched])
        return [
            Pin(name=name, version=version, hashes=frozenset({hashlib.sha256(wheel.read_bytes()).hexdigest()}))
            for wheel in sorted(self._built.iterdir())
            for name, version, *_ in [parse_wheel_filename(wheel.name)]
        ]

    def _sources(self, pins: Sequence[Pin]) -> list[tuple[Pin, PackageSdist]]:
        """Return what has to be built."""
        packages = {(package.name, package.version): package for package in self.request.lock.packages}
        sources = []
        for pin in pins:
            package = packages[pin.name, pin.version]
            if package.sdist is not None and not (package.wheels and self._has_wheel(pin)):
                sources.append((pin, package.sdist))
        return sources

    def _has_wheel(self, pin: Pin) -> bool:
        """Say whether a wheel of the lock is for this Python, which pip knows best."""
        self._write("wheel.txt", [pin])
        fetch = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", f"--dest={self.folder / 'probe'}"]
        answer = process.run(
            [self.tool, "-m", "pip", *fetch, "--requirement=wheel.txt"],
            environ=_environ(self.request.index),
            cwd=self.folder,
        )
        if answer.returncode and "No matching distribution" not in answer.stderr:
            raise _install_error(answer, index=self.request.index)
        return not answer.returncode

    def install_built(self, built: Sequence[Pin], wheel: Path) -> None:
        """Install what was built, with the pip that is a wheel."""
        self._write("built.txt", built)
        local = ["install", "--no-index", f"--find-links={self._built}", *_INSTALL_OPTIONS]
        self._run([self.request.python, wheel / "pip", *local, "--requirement=built.txt"])

    def remove_pip(self, wheel: Path) -> None:
        """Take away a pip that no lock names."""
        self._run([self.request.python, wheel / "pip", "uninstall", "--yes", _PIP])

    def _write(self, name: str, pins: Sequence[Pin]) -> None:
        (self.folder / name).write_text(format_hashed(pins), encoding="utf-8")

    def _run(self, command: Sequence[str | Path], *, build_constraints: Path | None = None) -> process.Finished:
        environ = _environ(self.request.index, build_constraints=build_constraints)
        answer = process.run(
            command,
            # The environment's own pip runs too, and is to leave no traces
            environ=environ | BUILD_VARIABLES | {"PYTHONDONTWRITEBYTECODE": "1"},
            cwd=self.folder,
            on_stdout_line=_tell,
        )
        if answer.returncode:
            raise _install_error(answer, index=self.request.index)
        return answer


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
        hints.append(
            "Don't install it. If the index is a mirror, ask whoever keeps it; else: kerasenv lock PROFILE --upgrade"
        )
    elif _UNKNOWN_TOOL.search(said) and "--find-links" in " ".join(answer.command):
        tool = _UNKNOWN_TOOL.findall(said)[-1]
        message = f"To build a source distribution, {tool} is needed, and the lock has no sha256 of it."
        hints.append(
            "The profile's [[build-constraints]] have to name it with its sha256; then: kerasenv lock PROFILE --upgrade"
        )
    elif "o space left" in said:
        message = "The disk is full."
        hints.append("Make room; what pip keeps of earlier installs lies in " + str(cache_folder() / "pip"))
    else:
        message = "pip could not install what the lock names."
    return InstallError(message, looked_at=[index.source, *_explanation(answer)], hints=hints)
