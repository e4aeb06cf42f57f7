"""How a caller gets a token, on either platform, and what version this is."""

from __future__ import annotations

from typing import Any

from wxtuning.server.errors import unauthorized
from wxtuning.server.routing import JSON, Answer, Call, Route

API_KEY_GRANT = "urn:ibm:params:oauth:grant-type:apikey"


def iam_token(call: Call) -> JSON | Answer:
    """A token of IBM Cloud for an api key."""
    if call.body.get("grant_type") != API_KEY_GRANT:
        return _iam_refusal("BXNIM0137E", f"grant_type is not supported; expected {API_KEY_GRANT}")
    if not call.house.tokens.admits(api_key=str(call.body.get("apikey", ""))):
        return _iam_refusal("BXNIM0415E", "Provided API key could not be found.")
    return {**_oauth(call), "refresh_token": "not_supported", "scope": "ibm openid"}


def _iam_refusal(code: str, message: str) -> Answer:
    return Answer(status=400, body={"errorCode": code, "errorMessage": message, "context": {}})


def authorize(call: Call) -> JSON:
    """A token of Cloud Pak for Data for a user's api key or password."""
    _admit(call)
    return {"_messageCode_": "200", "message": "Success", "token": call.house.tokens.grant().token}


def identity_token(call: Call) -> JSON:
    """The first half of the log-in with a password where Cloud Pak for Data uses its identity provider."""
    _admit(call)
    return {**_oauth(call), "scope": "openid"}


def validate(call: Call) -> JSON:
    """The second half: a token of the identity provider becomes one of the platform."""
    call.house.tokens.check(call.headers.get("iam-token", ""))
    return {"username": call.headers.get("username", ""), "accessToken": call.house.tokens.grant().token}


def _admit(call: Call) -> None:
    given = {name: str(call.body.get(name, "")) for name in ("username", "api_key", "password")}
    if not call.house.tokens.admits(**given):
        raise unauthorized("the username does not fit the api key or password; the server's ready file has them")


def _oauth(call: Call) -> dict[str, Any]:
    grant = call.house.tokens.grant()
    return {
        "access_token": grant.token, "token_type": "Bearer", "expires_in": grant.seconds,
        "expiration": grant.expires_at,
    }  # fmt: skip


def version(call: Call) -> JSON:
    """Which Cloud Pak for Data this is like."""
    return {"version": call.house.settings.version}


def _open(method: str, path: str, **how: Any) -> Route:
    return Route(method=method, path=path, is_open=True, **how)


ROUTES = (
    _open("POST", "/identity/token", handler=iam_token, takes="form", only="cloud"),
    _open("POST", "/icp4d-api/v1/authorize", handler=authorize, only="cpd"),
    _open("POST", "/idprovider/v1/auth/identitytoken", handler=identity_token, takes="form", only="cpd"),
    _open("GET", "/v1/preauth/validateAuth", handler=validate, only="cpd"),
    _open("GET", "/ml/wml_services/v2/version", handler=version, only="cpd"),
)
