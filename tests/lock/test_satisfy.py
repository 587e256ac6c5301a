from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from packaging.markers import Marker

from kerasenv.lock.resolve import resolve, resolve_with_gaps
from kerasenv.lock.satisfy import covers, differences, flaws, unmet_by_pins
from kerasenv.profiles.profile import KerasSettings
from kerasenv.smoke.plan import Noise, SmokePlan, Trial
from tests.lock.wishes import PROFILE, KnowingEngine, lock_of, on, pin, profile, resolved, wish

if TYPE_CHECKING:
    from kerasenv.lock.lockfile import Lock
    from kerasenv.profiles.profile import Profile
    from kerasenv.resolution import ResolvedPackage

PIP = resolved("pip", "26.0")
KERAS = resolved("keras", "3.12.0")
NUMPY = resolved("numpy", "2.0")


def lock(
    *packages: ResolvedPackage, wanted: Profile = PROFILE, extra: tuple[str, ...] = (), promised: bool = True
) -> Lock:
    """Return a lock of packages, that a profile and what somebody added to it were resolved to."""
    pylock = resolve(wish(wanted, *extra), KnowingEngine(packages=(PIP, *packages)))
    return lock_of(pylock, wanted, *extra, promised=promised)


def told(
    there: Lock, wanted: Profile = PROFILE, *extra: str, variant: str | None = None, python: str = "3.11.7"
) -> list[str]:
    return differences(there, wish(wanted, *extra, interpreter=on(python)), variant=variant)


class TestWhatFits:
    def test_what_was_asked_for(self) -> None:
        assert told(lock(KERAS)) == []

    def test_more_than_was_asked_for(self) -> None:
        """It was locked with --with, and the next create leaves that out."""
        assert told(lock(KERAS, NUMPY, extra=("numpy",))) == []

    def test_less_said_of_what_is_there_anyway(self) -> None:
        """A later create may ask with --with for what the lock happens to have."""
        assert told(lock(KERAS, NUMPY), PROFILE, "numpy>=1,<3") == []

    def test_a_profile_that_asks_in_other_words(self) -> None:
        """It is no hash of inputs."""
        assert told(lock(KERAS), profile("keras<4,>=3.1", constraints=["numpy<3", "keras<3.13"])) == []

    def test_a_profile_that_tells_other_reasons(self) -> None:
        there = lock(KERAS, NUMPY, wanted=profile(constraints=["numpy<3"]))

        assert told(there, profile(constraints=["numpy<3"], summary="Told better.")) == []

    def test_a_prerelease_that_was_chosen(self) -> None:
        assert told(lock(resolved("keras", "3.12.0rc1"))) == []

    def test_names_in_any_spelling(self) -> None:
        there = lock(KERAS, resolved("Keras_Applications", "1.0.8"))

        assert told(there, profile("KERAS", "keras.applications", constraints=["keras-Applications<2"])) == []

    def test_a_marker_that_does_not_hold(self) -> None:
        wanted = profile(
            "keras", "pywin32 ; sys_platform == 'cygwin'", constraints=["keras<3 ; python_version < '3.9'"]
        )

        assert told(lock(KERAS, wanted=wanted), wanted) == []

    def test_a_profile_that_left_a_python_or_a_platform_behind(self) -> None:
        assert told(lock(KERAS), profile(requires_python=">=3.11,<3.13", platforms=("linux-x86_64",))) == []

    def test_a_profile_that_is_for_more_machines_now(self) -> None:
        """As long as this one is among those that the lock is for: nobody is to lock anew for somebody else's."""
        wider = profile(requires_python=">=3.10,<3.15", platforms=(*PROFILE.platforms, "linux-aarch64"))

        assert told(lock(KERAS), wider) == []

    def test_a_lock_for_one_machine_alone(self) -> None:
        """It lacks what the profile needs elsewhere."""
        wanted = profile("keras", "colorama ; sys_platform == 'win32'", "tomli ; python_version < '3.11'")
        pylock = resolve(wish(wanted), KnowingEngine(packages=(PIP, KERAS), only_here=True))

        assert told(lock_of(pylock, wanted), wanted) == []

    def test_a_lock_without_our_table(self) -> None:
        """The packages alone are asked then."""
        there = lock(KERAS, promised=False)

        assert told(there, profile(backend="jax", name="other"), variant="cuda") == []
        assert told(there, profile("keras>=4")) == ["it has keras 3.12.0, and keras>=4 is asked for"]

    def test_a_lock_of_another_tool(self) -> None:
        """Its markers speak of extras and groups, and it may say nothing of machines."""
        there = lock(KERAS, promised=False)
        packages = [replace(one, marker=Marker("'dev' not in dependency_groups")) for one in there.pylock.packages]
        pylock = replace(there.pylock, packages=packages, environments=None, requires_python=None)

        assert told(replace(there, pylock=pylock)) == []


