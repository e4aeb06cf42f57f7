"""The code that a deployment shows for asking it is run as it stands, and holds no key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.server import models
from tests.server.models import COMMENTS
from tests.watsonx.tuned import completed
from wxtuning.deployment import Deployment
from wxtuning.spec import DeploymentSpec


@pytest.fixture
def deployment(backend, server, soft):
    job = completed(server, soft)
    ref = backend.deploy(job, DeploymentSpec(name="tone"), f"snippets-{job.id[:8]}")
    return Deployment(name="tone", ref=ref, max_new_tokens=20, words={}, deployer=backend)


def ran(command, running, **environment):
    secrets = {"WATSONX_APIKEY": running.ready["api_key"], "WATSONX_TOKEN": running.token}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, **secrets, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine")
def test_the_curl_command_asks_the_deployment(deployment, server, soft):
    said = ran(["bash", "-c", deployment.snippets(COMMENTS[0]).curl], server)
    assert models.alone(soft, COMMENTS[:1])[0] in said


@pytest.mark.slow
def test_the_code_for_the_sdk_asks_the_deployment(deployment, server, soft):
    said = ran([sys.executable, "-c", deployment.snippets(COMMENTS[0]).sdk], server)
    assert models.alone(soft, COMMENTS[:1])[0] in said


def test_the_code_holds_no_key_and_starts_no_server(deployment, server):
    said = str(deployment.snippets(COMMENTS[0]))
    assert server.ready["api_key"] not in said
    assert "wxtuning serve" not in said
    assert deployment.ref.id.rpartition("/")[2] in said
