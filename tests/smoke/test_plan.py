from __future__ import annotations

import pytest

from kerasenv.smoke.plan import SmokePlan, Trial, idiom_of


@pytest.mark.parametrize(
    ("trial", "plan", "keras", "idiom"),
    [
        (Trial(), SmokePlan(), "0.3.3", "keras0"),
        (Trial(), SmokePlan(), "1.2.2", "keras1"),
        (Trial(), SmokePlan(), "2.3.0-tf", "keras2"),
        (Trial(), SmokePlan(), "3.15.1", "keras3"),
        (Trial(), SmokePlan(), "4.0", "keras3"),
        (Trial(), SmokePlan(), None, "keras2"),
        (Trial(), SmokePlan(trains=False), "3.15.1", "infer"),
        (Trial(idiom="keras1"), SmokePlan(), "2.0.8", "keras1"),
    ],
)
def test_the_idiom_is_the_profiles_or_that_of_the_keras_there(
    trial: Trial, plan: SmokePlan, keras: str | None, idiom: str
) -> None:
    assert idiom_of(trial, plan, keras) == idiom
