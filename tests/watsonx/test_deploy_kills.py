"""A process that is killed while it deploys or uploads leaves one of each: the rerun goes on from what is there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.watsonx import children, deployers
from tests.watsonx.conftest import asked_of
from tests.watsonx.faults import Before, Then
from tests.watsonx.test_data_assets import ATTACH, COMPLETE, SEND, content_of, lines, named
from tests.watsonx.test_data_assets import MAKE as MAKE_ASSET
from tests.watsonx.test_deploying import LIST, MAKE, PROMOTE, SHOW, identity, made
from tests.watsonx.tuned import completed
from wxtuning.adapters.watsonx.assets import Assets
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.spec import DeploymentSpec

KILLED = -signal.SIGKILL


@pytest.fixture
def key() -> str:
    return f"killed-{os.urandom(4).hex()}"


def killed(wire, operation, work, *arguments, acted):
    """Do the work in a process that is killed when it asks for this, before or after the service acts."""
    running = []

    def kill():
        os.kill(running[0].pid, signal.SIGKILL)

    wire.breaks(operation, Then(happens=kill) if acted else Before(happens=kill))
    running.append(children.started(work, asked_of(wire), *arguments))
    assert children.ended(running[0]) == KILLED


@pytest.mark.parametrize("operation", ["GET /ml/v4/trainings/{id}", LIST, MAKE, SHOW])
@pytest.mark.parametrize("acted", [False, True])
def test_a_killed_deployment_is_gone_on_with(cpd_wire, backend_on_cpd, cpd, soft, home, key, operation, acted):
    job = completed(cpd, soft)
    killed(cpd_wire, operation, deployers.deploy, str(home), str(job), "", key, acted=acted)
    ref = backend_on_cpd.deploy(job, DeploymentSpec(name="tone"), key)
    assert [one["metadata"]["id"] for one in made(cpd, key)] == [identity(ref)]
    assert cpd_wire.asked[MAKE] == 1


@pytest.mark.parametrize("operation", [PROMOTE, MAKE])
@pytest.mark.parametrize("acted", [False, True])
def test_a_killed_promotion_is_gone_on_with(cpd_wire, backend_on_cpd, cpd, soft, home, key, operation, acted):
    job = completed(cpd, soft)
    killed(cpd_wire, operation, deployers.deploy, str(home), str(job), cpd.space, key, acted=acted)
    ref = backend_on_cpd.deploy(job, DeploymentSpec(name="tone", space=cpd.space), key)
    assert [one["metadata"]["id"] for one in made(cpd, key, space=True)] == [identity(ref)]
    assert (cpd_wire.asked[PROMOTE], cpd_wire.asked[MAKE]) == (1, 1)


@pytest.mark.parametrize("operation", [MAKE_ASSET, ATTACH, SEND, COMPLETE])
@pytest.mark.parametrize("acted", [False, True])
def test_a_killed_upload_leaves_one_whole_asset(
    cpd_wire, backend_on_cpd, patience, home, tmp_path, key, operation, acted
):
    data = lines(tmp_path, str(tmp_path))
    killed(cpd_wire, operation, deployers.upload, str(home), data, key, acted=acted)
    service = backend_on_cpd.service
    asset = Assets(service, Settings(url=cpd_wire.url, patience=patience)).put(data, "support-train", key)
    assert named(service, data) == [asset]
    assert content_of(service, asset) == Path(data.uri.removeprefix("file://")).read_bytes()
