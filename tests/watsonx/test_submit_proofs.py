"""What is left of a lost, refused or doubtful submission: in the server's own log, in its list, and in the journal."""

from __future__ import annotations

import itertools
import uuid

import httpx
import pytest

import wxtuning as wx
from tests.watsonx import children, jobs, shortage
from tests.watsonx.conftest import asked_of
from tests.watsonx.faults import Before, Changed, Dropped, Instead, LostAnswer, Refusal, Silence, refusal
from tests.watsonx.jobs import CREATE, LIST, SHOW
from tests.watsonx.test_deploy_kills import killed
from tests.watsonx.test_service_signin import EXPIRED, signed_in
from tests.watsonx.test_submit import LOST, outcomes
from tests.watsonx.wire import ALWAYS, Wire, wire_to
from wxtuning.adapters.watsonx.faults import Refused
from wxtuning.folder import home_folder
from wxtuning.intents import Intents, Outcome
from wxtuning.journal import Journal
from wxtuning.retry import Patience

NUMBERS = itertools.count()


@pytest.fixture
def key() -> str:
    return f"proven-{next(NUMBERS)}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def asked(tmp_path):
    return jobs.request(tmp_path)


def logged(running) -> str:
    """The server's own log, with all that was asked until now."""
    mark = str(uuid.uuid4())
    with running.http() as http:
        http.get(f"{jobs.TRAININGS}/{mark}", params={"project_id": running.project})
    return running.said(f"{mark} 404")


def creates_in(log: str) -> list[str]:
    """The status of each request to create a job."""
    return [line.split(f"POST {jobs.TRAININGS} ")[1].split()[0] for line in log.splitlines() if f"{CREATE} " in line]


# --- S1 to S6: an answer is lost --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_the_servers_own_log_shows_one_request_to_create_and_its_list_one_job(
    cpd_wire, backend_on_cpd, asked, key, fault
):
    before = logged(cpd_wire.running)
    cpd_wire.breaks(CREATE, fault)
    job = backend_on_cpd.submit(asked, key)
    assert creates_in(logged(cpd_wire.running)[len(before) :]) == ["201"]
    assert jobs.listed(cpd_wire.running, key) == [job.id]


def test_a_silence_leaves_one_request_in_the_servers_own_log(cpd_wire, clock, connected, asked, key):
    backend = connected(cpd_wire, patience=Patience(read_seconds=0.5, sleep=clock.sleep, clock=clock))
    before = logged(cpd_wire.running)
    cpd_wire.breaks(CREATE, Silence(acting=True))
    backend.submit(asked, key)
    assert creates_in(logged(cpd_wire.running)[len(before) :]) == ["201"]


def test_a_lora_job_whose_answer_was_lost_is_found_in_its_own_list(cpd_wire, backend_on_cpd, key, tmp_path):
    create = f"POST {jobs.FINE_TUNINGS}"
    cpd_wire.breaks(create, LostAnswer())
    job = backend_on_cpd.submit(jobs.request(tmp_path, lora=True, r=4), key)
    assert [f"fine_tunings/{one}" for one in jobs.listed(cpd_wire.running, key, jobs.FINE_TUNINGS)] == [job.id]
    assert cpd_wire.asked[create] == 1


