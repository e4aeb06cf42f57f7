"""Code that asks a deployment, here or on a service, ready to be pasted. Runs nothing, holds no key."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VERSION = "2024-03-14"
"""Of the service's interface that the code asks in."""

_PYTHON = """\
import json
import os
import ssl
from pathlib import Path

ready = json.loads(Path({ready!r}).read_text())
"""

_SDK = """\
os.environ.update(ready["environment"])

from ibm_watsonx_ai import APIClient, Credentials
from ibm_watsonx_ai.foundation_models import ModelInference

if ready["platform"] == "cloud":
    who = {{"platform_url": ready["url"], "auth_url": ready["url"] + "/identity/token"}}
else:
    who = {{"username": ready["username"]}}
credentials = Credentials(url=ready["url"], api_key=ready["api_key"], verify=ready["ca"], **who)
client = APIClient(credentials, project_id=ready["project_id"])
model = ModelInference(deployment_id={id!r}, api_client=client)
print(model.generate_text({text!r}, params={{"max_new_tokens": {new}}}))
"""

_OPENAI = """\
from openai import DefaultHttpxClient, OpenAI

trusted = ssl.create_default_context(cafile=ready["ca"])
client = OpenAI(
    base_url=ready["url"] + "/v1", api_key=ready["api_key"], http_client=DefaultHttpxClient(verify=trusted)
)
answer = client.completions.create(model={model!r}, prompt={text!r}, max_tokens={new})
print(answer.choices[0].text)
"""

_CURL = """\
field() {{ python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' {ready} "$1"; }}

printf 'Authorization: Bearer %s' "$(field api_key)" |
  curl --silent --show-error --fail-with-body --cacert "$(field ca)" \\
    --header @- --header 'Content-Type: application/json' \\
    --data {body} "$(field url)/v1/completions"
"""

_SERVICE_SDK = """\
import os

from ibm_watsonx_ai import APIClient, Credentials
from ibm_watsonx_ai.foundation_models import ModelInference

credentials = Credentials({credentials})
client = APIClient(credentials, {place})
model = ModelInference(deployment_id={id!r}, api_client=client)
print(model.generate_text({text!r}, params={{"max_new_tokens": {new}}}))
"""

_SERVICE_CURL = """\
printf 'Authorization: Bearer %s' "$WATSONX_TOKEN" |
  curl --silent --show-error --fail-with-body {ca}\\
    --header @- --header 'Content-Type: application/json' \\
    --data {body} {address}
"""


@dataclass(frozen=True, kw_only=True)
class Snippets:
    """Code that asks a deployment; printed, it is all of it, with how to start the server where that is needed.

    Args:
        curl: For a shell.
        sdk: Python with the official ibm-watsonx-ai.
        start: The command that starts the server; empty where a service runs by itself.
        openai: Python with any OpenAI client; empty where none can ask.
    """

    curl: str
    sdk: str
    start: str = ""
    openai: str = ""

    def __str__(self) -> str:
        parts = (
            ("In another terminal", self.start), ("curl", self.curl),
            ("Python, ibm-watsonx-ai", self.sdk), ("Python, openai", self.openai),
        )  # fmt: skip
        return "\n\n".join(f"# {title}\n{code.strip()}" for title, code in parts if code)


def snippets_for(home: Path, *, id: str, serving_name: str, text: str, max_new_tokens: int) -> Snippets:
    """Code for a deployment of the runs in `home`.

    Args:
        id, serving_name: Of the deployment; the id stands in for an empty serving name.
        text: The input that the code sends.
        max_new_tokens: The longest answer it asks for.
    """
    ready = str(home / "server" / "ready.json")
    python = _PYTHON.format(ready=ready)
    model = serving_name or id
    body = json.dumps({"model": model, "prompt": text, "max_tokens": max_new_tokens})
    return Snippets(
        start=f"wxtuning serve --home {shlex.quote(str(home))}",
        curl=_CURL.format(ready=shlex.quote(ready), body=shlex.quote(body)),
        sdk=python.replace("import ssl\n", "") + _SDK.format(id=id, text=text, new=max_new_tokens),
        openai=python.replace("import os\n", "") + _OPENAI.format(model=model, text=text, new=max_new_tokens),
    )


def snippets_of_service(
    credentials: Mapping[str, str], place: Mapping[str, str], *, id: str, text: str, max_new_tokens: int
) -> Snippets:
    """Code for a deployment of a watsonx service, which takes keys from WATSONX_APIKEY (curl: a token, WATSONX_TOKEN).

    Args:
        credentials: What the SDK's `Credentials` are told, `url` and `verify` among it, and no secret.
        place: `project_id` or `space_id`.
        id: Of the deployment.
        text: The input that the code sends.
        max_new_tokens: The longest answer it asks for.
    """
    told = [f"{name}={value!r}" for name, value in credentials.items()]
    told.append('api_key=os.environ["WATSONX_APIKEY"]')
    body = json.dumps({"input": text, "parameters": {"max_new_tokens": max_new_tokens}})
    address = f"{credentials['url']}/ml/v1/deployments/{id}/text/generation?version={VERSION}"
    ca = f"--cacert {shlex.quote(credentials['verify'])} " if "verify" in credentials else ""
    return Snippets(
        curl=_SERVICE_CURL.format(ca=ca, body=shlex.quote(body), address=shlex.quote(address)),
        sdk=_SERVICE_SDK.format(
            credentials=", ".join(told), place=", ".join(f"{name}={value!r}" for name, value in place.items()),
            id=id, text=text, new=max_new_tokens,
        ),
    )  # fmt: skip
