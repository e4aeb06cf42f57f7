"""What the tests do with the unmodified SDK once there is a model; each runs in a process of the SDK's own."""

from __future__ import annotations

from typing import Any

from tests.server.sdk import Ready, connected

NEW = {"max_new_tokens": 20}


def deploy(client: Any, model: str, **properties: Any) -> dict[str, Any]:
    """As `deployments.create` does it, without the five seconds that it sleeps."""
    import warnings

    names = client.deployments.ConfigurationMetaNames
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that background mode is on
        return client.deployments.create(
            model, {names.NAME: "comments", names.ONLINE: {}, **properties}, background_mode=True
        )


def answers_of(client: Any, deployment: str, texts: list[str]) -> dict[str, Any]:
    from ibm_watsonx_ai.foundation_models import ModelInference

    model = ModelInference(deployment_id=deployment, api_client=client, params=NEW)
    return {
        "generate": model.generate(texts[0]),
        "text": model.generate_text(texts[0]),
        "texts": model.generate_text(texts),
        "stream": list(model.generate_text_stream(texts[0])),
        "raw": list(model.generate_text_stream(texts[0], raw_response=True)),
    }


def life_of_a_deployment(ready: Ready, model: str, texts: list[str], name: str) -> dict[str, Any]:
    """Create, look, list, ask, change, delete."""
    client = connected(ready)
    deployments = client.deployments
    free_before = deployments.is_serving_name_available(name)
    made = deploy(client, model, **{deployments.ConfigurationMetaNames.SERVING_NAME: name})
    identity = deployments.get_id(made)
    found = {
        "free": (free_before, deployments.is_serving_name_available(name)),
        "made": made,
        "details": deployments.get_details(identity),
        "listed": deployments.list(include_software_spec_state=False)["ID"].tolist(),
        "by_name": deployments.get_details(serving_name=name),
        "answers": answers_of(client, identity, texts),
    }
    changes = {deployments.ConfigurationMetaNames.NAME: "renamed"}
    found["changed"] = deployments.update(identity, changes, background_mode=True)
    found["deleted"] = deployments.delete(identity)
    found["after"] = deployments.list(include_software_spec_state=False)["ID"].tolist()
    return found


def created_and_waited_for(ready: Ready, model: str) -> str:
    client = connected(ready)
    names = client.deployments.ConfigurationMetaNames
    made = client.deployments.create(model, {names.NAME: "waited", names.ONLINE: {}})
    return made["entity"]["status"]["state"]


def in_a_space(ready: Ready, model: str, texts: list[str]) -> dict[str, Any]:
    """Promote a model, deploy it in the space and ask it there."""
    client = connected(ready)
    promoted = client.spaces.promote(model, source_project_id=ready["project_id"], target_space_id=ready["space_id"])
    client.set.default_space(ready["space_id"])
    made = deploy(client, promoted)
    return {
        "promoted": promoted,
        "space": made["metadata"]["space_id"],
        "answers": answers_of(client, made["metadata"]["id"], texts),
    }


def base_model(ready: Ready, model_id: str, text: str) -> dict[str, Any]:
    from ibm_watsonx_ai.foundation_models import ModelInference

    model = ModelInference(model_id=model_id, api_client=connected(ready), params=NEW)
    return {
        "text": model.generate_text(text),
        "stream": "".join(model.generate_text_stream(text)),
        "tokens": model.tokenize(text, return_tokens=True),
        "count": model.tokenize(text),
    }


def unknown_base_model(ready: Ready, model_id: str) -> str:
    """What the SDK says of a base model that is not here."""
    from ibm_watsonx_ai.foundation_models import ModelInference
    from ibm_watsonx_ai.wml_client_error import WMLClientError

    try:
        ModelInference(model_id=model_id, api_client=connected(ready))
    except WMLClientError as error:
        return str(error)
    return ""


def refused_stream(ready: Ready, deployment: str, text: str) -> str:
    """What the SDK says of a stream that is refused."""
    from ibm_watsonx_ai.foundation_models import ModelInference
    from ibm_watsonx_ai.wml_client_error import WMLClientError

    model = ModelInference(deployment_id=deployment, api_client=connected(ready), validate=False)
    try:
        list(model.generate_text_stream(text))
    except WMLClientError as error:
        return str(error)
    return ""