# --- S7: killed again and again ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("acted", [False, True])
def test_kills_one_after_the_other_leave_one_job(cpd_wire, backend_on_cpd, home, tmp_path, key, acted):
    for operation in (CREATE, LIST, LIST):
        killed(cpd_wire, operation, children.submit, str(home), tmp_path, key, acted=acted)
    job = backend_on_cpd.submit(jobs.request(tmp_path), key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert cpd_wire.asked[CREATE] == 1


# --- S9: the look-up cannot be trusted --------------------------------------------------------------------------------


def by_tag(request) -> bool:
    return "tag.value" in request.query


def emptied(page):
    return {**page, "resources": [], "total_count": 0}


def test_a_filter_that_shows_nothing_is_made_up_for_by_the_newest_jobs(cpd_wire, backend_on_cpd, asked, key):
    cpd_wire.breaks(CREATE, LostAnswer())
    cpd_wire.breaks(LIST, Changed(emptied), where=by_tag, times=ALWAYS)
    job = backend_on_cpd.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert cpd_wire.asked[CREATE] == 1


def test_after_too_many_requests_the_newest_jobs_count_too(cpd_wire, backend_on_cpd, asked, key):
    cpd_wire.breaks(CREATE, Instead(429))
    cpd_wire.breaks(LIST, Changed(emptied), where=by_tag, times=ALWAYS)
    job = backend_on_cpd.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert cpd_wire.asked[CREATE] == 1


def without_tags(page):
    for one in page["resources"]:
        one["metadata"].pop("tags", None)
        one["entity"].pop("tags", None)
    return page


@pytest.mark.parametrize(
    "act",
    [
        Refusal(200, b""),
        Refusal(200, b"{}"),
        Refusal(200, b'{"message": "log in first"}'),
        Refusal(200, b'{"resources": "none"}'),
        Refusal(200, b'{"resources": ["id"]}'),
        Refusal(200, b"<html>Log in</html>"),
        Refusal(403),
        Refusal(307, b"{}", {"Location": "https://elsewhere.example.com/"}),
        Dropped(),
        Changed(without_tags),
    ],
    ids=["nothing", "{}", "words", "no list", "a list of names", "a page", "403", "redirect", "reset", "without tags"],
)
def test_an_answer_that_is_no_list_of_jobs_never_means_that_there_is_none(cpd_wire, backend_on_cpd, asked, key, act):
    cpd_wire.breaks(CREATE, LostAnswer())
    cpd_wire.breaks(LIST, act, first=2, times=ALWAYS)
    with pytest.raises(wx.AmbiguousSubmitError, match=f"wxtuning.{key}") as caught:
        backend_on_cpd.submit(asked, key)
    assert "adopt" in caught.value.hint and "submit_again" in caught.value.hint
    assert cpd_wire.asked[CREATE] == 1
    cpd_wire.faults.clear()
    assert jobs.listed(cpd_wire.running, key) == [backend_on_cpd.submit(asked, key).id]
    assert cpd_wire.asked[CREATE] == 1


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"message": "log in first"}'])
def test_an_adopted_id_is_not_believed_for_an_answer_that_tells_nothing(cpd_wire, backend_on_cpd, asked, key, answer):
    cpd_wire.breaks(CREATE, LostAnswer())
    cpd_wire.breaks(LIST, Refusal(500), first=2, times=ALWAYS)
    with pytest.raises(wx.AmbiguousSubmitError):
        backend_on_cpd.submit(asked, key)
    [identity] = jobs.listed(cpd_wire.running, key)
    wx.adopt(f"wxtuning.{key}", identity)
    cpd_wire.breaks(SHOW, Refusal(200, answer), times=ALWAYS)
    with pytest.raises(wx.Unavailable):
        backend_on_cpd.submit(asked, key)
    cpd_wire.faults.clear()
    assert backend_on_cpd.submit(asked, key).id == identity
    assert cpd_wire.asked[CREATE] == 1


# --- S13 to S15: refusals ---------------------------------------------------------------------------------------------


def wrong(status: int) -> bytes:
    return (
        b'{"errors": [{"code": "invalid_parameter", "message": "num_epochs must be from 1 to 50", "target": '
        b'{"type": "field", "name": "prompt_tuning.num_epochs"}}], "trace": "1", "status_code": %d}' % status
    )


@pytest.mark.parametrize("status", [400, 422])
def test_a_wrong_parameter_is_named_by_its_field_and_asked_for_once(cpd_wire, backend_on_cpd, asked, key, status):
    cpd_wire.breaks(CREATE, Refusal(status, wrong(status)))
    with pytest.raises(Refused, match="num_epochs must be from 1 to 50") as caught:
        backend_on_cpd.submit(asked, key)
    assert (caught.value.status, caught.value.field) == (status, "prompt_tuning.num_epochs")
    assert cpd_wire.asked[CREATE] == 1
    assert outcomes(f"wxtuning.{key}") == [Outcome.REFUSED]


@pytest.mark.parametrize(
    ("status", "asked_for", "waited"),
    [(429, "30", 30.0), (503, "30", 30.0), (429, "1000000000", 60.0), (429, "-1", 1.0), (429, "soon", 1.0)],
)
def test_the_pause_of_a_refusal_is_kept_then_looked_then_written_down_and_then_sent_again(
    cpd_wire, clock, connected, asked, key, status, asked_for, waited
):
    known = []

    def note():
        known.append((clock.now, outcomes(f"wxtuning.{key}"), len(cpd_wire.of(LIST))))

    backend = connected(cpd_wire)
    cpd_wire.breaks(CREATE, Refusal(status, headers={"Retry-After": asked_for}))
    cpd_wire.breaks(CREATE, Before(happens=note))
    job = backend.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    [(now, written, looks)] = known
    assert (now, written) == (waited, [Outcome.REFUSED, Outcome.OPEN])
    assert looks >= 2, "one before the first request, one after it was refused"
    assert cpd_wire.asked[CREATE] == 2


