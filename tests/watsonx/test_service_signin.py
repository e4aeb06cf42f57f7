"""Who is asked for a token, how often, and what the official SDK leaves behind: nothing."""

from __future__ import annotations

import gc
import json
import logging
import multiprocessing
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.server.processes import serving
from tests.watsonx.conftest import Connect, asked_of
from tests.watsonx.faults import Instead, Refusal, refusal, token_for
from tests.watsonx.wire import ALWAYS, Wire, wire_to
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.faults import Unsettled
from wxtuning.adapters.watsonx.service import NOWHERE
from wxtuning.errors import AdapterError, MissingDependency, NotAuthorized, NotOffered, PlanError, Unavailable
from wxtuning.retry import Patience
from wxtuning.testing import FakeClock

TRAININGS = "/ml/v4/trainings"
LIST = f"GET {TRAININGS}"
SIGN_IN = {"cpd": "POST /icp4d-api/v1/authorize", "cloud": "POST /identity/token"}
EXPIRED = refusal(401, "authentication_token_expired", "the token has expired")


def signed_in(wire: Wire) -> int:
    return wire.asked[SIGN_IN[wire.ready["platform"]]]


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_one_token_is_enough(wire: Wire, connected: Connect) -> None:
    service = connected(wire).service
    for _ in range(3):
        service.get(TRAININGS)
    assert signed_in(wire) == 1


def test_a_refused_token_is_renewed_once(wire: Wire, connected: Connect) -> None:
    service = connected(wire).service
    service.get(TRAININGS)
    wire.breaks(LIST, Refusal(401, EXPIRED), times=1)
    assert "resources" in service.get(TRAININGS)
    assert signed_in(wire) == 2
    assert wire.asked[LIST] == 3


def test_threads_whose_token_was_refused_renew_it_once(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    service.get(TRAININGS)
    together = threading.Barrier(8)

    def refused(exchange: Any) -> None:
        together.wait(10)
        Refusal(401, EXPIRED)(exchange)

    cpd_wire.breaks(LIST, refused, times=8)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: service.get(TRAININGS), range(8)))
    assert all("resources" in answer for answer in answers)
    assert signed_in(cpd_wire) == 2


def test_a_token_that_is_refused_again_is_the_end(wire: Wire, connected: Connect) -> None:
    service = connected(wire).service
    service.get(TRAININGS)
    wire.breaks(LIST, Refusal(401, EXPIRED), times=ALWAYS)
    with pytest.raises(NotAuthorized, match="the token has expired"):
        service.get(TRAININGS)
    assert wire.asked[LIST] == 3
    assert signed_in(wire) == 2


def test_a_token_that_was_given_is_never_renewed(cpd_wire: Wire, connected: Connect) -> None:
    how: dict[str, Any] = {"token": cpd_wire.running.token, "api_key": None, "username": None}
    service = connected(cpd_wire, **how).service
    assert "resources" in service.get(TRAININGS)
    cpd_wire.breaks(LIST, Refusal(401, EXPIRED), times=ALWAYS)
    with pytest.raises(NotAuthorized, match="the token has expired"):
        service.get(TRAININGS)
    assert cpd_wire.asked[LIST] == 2
    assert signed_in(cpd_wire) == 0


def test_a_create_that_met_401_is_not_sent_again(wire: Wire, connected: Connect) -> None:
    service = connected(wire).service
    wire.breaks("POST /v2/spaces", Instead(401, EXPIRED))
    with pytest.raises(Unsettled):
        service.create("/v2/spaces", {"name": "n"}, within=NOWHERE)
    assert wire.asked["POST /v2/spaces"] == 1


def test_a_token_is_renewed_before_it_expires(tmp_path: Path, connected: Connect) -> None:
    with serving(tmp_path / "short", "--token-seconds", "61") as running, wire_to(running) as wire:
        service = connected(wire).service
        service.get(TRAININGS)
        before = signed_in(wire)
        # The SDK takes a token of a minute for an old one a minute before its end, so the next request waits for that.
        wire.closing.wait(1.2)
        service.get(TRAININGS)
        assert signed_in(wire) > before
        assert 401 not in [int(line.split()[-3]) for line in running.said().splitlines() if "/ml/v4" in line]


# --- credentials ------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_asked_with_once(wire: Wire, connected: Connect) -> None:
    with pytest.raises(NotAuthorized, match="does not take these credentials") as failure:
        connected(wire, api_key="wrong-key-0123456789").service.get(TRAININGS)
    assert "wrong-key-0123456789" not in str(failure.value)
    assert signed_in(wire) == 1