class TestWhatDoesNotMatter:
    def test_what_is_tried_and_what_is_heard_meanwhile(self) -> None:
        """An environment doesn't become another one by what is known of its era."""
        wanted = profile(
            trial=Trial(idiom="keras3"), noise=(Noise(text="oneDNN", because="it is told at every start"),)
        )

        assert told(lock(KERAS, NUMPY), wanted) == []


class TestWhatDoesNot:
    @pytest.mark.parametrize(
        ("wanted", "extra", "said"),
        [
            (PROFILE, ("pandas",), "it has no pandas, which is asked for"),
            (PROFILE, ("numpy>=3",), "it has numpy 2.0, and numpy>=3 is asked for"),
            (profile("keras>=4"), (), "it has keras 3.12.0, and keras>=4 is asked for"),
            (profile("keras", "tf-keras"), (), "it has no tf-keras, which is asked for"),
            (
                profile(constraints=["numpy<2"]),
                (),
                "it has numpy 2.0, and the profile wants numpy<2 (it breaks)",
            ),
            (profile(name="other"), (), "it is for profile tiny, not other"),
            (profile(backend="jax"), (), "the profile's backend changed since it was written"),
            (profile(variables={"TF_X": "1"}), (), "the profile's variables changed since it was written"),
            (
                profile(settings=KerasSettings(floatx="float64")),
                (),
                "the profile's settings changed since it was written",
            ),
            (
                profile(smoke=SmokePlan(backend="tensorflow", trains=False)),
                (),
                "the profile's smoke changed since it was written",
            ),
            (
                profile(build_constraints=["setuptools<60"]),
                (),
                "the profile's build constraints changed since it was written",
            ),
            (PROFILE, ("keras[and_cuda,x]",), "it was resolved without keras[and-cuda,x], which is asked for"),
        ],
    )
    def test_it_is_told_in_words(self, wanted: Profile, extra: tuple[str, ...], said: str) -> None:
        assert told(lock(KERAS, NUMPY), wanted, *extra) == [said]

    def test_another_variant(self) -> None:
        assert told(lock(KERAS), variant="cuda") == ["it is for the plain profile, not variant cuda"]

    def test_an_extra_that_was_there_is_there(self) -> None:
        assert told(lock(KERAS, extra=("keras[And.Cuda]",)), PROFILE, "keras[and-cuda]") == []

    def test_another_python(self) -> None:
        """The profile may have become wider since."""
        wider = profile(requires_python=">=3.10,<3.15")

        assert told(lock(KERAS), wider, python="3.13.1") == ["it is for Python <3.13,>=3.10, not 3.13.1"]

    def test_what_is_missing_on_another_machine_of_the_lock(self) -> None:
        """It is committed, and others make environments from it."""
        there = lock(KERAS, resolved("colorama", "0.4", marker="sys_platform == 'win32'"))

        assert told(there, PROFILE, "colorama") == ["it has no colorama, which is asked for"]
        assert told(there, PROFILE, "colorama ; sys_platform == 'win32'") == []

    def test_everything_is_told_and_nothing_twice(self) -> None:
        wanted = profile("keras>=4", backend="jax")

        assert told(lock(KERAS), wanted, "pandas", variant="cpu") == [
            "it is for the plain profile, not variant cpu",
            "the profile's backend changed since it was written",
            "it has keras 3.12.0, and keras>=4 is asked for",
            "it has no pandas, which is asked for",
        ]

    def test_every_version_that_does_not_fit(self) -> None:
        there = lock(
            resolved("keras", "3.1.0", marker="python_version < '3.11'"),
            resolved("keras", "3.2.0", marker="python_version == '3.11'"),
            resolved("keras", "3.12.0", marker="python_version > '3.11'"),
        )

        assert told(there, profile("keras>=3.5")) == [
            "it has keras 3.1.0, and keras>=3.5 is asked for",
            "it has keras 3.2.0, and keras>=3.5 is asked for",
        ]


class TestPins:
    wanted = profile("keras>=3", constraints=["numpy<2.1"])

    def test_those_that_fit(self) -> None:
        pins = [
            pin("pip", "26.0"),
            pin("keras", "3.9.0", marker="python_version < '3.12'"),
            pin("keras", "3.12.0", marker="python_version >= '3.12'"),
            pin("numpy", "2.0", marker="sys_platform == 'linux'"),
        ]

        assert unmet_by_pins(pins, self.wanted) == []

    def test_those_that_do_not(self) -> None:
        pins = [pin("keras", "3.12.0", marker="python_version >= '3.12'"), pin("numpy", "2.2")]

        assert unmet_by_pins(pins, self.wanted) == [
            "it has no keras, which is asked for",
            "it has no pip, which is asked for",
            "it has numpy 2.2, and the profile wants numpy<2.1 (it breaks)",
        ]


