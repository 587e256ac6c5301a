from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kerasenv.errors import SmokeError
from kerasenv.outcome import Outcome
from kerasenv.report.json import error_as_json, outcome_as_json


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    version: Version
    requirements: frozenset[Requirement]


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    path: Path
    inner: tuple[Inner, ...]
    requires: SpecifierSet
    names: frozenset[str]
    text: str


def test_all_that_results_are_made_of_can_be_told() -> None:
    data = Data(
        path=Path("a") / "b",
        inner=(Inner(version=Version("1.0rc1"), requirements=frozenset({Requirement("b"), Requirement("a<2")})),),
        requires=SpecifierSet(">=3"),
        names=frozenset({"y", "x"}),
        text="\N{CJK UNIFIED IDEOGRAPH-6F22}\udcff\n",
    )

    text = outcome_as_json("verb", Outcome(data=data), ["a note"])

    assert text.isascii()
    envelope = json.loads(text)
    assert envelope["data"] == {
        "path": str(Path("a") / "b"),
        "inner": [{"version": "1.0rc1", "requirements": ["a<2", "b"]}],
        "requires": ">=3",
        "names": ["x", "y"],
        "text": data.text,
    }
    assert envelope["notes"] == ["a note"]


def test_a_bad_result_has_both_data_and_error() -> None:
    error = SmokeError("it failed", looked_at=["here"], hints=["do that"])

    bad = json.loads(outcome_as_json("smoke", Outcome(data=[1], error=error), []))
    none = json.loads(error_as_json("smoke", error, []))

    assert (bad["status"], bad["exit_code"], bad["data"]) == ("failed", 1, [1])
    assert (none["status"], none["exit_code"], none["data"]) == ("error", 1, None)
    assert bad["error"] == none["error"]
    assert bad["error"] == {
        "kind": "SmokeError",
        "message": "it failed",
        "looked_at": ["here"],
        "hints": ["do that"],
    }
