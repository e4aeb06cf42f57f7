"""What a call may say: each field of a body and each parameter is done, or refused by its name; none is ignored."""

from __future__ import annotations

import pytest

VERSION = {"version": "2026-10-14"}
CREATES = {
    "/ml/v4/trainings": ("name", "training_data_references", "pipeline"),
    "/ml/v1/fine_tunings": ("name", "results_reference", "test_data_references"),
    "/ml/v4/deployments": ("name", "online", "batch"),
    "/ml/v4/models": ("name", "software_spec", "schemas"),
    "/transactional/v2/projects": ("name", "generator", "tools"),
    "/v2/spaces": ("name", "stage", "members"),
    "/v2/assets": ("metadata", "entity", "attachments"),
    "/v2/connections": ("name", "properties", "flags"),
    "/projects/api/rest/catalogs/assets/a/promote": ("projectId", "assetDescription", ""),
    "/v2/asset_types/data_asset/search": ("query", "include", "sort"),
}
"""Calls with two fields that each has, and one that only the service has."""


def refusal(running, method, path, **how):
    """What is answered, and what its one error says."""
    with running.http(event_hooks={}) as client:
        answer = client.request(method, path, **how)
    return answer.status_code, answer.json()["errors"][0]


@pytest.mark.parametrize("path", CREATES)
def test_a_field_that_nobody_knows_is_refused_with_the_nearest_one_known(cpd, path):
    known = CREATES[path][0]
    status, error = refusal(cpd, "POST", path, params=VERSION, json={f"{known}x": "value"})
    assert (status, error["target"]["name"]) == (400, f"{known}x")
    assert error["message"].startswith(f"'{known}x' is no field of POST ")
    assert error["message"].endswith(f"did you mean {known}?")


@pytest.mark.parametrize("path", [path for path in CREATES if CREATES[path][2]])
def test_a_field_that_only_the_service_has_is_not_offered(cpd, path):
    name = CREATES[path][2]
    status, error = refusal(cpd, "POST", path, params=VERSION, json={name: []})
    assert (status, error["code"]) == (404, "not_offered")
    assert error["message"].startswith("not offered by this server: POST /") and f"with {name}" in error["message"]


@pytest.mark.parametrize("path", CREATES)
def test_a_field_of_the_wrong_kind_is_refused_by_its_name(cpd, path):
    first = CREATES[path][0]
    status, error = refusal(cpd, "POST", path, params=VERSION, json={first: 7})
    assert (status, error["target"]["name"]) == (400, first)
    assert error["message"].startswith(f"{first} is 7; expected ")


@pytest.mark.parametrize("path", CREATES)
def test_a_parameter_that_nobody_knows_is_refused(cpd, path):
    status, error = refusal(cpd, "POST", path, params={**VERSION, "dry_run": "true"}, json={})
    assert (status, error["target"]["name"]) == (400, "dry_run")
    assert error["message"].startswith("'dry_run' is no parameter of POST ")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v2/assets", {"metadata": {"name": "x", "tag": []}}, "metadata.tag"),
        (
            "/v2/assets",
            {"metadata": {"name": "x"}, "entity": {"data_asset": {"mime": "a/b"}}},
            "entity.data_asset.mime",
        ),
        ("/v2/connections", {"properties": {"acces_key": "secret"}}, "properties.acces_key"),
        ("/ml/v4/deployments", {"online": {"parameters": {"servingname": "x"}}}, "online.parameters.servingname"),
        ("/ml/v4/models", {"software_spec": {"title": "x"}}, "software_spec.title"),
    ],
)
def test_fields_inside_of_others_are_looked_at_likewise(cpd, path, body, field):
    status, error = refusal(cpd, "POST", path, params=VERSION, json=body)
    assert (status, error["target"]["name"]) == (400, field)
    assert "secret" not in error["message"]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/ml/v4/trainings", "tag.valeu"),
        ("/ml/v4/trainings", "training_definition_id"),
        ("/ml/v4/deployments", "tags"),
        ("/ml/v4/models", "filter"),
        ("/v2/projects", "member"),
        ("/v2/connections", "name"),
    ],
)
def test_a_filter_that_a_list_does_not_have_is_refused(server, path, parameter):
    status, error = refusal(server, "GET", path, params={**VERSION, "project_id": server.project, parameter: "x"})
    assert (status, error["target"]["name"]) == (400, parameter)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ml/v4/trainings"),
        ("GET", "/ml/v4/trainings/some"),
        ("DELETE", "/ml/v4/deployments/some"),
        ("POST", "/ml/v1/text/generation"),
        ("GET", "/ml/v1/foundation_model_specs"),
    ],
)
@pytest.mark.parametrize("given", [{}, {"version": "yesterday"}])
def test_a_call_without_the_version_of_the_api_is_refused(server, method, path, given):
    status, error = refusal(server, method, path, params=given, json={} if method == "POST" else None)
    assert (status, error["target"]["name"]) == (400, "version")
    assert "the query parameter version is" in error["message"]


def test_a_call_about_two_places_is_refused(server):
    places = {"project_id": server.project, "space_id": server.space}
    status, error = refusal(server, "GET", "/v2/connections", params=places)
    assert (status, error["message"][:34]) == (400, "several projects or spaces are giv")


@pytest.mark.parametrize(
    ("method", "path", "switch"),
    [
        ("DELETE", "/v2/assets/some", "purge_on_delete"),
        ("GET", "/ml/v4/deployments", "conflict"),
        ("GET", "/v2/datasource_types/generics3", "connection_properties"),
        ("GET", "/ml/v1/foundation_model_specs", "tech_preview"),
    ],
)
def test_a_switch_is_on_or_off(server, method, path, switch):
    status, error = refusal(server, method, path, params={**VERSION, "project_id": server.project, switch: "maybe"})
    assert (status, error["message"]) == (400, f"{switch} is 'maybe'; expected true or false")
