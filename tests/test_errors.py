"""What wxtuning raises can be caught as drawn, survives a process boundary and says what to do next."""

from __future__ import annotations

import copy
import pickle

import pytest

from wxtuning import errors
from wxtuning.errors import (
    AdapterError,
    AmbiguousSubmitError,
    DataError,
    DuplicateJobsError,
    InputChangedError,
    JobCanceled,
    JobError,
    JobFailed,
    JobLost,
    JournalError,
    LeakageError,
    MissingDependency,
    NotAuthorized,
    NotOffered,
    PlanError,
    RunLocked,
    Unavailable,
    UploadIntegrityError,
    WaitTimeout,
    WxTuningError,
)

PARENTS = {
    WxTuningError: (Exception,),
    PlanError: (WxTuningError, ValueError),
    DataError: (WxTuningError, ValueError),
    InputChangedError: (DataError,),
    LeakageError: (WxTuningError, ValueError),
    RunLocked: (WxTuningError,),
    JournalError: (WxTuningError,),
    AdapterError: (WxTuningError,),
    MissingDependency: (AdapterError, ImportError),
    NotAuthorized: (AdapterError,),
    NotOffered: (AdapterError,),
    Unavailable: (AdapterError,),
    UploadIntegrityError: (AdapterError,),
    AmbiguousSubmitError: (AdapterError,),
    DuplicateJobsError: (AmbiguousSubmitError,),
    JobError: (WxTuningError,),
    JobFailed: (JobError,),
    JobCanceled: (JobError,),
    JobLost: (JobError,),
    WaitTimeout: (JobError, TimeoutError),
}
HINT = "pip install 'wxtuning[local]'"
ERRORS = [
    WxTuningError("it broke", hint=HINT),
    PlanError(["no name", "no rows"], hint=HINT),
    DataError("row 3", hint=HINT),
    InputChangedError("rows.jsonl", hint=HINT),
    LeakageError("seen", hint=HINT),
    RunLocked("busy", hint=HINT),
    JournalError("torn", hint=HINT),
    AdapterError("no answer", backend="watsonx", hint=HINT),
    MissingDependency("no torch", backend="local", hint=HINT),
    NotAuthorized("no token", backend="hub", hint=HINT),
    NotOffered("no LoRA", backend="watsonx", hint=HINT),
    Unavailable("503", backend="watsonx", hint=HINT, pause=30.0),
    UploadIntegrityError("other bytes", backend="cos", hint=HINT),
    AmbiguousSubmitError("lost", backend="watsonx", tag="wxtuning.a-1", since="2026-11-23", hint=HINT),
    DuplicateJobsError("two", backend="watsonx", tag="wxtuning.a-1", found=["1", "2"], hint=HINT),
    JobError("ended", job="local:demo-1", hint=HINT),
    JobFailed("out of memory", job="local:demo-1", hint=HINT),
    JobCanceled("cancelled", job="local:demo-1", hint=HINT),
    JobLost("gone", job="watsonx:1", hint=HINT),
    WaitTimeout("still running", job="local:demo-1", hint=HINT),
]


def name_of(error):
    return type(error).__name__


@pytest.mark.parametrize("kind", PARENTS, ids=lambda kind: kind.__name__)
def test_an_error_has_exactly_the_parents_that_the_drawing_shows(kind):
    assert kind.__bases__ == PARENTS[kind]


def test_every_error_class_is_drawn_and_tested():
    defined = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert defined == set(PARENTS) == {type(error) for error in ERRORS}
    assert all(kind.__name__ in errors.__doc__ for kind in defined)


@pytest.mark.parametrize("error", ERRORS, ids=name_of)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_comes_out_of_a_pickle_as_it_went_in(error, protocol):
    found = pickle.loads(pickle.dumps(error, protocol))
    assert type(found) is type(error)
    assert (found.args, vars(found), str(found)) == (error.args, vars(error), str(error))


@pytest.mark.parametrize("error", ERRORS, ids=name_of)
def test_an_error_can_be_copied(error):
    found = copy.copy(error)
    assert (type(found), vars(found), str(found)) == (type(error), vars(error), str(error))


def test_notes_added_to_an_error_survive_a_pickle():
    error = JobFailed("out of memory", job="local:demo-1")
    error.add_note("while tuning demo")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while tuning demo"]


@pytest.mark.parametrize("error", ERRORS, ids=name_of)
def test_the_text_ends_in_what_to_do(error):
    assert error.hint == HINT
    assert str(error).endswith(f"\n  {HINT}")


def test_without_a_hint_the_text_is_the_message():
    assert str(RunLocked("busy")) == "busy"


def test_a_plan_error_with_one_problem_reads_as_that_problem():
    assert str(PlanError(["no rows"])) == "no rows"


def test_a_plan_error_lists_and_keeps_all_problems():
    error = PlanError(["no name", "no rows"])
    assert error.problems == ("no name", "no rows")
    assert str(error) == "2 problems:\n  - no name\n  - no rows"


@pytest.mark.parametrize(
    "kind", [AdapterError, MissingDependency, NotAuthorized, NotOffered, Unavailable, UploadIntegrityError]
)
def test_an_adapter_error_names_its_backend(kind):
    assert kind("no answer", backend="watsonx").backend == "watsonx"
    with pytest.raises(TypeError):
        kind("no answer")


def test_an_ambiguous_submit_names_its_tag_and_time_and_duplicates_list_what_was_found():
    lost = AmbiguousSubmitError("lost", backend="watsonx", tag="wxtuning.a-1", since="2026-11-23T12:00:00")
    two = DuplicateJobsError("two", backend="watsonx", tag="wxtuning.a-1", found=["1", "2"])
    assert (lost.tag, lost.since, two.tag, two.found) == ("wxtuning.a-1", "2026-11-23T12:00:00", lost.tag, ("1", "2"))


def test_an_outage_says_how_long_to_wait_if_the_backend_says_so():
    assert Unavailable("503", backend="watsonx", pause=30.0).pause == 30.0
    assert Unavailable("503", backend="watsonx").pause == 0.0


@pytest.mark.parametrize("kind", [JobError, JobFailed, JobCanceled, JobLost, WaitTimeout])
def test_a_job_error_names_its_job(kind):
    assert kind("ended", job="local:demo-1").job == "local:demo-1"
    with pytest.raises(TypeError):
        kind("ended")


@pytest.mark.parametrize("error", ERRORS, ids=name_of)
def test_everything_is_caught_as_a_wxtuning_error(error):
    with pytest.raises(WxTuningError):
        raise error
