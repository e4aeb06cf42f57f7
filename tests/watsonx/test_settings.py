"""What a backend is told, and where from: all that is wrong is said at once, and nobody is asked."""

from __future__ import annotations

import copy
import json
import pickle
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import wxtuning as wx
from tests.server.processes import Running
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.errors import NotAuthorized, PlanError
from wxtuning.registry import backend as named_backend
from wxtuning.retry import Patience

KEY = "canary-key-0123456789"
GOOD: dict[str, Any] = {"url": "https://cpd.example.com", "project": "tuning", "username": "ada", "api_key": KEY}


def problems(**changed: Any) -> tuple[str, ...]:
    with pytest.raises(PlanError) as failure:
        Watsonx(**{**GOOD, **changed})
    return failure.value.problems


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "APIKEY", "API_KEY", "TOKEN", "PASSWORD", "USERNAME", "PROJECT_ID", "SPACE_ID", "CA"):
        monkeypatch.delenv(f"WATSONX_{name}", raising=False)


def test_importing_it_loads_no_vendor() -> None:
    code = (
        "import sys, wxtuning, wxtuning.adapters.watsonx as w; w.Watsonx(url='https://x', project='p', token='t.t');"
        "print({m.split('.')[0] for m in sys.modules} & {'httpx', 'httpcore', 'ibm_watsonx_ai', 'tenacity', 'pandas'})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_it_is_among_the_public_names() -> None:
    assert wx.Watsonx is Watsonx


def test_a_good_one_asks_nobody() -> None:
    assert Watsonx(**GOOD).settings.url == "https://cpd.example.com"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "http://127.0.0.1:8080"}, "wxtuning serve --tls"),
        ({"url": "cpd.example.com"}, "no address of a server"),
        ({"url": "https://ada:secret@cpd.example.com"}, "holds a user or a password"),
        ({"url": "ada:secret@cpd.example.com:99999"}, "holds a user or a password"),
        ({"url": "https://cpd.example.com:port"}, "no address of a server"),
        ({"url": "https://[cpd.example.com"}, "no address of a server"),
        ({"url": "https://cpd.example.com/?x=1"}, "no address of a server"),
        ({"url": "https://cpd.example.com/zen/"}, "the server's is https://cpd.example.com;"),
        ({"url": "https://cpd.example.com:8443/zen/?context=x#/home"}, "the server's is https://cpd.example.com:8443;"),
        ({"platform_url": "https://api.example.com/v2"}, "the server's is https://api.example.com;"),
        ({"url": None}, "url=None"),
        ({"platform_url": "http://api.example.com"}, "platform_url='http://api.example.com' is not encrypted"),
        ({"auth_url": "nothing"}, "auth_url='nothing' is no address"),
        ({"project": None}, "neither is given; expected either project= or space="),
        ({"space": "s"}, "both are given; expected either project= or space="),
        ({"project": "  "}, "project='  '; expected a name or an id"),
        ({"project": 7}, "project=7; expected a name or an id"),
        ({"project": None, "space": "s", "create_project": True}, "create_project=True; expected project="),
        ({"api_key": None}, "no credentials are given"),
        ({"api_key": ""}, "api_key= is empty"),
        ({"api_key": 12345}, "api_key= is empty, or is no text"),
        ({"token": "a.b"}, "api_key= and token= are given; expected one"),
        ({"api_key": None, "password": "p", "username": None}, "username= is missing"),
        ({"username": None}, "username= (or WATSONX_USERNAME) is missing; expected it beside api_key="),
        ({"username": 5}, "username=5; expected text"),
        ({"ca": "/nowhere/ca.pem"}, "ca='/nowhere/ca.pem' cannot be used: No such file"),
        ({"ca": 5}, "ca=5"),
        ({"submit_settle": -1}, "submit_settle=-1; expected seconds from 0"),
        ({"submit_settle": "soon"}, "submit_settle='soon'"),
        ({"submit_settle": float("nan")}, "submit_settle=nan"),
        ({"on_unknown": "guess"}, "on_unknown='guess'; expected 'settle' or 'ask'"),
        ({"patience": 5}, "patience=5"),
        ({"http_client": 5}, "http_client=int; expected an httpx.Client"),
    ],
)
def test_what_is_wrong_is_said_with_its_value(changed: dict[str, Any], said: str) -> None:
    if changed.get("ca") == 5:
        said = "expected the path of a file"
    assert any(said in problem for problem in problems(**changed)), problems(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "https://us-south.ml.cloud.ibm.com"},
        {"platform_url": "https://api.example.com", "auth_url": "https://iam.example.com/identity/token"},
        {"api_key": None, "token": "a.b"},
    ],
)
def test_where_a_key_or_token_is_enough_no_user_is_asked_for(changed: dict[str, Any]) -> None:
    assert Watsonx(**{**GOOD, "username": None, **changed}).settings.username is None


