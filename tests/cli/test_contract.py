"""What --json promises to programs: one object, the same keys for every verb, and nothing else on standard output."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import kerasenv
from kerasenv.cli.app import main
from tests.programs import CHECKOUT, start_kerasenv
from tests.project import ENVELOPE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_index import LocalIndex
    from tests.project import Project

DATA = {
    "create": {"environment", "lock", "lock_is_new", "packages", "smoke", "changes"},
    "lock": {"profile", "lock", "status", "packages", "changes", "missing", "agreed"},
    "rebuild": {"environment", "lock", "lock_is_new", "packages", "smoke", "changes"},
    "smoke": {
        *("passed", "steps", "seconds", "versions", "failed_step", "error", "traceback", "meaning"),
        *("devices", "noise", "unknown", "full"),
    },
    "show": {
        *("name", "summary", "era", "source", "extends", "pythons", "platforms", "requirements", "constraints"),
        *("build_constraints", "system", "variables", "variants", "pins", "wheels", "verified"),
    },
    "remove": {"folder", "profile"},
}


class TestResults:
    """One life of an environment, verb by verb."""

    def test_every_verb_gives_the_same_envelope(self, project: Project) -> None:
        for words in (
            ["create", "tiny"],
            ["lock", "tiny"],
            ["rebuild"],
            ["smoke"],
            ["show", "tiny"],
            ["list"],
            ["remove"],
        ):
            envelope = project.json(*words)

            verb = words[0]
            data = envelope["data"][0] if verb in {"list", "lock"} else envelope["data"]
            assert envelope | {"data": None} == {
                "format": 1,
                "kerasenv": kerasenv.__version__,
                "command": verb,
                "status": "ok",
                "exit_code": 0,
                "data": None,
                "error": None,
                "notes": [],
            }
            assert data.keys() == DATA.get(verb, {"name", "summary", "requires_python", "verified", "source"})

    def test_what_create_tells(self, made: Project) -> None:
        data = made.json("create", "tiny", "--no-smoke")["data"]

        assert data["environment"]["folder"] == str(made.environment)
        assert data["environment"]["receipt"]["profile"] == "tiny"
        assert data["lock"] == str(made.lock)
        assert (data["lock_is_new"], data["packages"], data["smoke"], data["changes"]) == (False, 7, None, [])

    def test_run_leaves_standard_output_to_the_command(self, made: Project) -> None:
        done = made.run("run", "--json", "--", "python", "-c", "print('mine')")

        assert done.stdout == "mine\n"


USAGE = {
    "no verb": ["--json"],
    "no such verb": ["no-such-verb", "--json"],
    "no such option": ["create", "--json", "--bogus"],
    "no such option before": ["create", "--bogus", "--json"],
    "no profile": ["create", "--json"],
    "too much": ["remove", ".venv", "other", "--json"],
    "option without value": ["create", "tiny", "--json", "--lock"],
    "no such engine": ["create", "tiny", "--json", "--engine", "conda"],
    "no requirement": ["create", "tiny", "--json", "--with", "!"],
    "no command": ["run", "--json"],
    "no such user": ["create", "tiny", "~no-such-user/env", "--json"],
    "behind --": ["create", "tiny", "--json", "--", "env", "more"],
}
FAILURES = {
    "verify": ["verify", "--json"],
    "sync": ["sync", "--json"],
    "export": ["export", "--json", "requirements"],
    "create": ["create", "--json", "no-such-profile"],
    "rebuild": ["rebuild", "--json"],
    "smoke": ["smoke", "--json"],
    "run": ["run", "--json", "--", "true"],
    "remove": ["remove", "--json"],
    "show": ["show", "--json", "no-such-profile"],
}


class TestErrors:
    @pytest.mark.parametrize("name", USAGE)
    def test_a_command_line_that_is_off(self, name: str, capfd: pytest.CaptureFixture[str]) -> None:
        envelope = _envelope(USAGE[name], capfd, code=2)

        assert envelope["error"]["kind"] == "UsageError"
        assert envelope["error"]["message"]
        assert envelope["error"]["hints"]

    @pytest.mark.parametrize("verb", FAILURES)
    def test_what_a_verb_can_not_do(self, verb: str, capfd: pytest.CaptureFixture[str]) -> None:
        envelope = _envelope(FAILURES[verb], capfd, code=1)

        assert envelope["command"] == verb
        assert envelope["error"]["kind"] in {"ProfileError", "LockError", "EnvironmentFolderError"}

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_somebody_ends_it(self, project: Project, index: LocalIndex, number: signal.Signals) -> None:
        with (
            index.trouble("keras", hold=True) as trouble,
            start_kerasenv("create", "tiny", "--json", cwd=project.folder) as process,
        ):
            assert trouble.met.wait(60)
            process.send_signal(number)
            stdout, _ = process.communicate(timeout=60)

        envelope = json.loads(stdout)
        assert list(envelope) == ENVELOPE
        assert envelope["exit_code"] == process.returncode == 128 + number
        assert envelope["error"]["kind"] == "Interrupted"

    def test_a_fault_of_kerasenv_itself(self, tmp_path: Path) -> None:
        """Whatever goes wrong inside is told in the same form."""
        code = (
            f"import sys; sys.path[0] = {str(CHECKOUT)!r}; from kerasenv.cli import app, list_;"
            "list_.list_profiles = lambda **_: 1 / 0;"
            "sys.exit(app.main(['list', '--json']))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, encoding="utf-8")

        envelope = json.loads(done.stdout)
        assert envelope["error"]["message"] == "kerasenv itself failed: ZeroDivisionError: division by zero"
        assert "in list_" in "".join(envelope["error"]["looked_at"])
        assert (envelope["exit_code"], done.returncode) == (1, 1)
        assert done.stderr == ""
        assert not list(tmp_path.iterdir())


def _envelope(words: list[str], capfd: pytest.CaptureFixture[str], *, code: int) -> dict[str, Any]:
    assert main(words) == code
    envelope: dict[str, Any] = json.loads(capfd.readouterr().out)
    assert list(envelope) == ENVELOPE
    assert (envelope["status"], envelope["exit_code"], envelope["data"]) == ("error", code, None)
    assert list(envelope["error"]) == ["kind", "message", "looked_at", "hints"]
    return envelope