def test_a_service_is_signed_in_to_however_its_address_is_spelt(wire: Wire, connected: Connect) -> None:
    named = ("url", "platform_url", "auth_url")
    loud = {name: url.replace("127.0.0.1", "LocalHost") for name, url in asked_of(wire).items() if name in named}
    assert "resources" in connected(wire, **loud).service.get(TRAININGS)


def test_a_password_is_sent_to_the_named_host_only(cpd_wire: Wire, connected: Connect) -> None:
    password = cpd_wire.ready["password"]
    assert "resources" in connected(cpd_wire, api_key=None, password=password).service.get(TRAININGS)
    assert signed_in(cpd_wire) == 1


def test_a_wrong_password_is_said_to_be_one_and_by_nobody_else(
    cpd_wire: Wire, connected: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotAuthorized, match="does not take these credentials"):
        connected(cpd_wire, api_key=None, password="wrong-password-0123").service.get(TRAININGS)
    assert signed_in(cpd_wire) == 1
    assert [record.name for record in caplog.records if record.name.startswith("ibm")] == []


def test_a_key_goes_to_no_host_that_was_not_named(cloud_wire: Wire, connected: Connect) -> None:
    with pytest.raises(AdapterError, match=r"iam\.test\.cloud\.ibm\.com was not named") as failure:
        connected(cloud_wire, auth_url=None).service.get(TRAININGS)
    assert "auth_url=" in failure.value.hint
    assert cloud_wire.requests == []


def test_a_cluster_that_needs_a_user_is_known_before_anybody_is_asked(cpd_wire: Wire, connected: Connect) -> None:
    with pytest.raises(PlanError, match=r"username= \(or WATSONX_USERNAME\) is missing"):
        connected(cpd_wire, username=None)
    assert cpd_wire.requests == []


