from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import Index
from kerasenv.errors import ResolveError
from kerasenv.index import SimpleIndex
from kerasenv.index_view import index_as_of
from tests.local_index import LocalIndex, Sdist, Wheel

if TYPE_CHECKING:
    from kerasenv.index_view import View

KERAS = canonicalize_name("keras")
DAY = date(2020, 6, 1)


def at(*day: int) -> datetime:
    return datetime(*day, tzinfo=timezone.utc)  # type: ignore[arg-type, misc]  # year, month, day and perhaps more


OLD = Wheel(name="keras", version="2.3.1", uploaded=at(2019, 10, 7), requires_python="<3.9", yanked='so "so" & so')
THAT_DAY = Sdist(name="keras", version="2.3.2", uploaded=at(2020, 6, 1, 23, 59))
NEXT_DAY = Wheel(name="keras", version="2.4.0", uploaded=at(2020, 6, 2))


def versions(view: View) -> list[str]:
    return [str(file.version) for file in SimpleIndex(view.index).files("keras")]


def test_what_came_up_to_the_end_of_that_day_is_there() -> None:
    with LocalIndex() as index:
        index.add(OLD, THAT_DAY, NEXT_DAY)
        with index_as_of(Index(url=index.url, source="--index-url"), DAY) as view:
            assert versions(view) == ["2.3.1", "2.3.2"]
            assert (view.later, view.unknown) == ({KERAS: 1}, {KERAS: 0})
            assert view.index.source == "--index-url as of 2020-06-01"


def test_a_file_is_what_the_index_says_and_where_it_lies() -> None:
    with LocalIndex() as index:
        index.add(OLD)
        here = Index(url=index.url)
        with index_as_of(here, DAY) as view:
            assert SimpleIndex(view.index).files("keras") == SimpleIndex(here).files("keras")


def test_an_old_pip_reads_html() -> None:
    with LocalIndex() as index:
        index.add(OLD, NEXT_DAY)
        with index_as_of(Index(url=index.url), DAY) as view, urlopen(f"{view.index.url}keras/") as answer:  # noqa: S310
            page = answer.read().decode()

        (link,) = page.splitlines()
        assert f'href="{index.file_url(OLD.filename)}#sha256={index.sha256(OLD.filename)}"' in link
        assert 'data-requires-python="&lt;3.9" data-yanked="so &quot;so&quot; &amp; so"' in link


def test_an_index_without_times_is_asked_for_its_json() -> None:
    with LocalIndex(html_only=True) as index:
        index.add(OLD, THAT_DAY, NEXT_DAY)
        index.project_json = True
        with index_as_of(Index(url=index.url), DAY) as view:
            assert versions(view) == ["2.3.1", "2.3.2"]
            assert (view.later, view.unknown) == ({KERAS: 1}, {KERAS: 0})

        assert "GET /pypi/keras/json" in index.requests


def test_an_index_that_knows_nothing_has_nothing() -> None:
    with LocalIndex(html_only=True) as index:
        index.add(OLD, THAT_DAY)
        with index_as_of(Index(url=index.url), DAY) as view:
            assert versions(view) == []
            assert view.unknown == {KERAS: 2}


def test_what_is_wanted_whenever_it_came_is_there() -> None:
    with LocalIndex() as index:
        index.add(OLD, NEXT_DAY, replace(NEXT_DAY, version="2.4.1"))
        with index_as_of(Index(url=index.url), DAY, whenever={KERAS: frozenset({Version("2.4.0")})}) as view:
            assert versions(view) == ["2.3.1", "2.4.0"]
            assert view.exempt == {"keras 2.4.0"}


def test_only_who_knows_the_secret_is_answered() -> None:
    """Whoever else is on this machine could else ask for links with a password in them."""
    with LocalIndex(credentials=("user", "p@ss")) as index:
        index.add(OLD)
        with index_as_of(Index(url=index.url_with_credentials), DAY) as view:
            url = view.index.url or ""
            assert len(url.split("/")[3]) > 20
            assert "p%40ss" not in url
            asked = Request(f"{url}keras/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})  # noqa: S310
            with urlopen(asked) as answer:  # noqa: S310
                (row,) = json.load(answer)["files"]
            assert row["url"] == index.file_url(OLD.filename).replace("://", "://user:p%40ss@")
            stranger = replace(view.index, url="/".join([*url.split("/")[:3], "guessed", "simple", ""]))
            with pytest.raises(ResolveError, match="no project keras"):
                SimpleIndex(stranger).files("keras")


def test_a_project_that_is_not_there() -> None:
    with (
        LocalIndex() as index,
        index_as_of(Index(url=index.url), DAY) as view,
        pytest.raises(ResolveError, match="no project keras"),
    ):
        SimpleIndex(view.index).files("keras")


def test_what_is_wrong_with_the_index_itself_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines hear only that a page could not be had."""
    monkeypatch.setenv("PIP_RETRIES", "0")
    with LocalIndex() as index:
        index.add(OLD)
        with (
            index.trouble("keras", status=503),
            pytest.raises(ResolveError, match="does not answer as it should"),
            index_as_of(Index(url=index.url), DAY) as view,
        ):
            SimpleIndex(view.index).files("keras")


def test_it_is_gone_afterwards() -> None:
    with LocalIndex() as index:
        index.add(OLD)
        with index_as_of(Index(url=index.url), DAY) as view:
            pass
        with pytest.raises(ResolveError, match="can't be reached"):
            SimpleIndex(view.index).files("keras")


def test_no_proxy_leads_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    local = Index(url="http://127.0.0.1:9/x/simple/", local=True)

    assert local.environ == dict.fromkeys(("NO_PROXY", "no_proxy"), "intranet.example,127.0.0.1")
    assert Index(url="http://127.0.0.1:9/simple/").environ == {}