@pytest.mark.parametrize(("status", "code"), [(403, "token_quota_reached"), (402, "plan_not_allowed")])
def test_a_quota_or_plan_says_the_services_reason_and_what_to_do(cpd_wire, backend_on_cpd, asked, key, status, code):
    cpd_wire.breaks(CREATE, Refusal(status, refusal(status, code, "your plan holds 0 tunings")), times=ALWAYS)
    with pytest.raises(wx.AdapterError, match="your plan holds 0 tunings") as caught:
        backend_on_cpd.submit(asked, key)
    assert code in str(caught.value) and "quota or plan" in caught.value.hint
    assert cpd_wire.asked[CREATE] == 1
    assert outcomes(f"wxtuning.{key}") == [Outcome.REFUSED]


# --- S17, S19, S20, S22 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirected_submission_is_not_followed(cpd_wire: Wire, backend_on_cpd, asked, key, status):
    with wire_to(cpd_wire.running) as other:
        cpd_wire.breaks(CREATE, Refusal(status, b"{}", {"Location": f"{other.url}{jobs.TRAININGS}"}))
        with pytest.raises(wx.NotOffered, match=f"on to {other.url.removeprefix('https://')}.*not followed"):
            backend_on_cpd.submit(asked, key)
        assert (other.requests, other.connections) == ([], 0)
    assert cpd_wire.asked[CREATE] == 1
    assert outcomes(f"wxtuning.{key}") == [Outcome.REFUSED]
    assert jobs.listed(cpd_wire.running, key) == []


def test_a_token_that_expires_before_the_look_up_is_renewed_once(wire, backend, asked, key):
    wire.breaks(LIST, Refusal(401, EXPIRED))
    job = backend.submit(asked, key)
    assert jobs.listed(wire.running, key) == [job.id]
    assert (signed_in(wire), wire.asked[CREATE]) == (2, 1)


def test_a_token_that_expires_before_the_request_to_create_costs_the_settle_time_and_no_second_job(
    cpd_wire, clock, connected, asked, key
):
    backend = connected(cpd_wire)
    cpd_wire.breaks(CREATE, Refusal(401, EXPIRED))
    job = backend.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert clock.now >= 120.0
    assert outcomes(f"wxtuning.{key}") == [Outcome.EMPTY, Outcome.MADE]


@pytest.mark.parametrize("fault", [LostAnswer("fin"), LostAnswer("rst"), Instead(503)], ids=["ended", "reset", "503"])
def test_a_client_of_the_users_with_retries_of_its_own_sends_one_request(cpd_wire, connected, asked, key, fault):
    retrying = httpx.HTTPTransport(retries=5, verify=cpd_wire.running.tls)
    with httpx.Client(transport=retrying) as client:
        backend = connected(cpd_wire, http_client=client)
        cpd_wire.breaks(CREATE, fault)
        job = backend.submit(asked, key)
    assert jobs.listed(cpd_wire.running, key) == [job.id]
    assert cpd_wire.asked[CREATE] == 1


def test_a_journal_that_can_be_read_and_not_written_lets_no_request_leave(cpd_wire, home, asked, key):
    Intents(Journal(home_folder() / "journal.db"))
    answers = children.PROCESSES.Queue()
    process = children.started(shortage.submit, asked_of(cpd_wire), str(home), asked, key, answers)
    assert answers.get(timeout=60) == "JournalError"
    assert children.ended(process) == 0
    assert not [operation for operation in cpd_wire.asked if operation.startswith(("POST /ml", "POST /v2/assets"))]
    assert jobs.listed(cpd_wire.running, key) == []


# --- the service has another address ----------------------------------------------------------------------------------


def test_a_project_under_another_address_is_the_same_place(cpd_wire, backend_on_cpd, connected, asked, key):
    cpd_wire.breaks(CREATE, LostAnswer("fin"))
    cpd_wire.breaks(LIST, Refusal(500), first=2, times=ALWAYS)
    with pytest.raises(wx.AmbiguousSubmitError):
        backend_on_cpd.submit(asked, key)
    with wire_to(cpd_wire.running) as moved:
        again = connected(moved, submit_settle=600.0)
        assert again.limits(asked.method).fingerprint == backend_on_cpd.limits(asked.method).fingerprint
        moved.breaks(LIST, Changed(lambda page: {**page, "resources": []}), times=2)
        job = again.submit(asked, key)
        assert moved.asked[CREATE] == 0
    assert jobs.listed(cpd_wire.running, key) == [job.id]