def test_a_cluster_at_an_address_of_ibms_says_that_it_needs_a_user(
    cpd_wire: Wire, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wxtuning.adapters.watsonx.hosts.IBM", ("127.0.0.1",))
    with pytest.raises(AdapterError, match="Cloud Pak for Data, where a key alone is not enough") as failure:
        connected(cpd_wire, username=None).service.get(TRAININGS)
    assert "username=" in failure.value.hint


def test_a_cluster_that_does_not_tell_its_version_is_told_it(cpd_wire: Wire, connected: Connect) -> None:
    cpd_wire.breaks("GET /ml/wml_services/v2/version", Refusal(404), times=ALWAYS)
    with pytest.raises(AdapterError, match="does not tell its version") as failure:
        connected(cpd_wire).service.get(TRAININGS)
    assert "version='5.2'" in failure.value.hint
    assert connected(cpd_wire, version="5.1").service.version == "5.1"


def test_a_server_like_ibm_cloud_is_told_how_to_be_named_as_one(cloud_wire: Wire, connected: Connect) -> None:
    with pytest.raises(AdapterError, match="does not tell its version") as failure:
        connected(cloud_wire, platform_url=None, auth_url=None, username="ada").service.get(TRAININGS)
    assert "platform_url= and auth_url=" in failure.value.hint


def saying(version: object) -> Refusal:
    return Refusal(200, json.dumps({"version": version}).encode())


@pytest.mark.parametrize("version", ["6.1", "6.1.0", "7.0", "10.2.3"])
def test_a_version_after_the_last_with_tuning_says_so_with_the_two_ways_on(
    cpd_wire: Wire, connected: Connect, version: str
) -> None:
    cpd_wire.breaks("GET /ml/wml_services/v2/version", saying(version), times=ALWAYS)
    with pytest.raises(NotOffered, match=f"Cloud Pak for Data {version} has no tuning any more") as failure:
        connected(cpd_wire).service.get(TRAININGS)
    assert "6.0.0" in str(failure.value) and "this machine" in failure.value.hint and "cluster" in failure.value.hint
    assert signed_in(cpd_wire) == 0


@pytest.mark.parametrize("version", ["4.8", "4.8.5", "five", "5", "<b>", "5.9"])
def test_a_version_that_nobody_knows_is_told_with_those_expected(
    cpd_wire: Wire, connected: Connect, version: str
) -> None:
    cpd_wire.breaks("GET /ml/wml_services/v2/version", saying(version), times=ALWAYS)
    with pytest.raises(AdapterError, match=r"expected 5\.0, 5\.1, .* or 6\.0") as failure:
        connected(cpd_wire).service.get(TRAININGS)
    assert f"{version!r}" in str(failure.value) and "most recent" not in str(failure.value)


def test_a_version_that_was_given_is_checked_in_the_same_way(cpd_wire: Wire, connected: Connect) -> None:
    cpd_wire.breaks("GET /ml/wml_services/v2/version", Refusal(404), times=ALWAYS)
    with pytest.raises(NotOffered, match=r"6\.1 has no tuning any more"):
        connected(cpd_wire, version="6.1").service.get(TRAININGS)


@pytest.mark.parametrize("version", [7, None, ["5.2"]])
def test_a_version_that_is_no_text_does_not_count(cpd_wire: Wire, connected: Connect, version: object) -> None:
    cpd_wire.breaks("GET /ml/wml_services/v2/version", saying(version), times=ALWAYS)
    with pytest.raises(AdapterError):
        connected(cpd_wire).service.get(TRAININGS)


@pytest.mark.parametrize("status", [201, 202, 206])
def test_a_sign_in_is_answered_with_200_only(cpd_wire: Wire, connected: Connect, status: int) -> None:
    token = json.dumps({"token": cpd_wire.running.token}).encode()
    cpd_wire.breaks(SIGN_IN["cpd"], Refusal(status, token), times=ALWAYS)
    with pytest.raises(AdapterError, match=f"answered POST /icp4d-api/v1/authorize with HTTP {status}; expected"):
        connected(cpd_wire).service.get(TRAININGS)


@pytest.mark.parametrize("answer", [{}, {"token": None}, {"token": "x"}, {"token": "a.b.c"}, {"token": 7}])
def test_a_sign_in_without_a_token_is_an_error_of_ours(cpd_wire: Wire, connected: Connect, answer: Any) -> None:
    cpd_wire.breaks(SIGN_IN["cpd"], Refusal(200, json.dumps(answer).encode()), times=ALWAYS)
    with pytest.raises(AdapterError, match="could not be signed in to"):
        connected(cpd_wire).service.get(TRAININGS)


def test_a_sign_in_that_fails_for_now_is_repeated(wire: Wire, connected: Connect) -> None:
    wire.breaks(SIGN_IN[wire.ready["platform"]], Refusal(503), times=3)
    assert "resources" in connected(wire).service.get(TRAININGS)


def test_others_have_their_environment_while_a_sign_in_waits(
    cpd_wire: Wire, connected: Connect, monkeypatch: Any, clock: FakeClock
) -> None:
    monkeypatch.setenv("USER_ACCESS_TOKEN", "mine")
    seen: list[str | None] = []

    def sleep(seconds: float) -> None:
        seen.append(os.environ.get("USER_ACCESS_TOKEN"))
        clock.sleep(seconds)

    cpd_wire.breaks(SIGN_IN["cpd"], Refusal(503), times=2)
    connected(cpd_wire, patience=Patience(sleep=sleep, clock=clock)).service.get(TRAININGS)
    assert seen == ["mine", "mine"]


def test_after_a_failed_sign_in_the_next_request_tries_again(wire: Wire, connected: Connect) -> None:
    service = connected(wire).service
    wire.breaks(SIGN_IN[wire.ready["platform"]], Refusal(503), times=6)
    with pytest.raises(Unavailable):
        service.get(TRAININGS)
    assert "resources" in service.get(TRAININGS)


# --- the SDK and the process ------------------------------------------------------------------------------------------

FOREIGN = {
    "USER_ACCESS_TOKEN": "foreign.token.0123",
    "RUNTIME_ENV_APSX_URL": "https://elsewhere.example.com",
    "RUNTIME_ENV_ACCESS_TOKEN_FILE": "/nowhere/token",
    "WX_CLIENT_VERIFY_REQUESTS": "false",
    "IBM_SDK_API_CLIENT_HEADERS": "eyJYLUZvcmVpZ24iOiAiMSJ9",
    "PROJECT_ID": "foreign",
    "SPACE_ID": "foreign",
    "DEPLOYMENT_PLATFORM": "mine",
    "FLIGHT_SERVICE_PORT": "no number",
}


def test_the_environment_does_not_change_who_asks(wire: Wire, connected: Connect, monkeypatch: Any) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    connected(wire).service.get(TRAININGS)
    assert signed_in(wire) == 1
    assert {request.header("x-foreign") for request in wire.requests} == {""}
    assert not any("foreign" in f"{request.target} {request.headers}" for request in wire.requests)


@pytest.mark.parametrize("foreign", [False, True])
def test_the_process_is_as_before(cpd_wire: Wire, connected: Connect, monkeypatch: Any, foreign: bool) -> None:
    from ibm_watsonx_ai._wrappers.httpx import GlobalHttpxSettings

    for name, value in FOREIGN.items() if foreign else ():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(GlobalHttpxSettings, "verify", "theirs")
    monkeypatch.setattr(GlobalHttpxSettings, "proxies", {"https://": "theirs"})
    before, filters = dict(os.environ), list(warnings.filters)
    connected(cpd_wire).service.get(TRAININGS)
    with pytest.raises(NotAuthorized):
        connected(cpd_wire, api_key="wrong-key-0123456789").service.get(TRAININGS)
    assert dict(os.environ) == before
    assert (GlobalHttpxSettings.verify, GlobalHttpxSettings.proxies) == ("theirs", {"https://": "theirs"})
    assert warnings.filters == filters


def test_the_sdk_is_quiet_while_it_renews_a_token(
    cpd_wire: Wire, connected: Connect, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[float] = []

    def sleep(seconds: float) -> None:
        logging.getLogger("ibm_watsonx_ai.wml_client_error").warning("of a token")
        said.append(seconds)

    service = connected(cpd_wire, patience=Patience(sleep=sleep, clock=clock)).service
    old = json.dumps({"token": token_for(seconds=5)}).encode()  # so short a time is over for the SDK
    cpd_wire.breaks(SIGN_IN["cpd"], Refusal(200, old))
    cpd_wire.breaks(SIGN_IN["cpd"], Refusal(503))
    assert "resources" in service.get(TRAININGS)
    assert said
    assert [record.name for record in caplog.records if record.name.startswith("ibm")] == []


def test_others_hear_the_sdk_while_it_is_quiet_for_us(
    cpd_wire: Wire, connected: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = logging.getLogger("ibm_watsonx_ai.wml_client_error")

    def said_meanwhile(exchange: Any) -> None:
        theirs.warning("of another thread")
        Refusal(200, b"{}")(exchange)

    cpd_wire.breaks(SIGN_IN["cpd"], said_meanwhile, times=ALWAYS)
    with pytest.raises(AdapterError):
        connected(cpd_wire).service.get(TRAININGS)
    theirs.warning("afterwards")
    said = [record.message for record in caplog.records if record.name == theirs.name]
    assert said == ["of another thread", "afterwards"]


def test_a_version_that_differs_warns_nobody(cpd_wire: Wire, connected: Connect) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        connected(cpd_wire, version="5.1").service.get(TRAININGS)
    assert warned == []


def test_an_old_sdk_is_answered_with_the_command(cpd_wire: Wire, connected: Connect, monkeypatch: Any) -> None:
    import ibm_watsonx_ai

    monkeypatch.setattr(ibm_watsonx_ai, "__version__", "1.3.42")
    with pytest.raises(MissingDependency, match=r"ibm-watsonx-ai 1.3.42 is too old; expected 1.8") as failure:
        connected(cpd_wire).service.get(TRAININGS)
    assert "pip install" in failure.value.hint


def test_a_missing_sdk_is_answered_with_the_command(cpd_wire: Wire, connected: Connect, monkeypatch: Any) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ibm_watsonx_ai", None)
    with pytest.raises(MissingDependency, match="needs IBM's SDK"):
        connected(cpd_wire).service.get(TRAININGS)


# --- processes --------------------------------------------------------------------------------------------------------


def _asked_in_a_child(service: Any, answers: Any) -> None:
    answers.put("resources" in service.get(TRAININGS))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_shares_no_socket_and_no_lock(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    service.get(TRAININGS)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    ports = {request.port for request in cpd_wire.requests}
    # A lock that somebody holds at this moment is held for ever on the other side.
    with service._lock:
        child = context.Process(target=_asked_in_a_child, args=(service, answers))
        child.start()
        child.join(30)
    assert child.exitcode == 0
    assert answers.get() is True
    assert not ports & {request.port for request in cpd_wire.requests[-3:]}
    assert "resources" in service.get(TRAININGS)


def test_a_closed_connection_is_opened_again(cpd_wire: Wire, connected: Connect) -> None:
    service = connected(cpd_wire).service
    service.get(TRAININGS)
    service.close()
    service.close()
    assert "resources" in service.get(TRAININGS)


def test_what_nobody_needs_any_more_leaves_no_socket(cpd_wire: Wire, patience: Patience) -> None:
    before = open_files()
    for _ in range(5):
        Watsonx(**asked_of(cpd_wire, patience=patience)).service.get(TRAININGS)
    gc.collect()
    # The wire's own ends, which are in this process too, are closed a little later.
    assert any(open_files() <= before or cpd_wire.closing.wait(0.01) for _ in range(500))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
