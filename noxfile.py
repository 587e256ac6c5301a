"""What is run before anything lands: `nox` runs it all, `nox -l` lists it."""

import nox

nox.needs_version = ">=2025.2.9"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "types", "tests", "docs", "live"]
nox.options.reuse_existing_virtualenvs = True

PROJECT = nox.project.load_toml("pyproject.toml")


def _group(name: str) -> list[str]:
    return nox.project.dependency_groups(PROJECT, name)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, and that the files are formatted."""
    session.install(*_group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.install("-e", ".", *_group("types"))
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the hermetic tests: a local index of tiny wheels, real interpreters and shells."""
    session.install("-e", ".", *_group("test"))
    session.run("pytest", "--numprocesses=2", *session.posargs)


@nox.session
def live(session: nox.Session) -> None:
    """Build and train real profiles from the real index: minutes, and gigabytes of downloads."""
    session.install(".", *_group("test"))
    # From elsewhere, so that the installed package is what runs and not the checkout's
    session.run("pytest", "--live", "--numprocesses=2", "tests/live", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; what it generates must be what is committed."""
    session.install("-e", ".", *_group("docs"))
    session.run("python", "tools/reference.py", "--check")
    session.run("sphinx-build", "-W", "-n", "-b", "html", "docs", "docs/_build/html")
    session.run("sphinx-build", "-W", "-n", "-b", "doctest", "docs", "docs/_build/doctest")


@nox.session
def profiles(session: nox.Session) -> None:
    """Build every profile from its shipped pins with an empty cache, prove it and write down the evidence: an hour."""
    session.install("-e", ".")
    session.run("python", "tools/verify_profiles.py", *(session.posargs or ["--full", "--rebuild"]))