@pytest.mark.parametrize(
    "spelling",
    [
        "https://cpd.example.com/",
        "https://cpd.example.com:443",
        "https://CPD.Example.com:",
        "HTTPS://cpd.example.com:443//",
    ],
)
def test_a_service_is_the_same_however_its_address_is_spelt(spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Watsonx(**{**GOOD, "url": spelling})
    assert backend == Watsonx(**GOOD)
    assert backend.service.host == "cpd.example.com"
    monkeypatch.setenv("WATSONX_APIKEY", KEY)
    monkeypatch.setenv("WATSONX_URL", spelling)
    assert pickle.loads(pickle.dumps(backend)) == Watsonx(**GOOD)


def test_another_port_is_another_service_and_an_address_of_numbers_keeps_its_brackets() -> None:
    urls = ("https://cpd.example.com:8443", "https://[2001:DB8::1]:8443/")
    assert [Watsonx(**{**GOOD, "url": url}).settings.url for url in urls] == [urls[0], "https://[2001:db8::1]:8443"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(problems(url="ftp://x", project=None, api_key=None, submit_settle=-1)) == 4


def test_a_file_without_certificates_is_no_authority(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    assert "expected certificates in PEM format" in problems(ca=tmp_path / "ca.pem")[0]


def test_a_client_that_may_send_twice_is_refused() -> None:
    from ibm_watsonx_ai._wrappers.httpx import RetryTransport

    own = RetryTransport(3, 0.3, [503], verify_initial=True, allow_ssl_fallback=False)
    for client in (httpx.Client(transport=own), httpx.Client(mounts={"https://": own})):
        with client:
            assert "RetryTransport, which may send a request twice" in problems(http_client=client)[0]


def trusting_every_name() -> ssl.SSLContext:
    trust = ssl.create_default_context()
    trust.check_hostname = False
    return trust


@pytest.mark.parametrize(
    "given",
    [
        {"verify": False},
        {"verify": trusting_every_name()},
        {"proxy": "http://proxy.example.com:3128", "verify": False},
        {"mounts": {"https://": httpx.HTTPTransport(verify=False)}},
        {"proxy": httpx.Proxy("https://proxy.example.com", ssl_context=trusting_every_name())},
    ],
    ids=["nobody", "every name", "behind a proxy", "for an address", "the proxy"],
)
def test_a_client_that_trusts_everybody_is_refused(given: dict[str, Any]) -> None:
    with httpx.Client(**given) as client:
        assert [problem for problem in problems(http_client=client) if "ca=" in problem and "certificates" in problem]


def test_a_client_with_an_authority_of_its_own_is_taken() -> None:
    with httpx.Client(verify=ssl.create_default_context()) as client:
        assert Watsonx(**GOOD, http_client=client).settings.http_client is client


def test_its_text_shows_no_secret_and_nothing_usual() -> None:
    assert repr(Watsonx(**GOOD)) == "Watsonx(url='https://cpd.example.com', project='tuning', username='ada')"
    assert KEY not in f"{Watsonx(**GOOD).settings!r}"


def test_two_that_are_told_the_same_are_equal() -> None:
    assert Watsonx(**GOOD) == Watsonx(**{**GOOD, "url": "https://cpd.example.com/", "patience": Patience(attempts=2)})
    assert len({Watsonx(**GOOD), Watsonx(**GOOD)}) == 1
    assert Watsonx(**GOOD) != Watsonx(**{**GOOD, "project": "other"})
    assert Watsonx(**GOOD) != "watsonx"


# --- where it comes from ----------------------------------------------------------------------------------------------


def test_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"URL": "https://cpd.example.com/", "APIKEY": KEY, "USERNAME": "ada", "PROJECT_ID": "tuning"}
    for name, value in said.items():
        monkeypatch.setenv(f"WATSONX_{name}", value)
    assert Watsonx.from_env() == Watsonx(**GOOD)
    assert named_backend("watsonx") == Watsonx(**GOOD)


def test_what_is_given_counts_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"URL": "https://cpd.example.com", "PASSWORD": "p", "TOKEN": "t.t", "SPACE_ID": "s", "USERNAME": "ada"}
    for name, value in said.items():
        monkeypatch.setenv(f"WATSONX_{name}", value)
    assert Watsonx.from_env(project="tuning", api_key=KEY) == Watsonx(**GOOD)


def test_both_names_of_the_key_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATSONX_API_KEY", KEY)
    assert Watsonx.from_env(url=GOOD["url"], project="tuning", username="ada") == Watsonx(**GOOD)


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(PlanError) as failure:
        Watsonx.from_env()
    assert [problem.split(" is not set")[0] for problem in failure.value.problems] == [
        "WATSONX_URL",
        "WATSONX_APIKEY or WATSONX_PASSWORD or WATSONX_TOKEN",
        "WATSONX_PROJECT_ID or WATSONX_SPACE_ID",
    ]


def test_the_file_of_a_server_is_enough(server: Running, tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    file.write_text(json.dumps(server.ready))
    backend = Watsonx.from_ready(file)
    assert backend.service.container.id == server.project
    assert Watsonx.from_ready(file, space="wxtuning").settings.project is None


@pytest.mark.parametrize(
    ("text", "said"), [(None, "cannot be read: No such file"), ("{", "no JSON object"), ("{}", "does not say url")]
)
def test_another_file_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "ready.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PlanError, match=said):
        Watsonx.from_ready(file)


# --- where it goes ----------------------------------------------------------------------------------------------------


def test_a_copy_is_the_same() -> None:
    backend = Watsonx(**GOOD)
    assert copy.copy(backend) is backend
    assert copy.deepcopy([backend])[0] is backend


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_holds_no_secret(protocol: int) -> None:
    assert KEY.encode() not in pickle.dumps(Watsonx(**GOOD), protocol)


def test_an_unpickled_one_takes_its_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATSONX_APIKEY", KEY)
    assert pickle.loads(pickle.dumps(Watsonx(**GOOD, submit_settle=3.0))) == Watsonx(**GOOD, submit_settle=3.0)


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example.com", "https://cpd.example.com:8443", "https://[no"])
def test_a_key_of_another_service_is_not_taken(monkeypatch: pytest.MonkeyPatch, elsewhere: str) -> None:
    monkeypatch.setenv("WATSONX_APIKEY", KEY)
    monkeypatch.setenv("WATSONX_URL", elsewhere)
    again = pickle.loads(pickle.dumps(Watsonx(**GOOD)))
    with pytest.raises(NotAuthorized, match="do not travel with a pickle"):
        again.find("k")


def test_connections_do_not_travel() -> None:
    with httpx.Client() as client, pytest.raises(PlanError, match="http_client= cannot be pickled"):
        pickle.dumps(Watsonx(**GOOD, http_client=client))
