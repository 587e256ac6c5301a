from __future__ import annotations

from datetime import datetime, timezone
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import Index
from kerasenv.errors import InstallError, ResolveError
from kerasenv.index import SimpleIndex
from tests.conftest import NOWHERE
from tests.local_index import UPLOADED, LocalIndex, Sdist, Wheel

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.index import IndexFile

KERAS = canonicalize_name("keras")
NEW = Wheel(name="Keras", version="3.0", requires_python=">=3.10")


def files_of(index: LocalIndex, name: str = "keras") -> tuple[IndexFile, ...]:
    return SimpleIndex(Index(url=index.url_with_credentials)).files(name)


def test_a_file_is_what_the_index_says() -> None:
    with LocalIndex() as index:
        index.add(NEW)
        (file,) = files_of(index)

        assert file.name == "keras-3.0-py2.py3-none-any.whl"
        assert file.version == Version("3.0")
        assert file.url == index.file_url(file.name)
        assert file.sha256 == index.sha256(file.name) == sha256(NEW.build()).hexdigest()
        assert file.size == len(NEW.build())
        assert file.upload_time == UPLOADED
        assert file.requires_python == SpecifierSet(">=3.10")
        assert not file.yanked


def test_an_index_of_the_old_kind_knows_less() -> None:
    """PEP 503: HTML, with neither sizes nor times."""
    with LocalIndex(html_only=True) as index:
        index.add(NEW, Sdist(name="Keras", version="2.3.1", yanked="not so good"))
        new, old = files_of(index)

        assert new.url == index.file_url(new.name)
        assert new.sha256 == index.sha256(new.name)
        assert (new.size, new.upload_time) == (None, None)
        assert new.requires_python == SpecifierSet(">=3.10")
        assert (old.name, old.version, old.yanked) == ("keras-2.3.1.tar.gz", Version("2.3.1"), True)


@pytest.mark.parametrize("html_only", [True, False])
def test_an_index_may_have_no_hashes(*, html_only: bool) -> None:
    with LocalIndex(html_only=html_only, hashes=False) as index:
        index.add(NEW)

        assert [file.sha256 for file in files_of(index)] == [None]


PAGES = {
    "json": b"""  {"meta": {"api-version": "1.0"}, "name": "keras", "files":
        [{"filename": "keras-2.0.tar.gz", "url": "keras-2.0.tar.gz", "hashes": {"sha256": "AB"}}]}""",
    "html": b"""<html><body><a href="keras-2.0.tar.gz#sha256=AB">keras-2.0.tar.gz</a></body></html>""",
}


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("html_only", [True, False])
def test_the_media_type_may_be_wrong(kind: str, *, html_only: bool) -> None:
    """Static servers and proxies send what they have, whatever it is called and whatever was asked for."""
    with LocalIndex(html_only=html_only) as index:
        index.add(NEW)
        with index.trouble("keras", body=PAGES[kind]):
            (file,) = files_of(index)

        assert (file.name, file.sha256) == ("keras-2.0.tar.gz", "ab")
        assert file.url == f"{index.url}keras/keras-2.0.tar.gz"