def test_a_lock_that_is_for_none_of_the_profiles_machines_is_no_matter_of_packages() -> None:
    """That it isn't for this one is said by whoever knows the machine."""
    there = lock(KERAS)
    elsewhere = replace(there.pylock, environments=[Marker("sys_platform == 'plan9'")])

    assert told(replace(there, pylock=elsewhere), profile("keras>=4")) == []


class TestFlaws:
    """What an edit by hand or a merge leaves; a lock that kerasenv wrote has none."""

    def test_none(self) -> None:
        assert flaws(lock(KERAS, NUMPY), wish()) == []

    def test_what_is_missing_somewhere_is_none(self) -> None:
        """The lock isn't for those machines."""
        partly = resolved("numpy", "2.0", "numpy-2.0-cp311-cp311-manylinux2014_x86_64.whl")

        assert flaws(lock(KERAS, partly), wish()) == []

    def test_a_lock_that_is_for_more_than_it_has_files_for(self) -> None:
        there = lock(KERAS, resolved("numpy", "2.0", "numpy-2.0-cp311-cp311-manylinux2014_x86_64.whl"))
        wider = replace(there.pylock, environments=[Marker("sys_platform == 'linux'")])

        assert flaws(replace(there, pylock=wider), wish()) == [
            "it is for Python 3.10 on Linux x86_64, and has no file of numpy 2.0 for it",
            "it is for Python 3.12 on Linux x86_64, and has no file of numpy 2.0 for it",
        ]

    def test_a_package_that_comes_twice(self) -> None:
        there = lock(KERAS)
        twice = replace(
            there.pylock, packages=[*there.pylock.packages, *lock(resolved("keras", "3.9")).pylock.packages]
        )

        assert "it has several keras for Python 3.10 on Linux x86_64" in flaws(replace(there, pylock=twice), wish())

    def test_a_file_without_a_digest_that_counts(self) -> None:
        there = lock(KERAS)
        packages = [
            replace(one, wheels=[replace(wheel, hashes={"md5": "0"}) for wheel in one.wheels or ()])
            for one in there.pylock.packages
        ]

        assert "it has a file of keras 3.12.0 without its sha256" in flaws(
            replace(there, pylock=replace(there.pylock, packages=packages)), wish()
        )


class TestCovers:
    def test_what_it_was_resolved_for(self) -> None:
        assert covers(lock(KERAS), PROFILE)

    def test_a_profile_that_is_for_more_now(self) -> None:
        assert not covers(lock(KERAS), profile(requires_python=">=3.10,<3.14"))
        assert not covers(lock(KERAS), profile(platforms=(*PROFILE.platforms, "linux-aarch64")))

    def test_what_has_no_files_was_looked_for(self) -> None:
        partly = resolved("numpy", "2.0", "numpy-2.0-cp311-cp311-manylinux2014_x86_64.whl")
        pylock, gaps = resolve_with_gaps(wish(), KnowingEngine(packages=(PIP, partly)))
        there = lock_of(pylock)
        assert there.promise is not None

        assert not covers(there, PROFILE)
        assert covers(replace(there, promise=replace(there.promise, gaps=gaps)), PROFILE)


class TestDaysAndSources:
    def test_another_day(self) -> None:
        there = lock(KERAS)
        assert there.promise is not None
        of_then = replace(there, promise=replace(there.promise, as_of=date(2020, 6, 1)))
        today, then, later = (wish(as_of=day) for day in (None, date(2020, 6, 1), date(2021, 1, 1)))

        assert differences(of_then, today, variant=None) == differences(of_then, then, variant=None) == []
        assert differences(of_then, later, variant=None) == ["it was resolved as of 2020-06-01, not as of 2021-01-01"]
        assert differences(there, then, variant=None) == ["it was resolved without --as-of, not as of 2020-06-01"]

    def test_a_source_where_nothing_may_be_built(self) -> None:
        wanted = profile(build_constraints=["setuptools"])
        there = lock(KERAS, resolved("theano", "1.0", "theano-1.0.tar.gz"), wanted=wanted)

        assert differences(there, wish(wanted), variant=None) == []
        assert differences(there, wish(wanted, only_binary=True), variant=None) == [
            "theano 1.0 is built from source, and --only-binary refuses that"
        ]
