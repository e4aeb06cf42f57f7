"""What the tests do with the unmodified SDK, in a process of its own. `ready` is what the server wrote."""

from __future__ import annotations

import time
from typing import Any

Ready = dict[str, Any]


def connected(ready: Ready) -> Any:
    """The SDK's client, made with exactly the lines that the server prints."""
    names: dict[str, Any] = {}
    exec("\n".join(ready["python"]), names)  # noqa: S102 - the printed lines are what is tested
    return names["client"]


def credentials(ready: Ready, **changed: str | None) -> Any:
    """Credentials as the printed lines have them, some of them changed or left out (None)."""
    from ibm_watsonx_ai import Credentials

    given = {"url": ready["url"], "api_key": ready["api_key"], "verify": ready["ca"]}
    if ready["platform"] == "cloud":
        given |= {"platform_url": ready["url"], "auth_url": f"{ready['url']}/identity/token"}
    else:
        given |= {"username": ready["username"]}
    return Credentials(**{name: value for name, value in {**given, **changed}.items() if value is not None})


def client(ready: Ready, **changed: str | None) -> Any:
    from ibm_watsonx_ai import APIClient

    return APIClient(credentials(ready, **changed))


def refusal(ready: Ready, **changed: str | None) -> str:
    """What the SDK says where it cannot connect."""
    from ibm_watsonx_ai.wml_client_error import WMLClientError

    try:
        client(ready, **changed).token  # noqa: B018 - asking for it is what fetches it
    except WMLClientError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def defaults(ready: Ready) -> dict[str, Any]:
    """Set the project and the space of the first start as defaults, in turn."""
    made = client(ready)
    return {
        "project": made.set.default_project(ready["project_id"]),
        "project_type": made.project_type,
        "space": made.set.default_space(ready["space_id"]),
        "version": str(made.CPD_version) if ready["platform"] == "cpd" else "",
    }


def unknown_defaults(ready: Ready, identity: str) -> list[str]:
    from ibm_watsonx_ai.wml_client_error import WMLClientError

    said = []
    for name in ("default_project", "default_space"):
        try:
            getattr(client(ready).set, name)(identity)
        except WMLClientError as error:
            said.append(str(error))
    return said


def platform(ready: Ready, name: str) -> dict[str, Any]:
    """Make, find, list and delete a project and a space."""
    made = client(ready)
    names = made.projects.ConfigurationMetaNames
    project = made.projects.store({names.NAME: name, names.STORAGE: {"type": "assetfiles"}, names.DESCRIPTION: "d"})
    project_id = made.projects.get_id(project)
    storage = {"storage": {"resource_crn": "crn"}} if ready["platform"] == "cloud" else {}
    space = made.spaces.store({"name": name, "description": "d", **storage}, background_mode=False)
    space_id = made.spaces.get_id(space)
    return {
        "project": project,
        "space": space,
        "found": [made.projects.get_id_by_name(name) == project_id, made.spaces.get_id_by_name(name) == space_id],
        "projects": made.projects.list()["ID"].tolist(),
        "spaces": made.spaces.list(limit=50)["ID"].tolist(),
        "all": [one["entity"]["name"] for one in made.projects.get_details(limit=1, get_all=True)["resources"]],
        "ids": [project_id, space_id],
        "deleted": [made.projects.delete(project_id), made.spaces.delete(space_id)],
        "left": [project_id in made.projects.list()["ID"].tolist(), space_id in made.spaces.list()["ID"].tolist()],
    }


def tokens_over(ready: Ready, seconds: float) -> int:
    """How many tokens the SDK has used while it asked again and again."""
    made = client(ready)
    seen, until = set(), time.monotonic() + seconds
    while time.monotonic() < until:
        seen.add(made.token)
        made.projects.get_details(ready["project_id"])
        time.sleep(0.2)
    return len(seen)


def not_offered(ready: Ready) -> dict[str, str]:
    """What the SDK says to calls that the server does not know."""
    from ibm_watsonx_ai.wml_client_error import WMLClientError

    made = connected(ready)
    calls = {
        "functions": lambda: made.repository.list_functions(),
        "pipelines": lambda: made.pipelines.get_details(),
        "hardware": lambda: made.hardware_specifications.get_details("0a1b"),
        "parameter sets": lambda: made.parameter_sets.get_details("0a1b"),
        "members": lambda: made.projects.get_member_details(ready["project_id"]),
        "export": lambda: made.export_assets.get_details("0a1b", space_id=ready["space_id"]),
    }
    said = {}
    for name, call in calls.items():
        try:
            said[name] = f"answered {call()}"
        except WMLClientError as error:
            said[name] = str(error)
    return said