def test_html_may_have_a_base_and_times() -> None:
    """No standard has the times, and indexes give them all the same."""
    page = b"""<html><head><base href="/elsewhere/"></head><body>
        <a href="keras-2.0.tar.gz" data-upload-time="2020-06-01T12:00:00.123456Z"> keras-2.0.tar.gz </a>"""
    with LocalIndex() as index:
        index.add(NEW)
        with index.trouble("keras", body=page):
            (file,) = files_of(index)

        assert file.url == index.url.replace("/simple/", "/elsewhere/keras-2.0.tar.gz")
        assert file.upload_time == datetime(2020, 6, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize("body", [None, b"[]", b'{"releases": {"1": [{}]}}', b"<html>"])
def test_a_project_json_that_tells_no_times(body: bytes | None) -> None:
    with LocalIndex() as index:
        index.add(NEW)
        index.project_json = body is not None
        with index.trouble("keras/json", body=body):
            assert SimpleIndex(Index(url=index.url)).upload_times(KERAS) == {}


def test_what_no_installer_can_use_is_left_out() -> None:
    links = [
        "keras-2.0.tar.gz",
        "keras-2.0-py3.7.egg",
        "keras-2.0.win-amd64-py3.7.exe",
        "keras-2.0.linux-x86_64.tar.gz",
        "keras-2.0.tar.bz2",
        "keras-2.0-cp37.whl",
        "keras_nightly-2.0.tar.gz",
        "MD5SUMS",
    ]
    page = "".join(f'<a href="{link}">{link}</a>' for link in links)
    with LocalIndex() as index:
        index.add(NEW)
        with index.trouble("keras", body=page.encode()):
            assert [file.name for file in files_of(index)] == ["keras-2.0.tar.gz"]


def test_a_demand_for_pythons_that_makes_no_sense_is_none() -> None:
    page = b'<a href="keras-2.0.tar.gz" data-requires-python="&gt;=3.6.*">keras-2.0.tar.gz</a>'
    with LocalIndex() as index:
        index.add(NEW)
        with index.trouble("keras", body=page):
            assert [file.requires_python for file in files_of(index)] == [None]


def test_several_projects_at_once_each_asked_for_once() -> None:
    with LocalIndex() as index:
        names = [canonicalize_name(f"package-{number}") for number in range(20)]
        index.add(*(Wheel(name=name, version="1.0") for name in names))

        found = SimpleIndex(Index(url=index.url)).files_of([*names, *names])

        assert list(found) == names
        assert [file.name.partition("-")[0] for name in names for file in found[name]] == [
            name.replace("-", "_") for name in names
        ]
        assert sorted(index.pages) == sorted(names)


def test_a_name_need_not_be_normal() -> None:
    with LocalIndex() as index:
        index.add(Wheel(name="ml_dtypes", version="1.0"))

        assert [file.version for file in files_of(index, "ML.Dtypes")] == [Version("1.0")]


class TestCredentials:
    def test_in_the_address_are_used_and_forgotten(self) -> None:
        with LocalIndex(credentials=("user", "p@ss/word")) as index:
            index.add(NEW)

            assert [file.url for file in files_of(index)] == [index.file_url(NEW.filename)]

    def test_in_netrc_are_used(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (home / "machines").write_text("machine 127.0.0.1 login user password secret\n", encoding="utf-8")
        monkeypatch.setenv("NETRC", str(home / "machines"))
        with LocalIndex(credentials=("user", "secret")) as index:
            index.add(NEW)

            assert SimpleIndex(Index(url=index.url)).files("keras")

    def test_that_are_wrong_are_an_error_without_them(self) -> None:
        with LocalIndex(credentials=("user", "right")) as index:
            index.add(NEW)
            url = index.url.replace("://", "://user:wrong@")
            with pytest.raises(ResolveError, match="who asks") as caught:
                SimpleIndex(Index(url=url, source="--index-url")).files("keras")

        assert caught.value.looked_at == (f"{index.url}keras/ (--index-url)", "401 Unauthorized")
        assert "netrc" in caught.value.hints[0]


class TestTrouble:
    def test_no_such_project(self) -> None:
        with LocalIndex() as index, pytest.raises(ResolveError, match="no project kears") as caught:
            files_of(index, "kears")

        assert caught.value.looked_at[1] == "404 Not Found"

    def test_one_missing_project_of_many_is_the_error(self) -> None:
        with LocalIndex() as index:
            index.add(NEW)
            with pytest.raises(ResolveError, match="no project kears"):
                SimpleIndex(Index(url=index.url)).files_of([KERAS, canonicalize_name("kears"), KERAS])

    def test_an_index_that_is_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIP_RETRIES", "1")
        with LocalIndex() as index:
            index.add(NEW)
            with index.trouble("keras", status=503), pytest.raises(ResolveError, match="not answer") as caught:
                files_of(index)

            assert index.pages == ["keras", "keras"]
        assert caught.value.looked_at[1] == "503 Service Unavailable"

    def test_nobody_there(self) -> None:
        url = NOWHERE.replace("://", "://user:secret@") + "/simple"
        with pytest.raises(ResolveError, match="can't be reached") as caught:
            SimpleIndex(Index(url=url)).files("keras")

        assert "secret" not in "".join(caught.value.looked_at)

    def test_a_page_that_breaks_off(self) -> None:
        with LocalIndex() as index:
            index.add(NEW)
            with index.trouble("keras", cut_after=20), pytest.raises(ResolveError, match="can't be reached"):
                files_of(index)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"an": "answer"}',
            b'{"meta": {"api-version": "9.0"}, "name": "keras", "files": []}',
            b'{"meta": {"api-versi',
            b'<html><head><meta name="pypi:repository-version" content="9.0"></head></html>',
        ],
    )
    def test_something_else_answers(self, body: bytes) -> None:
        with LocalIndex() as index:
            index.add(NEW)
            with index.trouble("keras", body=body), pytest.raises(ResolveError, match="no package index"):
                files_of(index)


class TestFetching:
    OLD = Sdist(name="Keras", version="2.3.1")

    @pytest.mark.parametrize("hashes", [True, False])
    def test_the_file_with_that_digest_is_fetched(self, tmp_path: Path, *, hashes: bool) -> None:
        """Or, where the index tells no digests, the one of that name, if it turns out to have it."""
        digest = sha256(self.OLD.build()).hexdigest()
        with LocalIndex(hashes=hashes, credentials=("user", "secret")) as index:
            index.add(NEW, self.OLD)
            known = SimpleIndex(Index(url=index.url_with_credentials))

            place = known.fetch(KERAS, digest, tmp_path / "keras-2.3.1.tar.gz")

        assert place.read_bytes() == self.OLD.build()

    def test_one_that_turns_out_to_be_another_is_refused(self, tmp_path: Path) -> None:
        with LocalIndex(hashes=False) as index:
            index.add(NEW, self.OLD)
            known = SimpleIndex(Index(url=index.url_with_credentials))

            with pytest.raises(InstallError, match="not the file that the lock names: its sha256 differs"):
                known.fetch(KERAS, 64 * "a", tmp_path / "keras-2.3.1.tar.gz")

        assert list(tmp_path.iterdir()) == []

    def test_one_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with LocalIndex() as index:
            index.add(NEW)
            known = SimpleIndex(Index(url=index.url_with_credentials))

            with pytest.raises(InstallError, match="no file of keras with the sha256 that the lock names"):
                known.fetch(KERAS, 64 * "a", tmp_path / "keras-2.3.1.tar.gz")
