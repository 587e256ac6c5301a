from __future__ import annotations

import pytest

from kerasenv.system.packages import MANAGERS, System, linux_system, this_system

GXX = {"apt": "g++", "dnf": "gcc-c++", "pacman": "gcc", "zypper": "gcc-c++", "apk": "g++"}


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ({"ID": "debian"}, "apt-get install g++"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, "apt-get install g++"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "apt-get install g++"),
        ({"ID": "fedora"}, "dnf install gcc-c++"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "dnf install gcc-c++"),
        ({"ID": "arch"}, "pacman -S gcc"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "zypper install gcc-c++"),
        ({"ID": "alpine"}, "apk add g++"),
    ],
    ids=lambda value: value["ID"] if isinstance(value, dict) else "",
)
def test_a_distribution_says_itself_whose_packages_it_has(release: dict[str, str], command: str) -> None:
    assert linux_system(release, root=True).command(GXX, python="3.7") == command
    assert linux_system(release, root=False).command(GXX, python="3.7") == f"sudo {command}"


def test_what_nobody_knows_has_no_command() -> None:
    assert linux_system({}, root=True).command(GXX, python="3.7") is None
    assert linux_system({"ID": "debian"}, root=True).command({"dnf": "openmpi"}, python="3.7") is None


def test_a_package_can_be_of_one_python() -> None:
    debian = linux_system({"ID": "debian"}, root=True)

    assert debian.command({"apt": "python{python}-dev"}, python="3.7") == "apt-get install python3.7-dev"


def test_where_nobody_is_root_nobody_is_asked_to_be() -> None:
    mac = System(title="macOS", managers=("xcode", "brew"))

    assert mac.command({"xcode": "command-line-tools", "apt": "g++"}, python="3.7") == "xcode-select --install"
    assert mac.command({"brew": "open-mpi"}, python="3.7") == "brew install open-mpi"


def test_this_system_has_a_name() -> None:
    system = this_system()

    assert system.title
    assert set(system.managers) <= set(MANAGERS)
