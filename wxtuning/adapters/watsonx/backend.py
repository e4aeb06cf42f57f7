"""watsonx.ai as a backend: what it is told and what it offers. The work is elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from wxtuning.adapters.watsonx import environment
from wxtuning.adapters.watsonx.asking import Asking, base, snippets
from wxtuning.adapters.watsonx.assets import Assets
from wxtuning.adapters.watsonx.capabilities import Capabilities
from wxtuning.adapters.watsonx.connections import Connections
from wxtuning.adapters.watsonx.containers import own
from wxtuning.adapters.watsonx.data import Data
from wxtuning.adapters.watsonx.deployments import Deployments
from wxtuning.adapters.watsonx.faults import BACKEND, Missing
from wxtuning.adapters.watsonx.runs import Runs
from wxtuning.adapters.watsonx.service import Service
from wxtuning.adapters.watsonx.settings import OnUnknown, Settings, problems_of, public, tidied, veiled, without_user
from wxtuning.adapters.watsonx.source import AssetRows
from wxtuning.adapters.watsonx.trainings import Trainings
from wxtuning.errors import NotAuthorized, NotOffered, PlanError
from wxtuning.found import FoundRun
from wxtuning.ports import Answer, Decoding, Limits, ModelOffer, Store, TuningRequest
from wxtuning.retry import Deadline, Patience
from wxtuning.snippets import Snippets
from wxtuning.spec import DeploymentSpec, Method
from wxtuning.status import DeploymentRef, JobRef, JobStatus, Metric
from wxtuning.tokens import Tokenizer

if TYPE_CHECKING:
    import httpx


class Watsonx:
    """Tunes and answers on watsonx.ai: Cloud Pak for Data, IBM Cloud, or `wxtuning serve`.

    Nothing is asked before the first use. Secrets are in no text of it, and do not travel with it: in another process
    they are taken from the environment, if that speaks of the same service.

    Args:
        url: The service, such as `https://us-south.ml.cloud.ibm.com` or that of a cluster; always https.
        project, space: Where jobs run and assets lie, by name or id; one of the two.
        create_project: Make the project if there is none of this name (Cloud Pak for Data).
        api_key: The key of a user or service ID; with `username` on Cloud Pak for Data.
        username, password: Of Cloud Pak for Data.
        token: A token instead; it is never renewed.
        ca: The file of the certificate authority that vouches for the service; None: those commonly trusted.
        platform_url: Of IBM Cloud's data platform; None: the one that belongs to `url`. Says that it is a cloud.
        auth_url: Where tokens are had, in full; None: the usual place.
        version: Of Cloud Pak for Data, such as "5.2", where it does not tell.
        connection: Name or id of the connection to the bucket of `.upload(wx.COS(...))`; None: one is made.
        submit_settle: Seconds in which what was created shows up in the service's lists, 0 to 86,400.
        on_unknown: When nobody knows whether a job was created and none shows up in that time: create it again
            (`"settle"`), or stop and ask (`"ask"`).
        http_client: An `httpx.Client` whose connections, certificates and proxies are used; nothing else of it. Only
            with httpx's own transport: another one may send a request twice.
        patience: How long to wait, and how often to ask again.

    Raises:
        PlanError: if any of that cannot be; names every problem at once.
    """

    name = BACKEND

    def __init__(
        self,
        *,
        url: str,
        project: str | None = None,
        space: str | None = None,
        create_project: bool = False,
        api_key: str | SecretStr | None = None,
        username: str | None = None,
        password: str | SecretStr | None = None,
        token: str | SecretStr | None = None,
        ca: str | Path | None = None,
        platform_url: str | None = None,
        auth_url: str | None = None,
        version: str | None = None,
        connection: str | None = None,
        submit_settle: float = 120.0,
        on_unknown: OnUnknown = "settle",
        http_client: httpx.Client | None = None,
        patience: Patience | None = None,
    ) -> None:
        # Before anything can go wrong in a frame that holds them.
        api_key, password, token = veiled(api_key), veiled(password), veiled(token)
        url, platform_url, auth_url = (
            without_user(url), platform_url and without_user(platform_url), auth_url and without_user(auth_url),
        )  # fmt: skip
        self.settings = Settings(
            url=url, project=project, space=space, create_project=create_project, api_key=api_key, username=username,
            password=password, token=token, ca=ca, platform_url=platform_url, auth_url=auth_url, version=version,
            connection=connection, submit_settle=submit_settle, on_unknown=on_unknown, http_client=http_client,
            patience=patience or Patience(),
        )  # fmt: skip
        if problems := list(problems_of(self.settings)):
            raise PlanError(problems)
        self.settings = tidied(self.settings)

    @classmethod
    def from_env(cls, *, project: str | None = None, **more: Any) -> Watsonx:
        """The service that the environment describes: WATSONX_URL, WATSONX_APIKEY (or WATSONX_API_KEY),
        WATSONX_USERNAME, WATSONX_PASSWORD, WATSONX_TOKEN, WATSONX_PROJECT_ID or WATSONX_SPACE_ID, WATSONX_CA,
        WATSONX_PLATFORM_URL, WATSONX_AUTH_URL, WATSONX_VERSION.

        Args:
            project, more: Arguments of `Watsonx` that count instead.

        Raises:
            PlanError: if something is missing; names all of it.
        """
        more = environment.hidden(more)
        return cls(**environment.complete(environment.said(os.environ), {"project": project, **more}))

    @classmethod
    def from_ready(cls, file: str | Path, **more: Any) -> Watsonx:
        """The server that wrote this file: `wxtuning serve --ready-file FILE`.

        Args:
            file: What it wrote.
            more: Arguments of `Watsonx` that count instead.

        Raises:
            PlanError: if it is no such file.
        """
        more = environment.hidden(more)
        return cls(**environment.chosen(environment.from_ready(file), more))

    # --- what it is -------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        said = {each.name: getattr(self.settings, each.name) for each in fields(Settings) if each.repr}
        usual = {each.name: each.default for each in fields(Settings)}
        shown = (f"{name}={value!r}" for name, value in said.items() if value != usual[name])
        return f"Watsonx({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return self.settings == other.settings if isinstance(other, Watsonx) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.settings.url, self.settings.project, self.settings.space))

    def __copy__(self) -> Watsonx:
        return self

    def __deepcopy__(self, _: object) -> Watsonx:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        if self.settings.http_client is not None:
            raise PlanError(
                ["a Watsonx with http_client= cannot be pickled: connections do not travel"],
                hint="Make it in the process that uses it.",
            )
        return _again, (public(self.settings),)

    # --- its parts --------------------------------------------------------------------------------------------------

    @cached_property
    def service(self) -> Service:
        """The connection.

        Raises:
            NotAuthorized: if it came out of a pickle into a process that has no credentials.
        """
        if not self.settings.secrets:
            raise NotAuthorized(
                f"there are no credentials for {self.settings.url}: they do not travel with a pickle",
                backend=self.name,
                hint="Set WATSONX_APIKEY (or WATSONX_PASSWORD, WATSONX_TOKEN) for this process too.",
            )
        return Service(self.settings, own)

    @cached_property
    def _capabilities(self) -> Capabilities:
        return Capabilities(self.service)

    @cached_property
    def _assets(self) -> Assets:
        return Assets(self.service, self.settings)

    @cached_property
    def _data(self) -> Data:
        return Data(self._assets, self._connections)

    @cached_property
    def _connections(self) -> Connections:
        return Connections(self.service, self.settings)

    @cached_property
    def _trainings(self) -> Trainings:
        return Trainings(self.service, self.settings)

    @cached_property
    def _deployments(self) -> Deployments:
        return Deployments(self.service, self.settings, self._trainings.details)

    @cached_property
    def _asking(self) -> Asking:
        return Asking(self.service, self._capabilities.context_tokens)

    # --- tuning -----------------------------------------------------------------------------------------------------

    def limits(self, method: Method) -> Limits:
        """What the service's own specification of the model says; see `Tuner`."""
        return self._capabilities.limits(method)

    def problems_of(self, request: TuningRequest) -> tuple[str, ...]:
        """See `ChecksRequest`."""
        return self._capabilities.problems_of(request)

    def models(self, method: str | None = None) -> tuple[ModelOffer, ...]:
        """The models that can be tuned, or tuned by this method.

        Raises:
            NotOffered: if there is no tuning (any more), or not by this method.
        """
        return self._capabilities.models(method)

    def tokenizer(self, method: Method) -> Tokenizer:
        """Counts with the service's own tokenizer; see `Tuner`."""
        return self._capabilities.tokenizer(method)

    def submit(self, request: TuningRequest, key: str) -> JobRef:
        """Start a job, once for each key; see `Tuner`.

        Raises:
            AmbiguousSubmitError: if it may have been started and cannot be looked up.
        """
        return self._trainings.submit(request, key, lambda: self._data.reference(request, key))

    def find(self, key: str) -> JobRef | None:
        return self._trainings.find(key)

    def status(self, job: JobRef, *, deadline: Deadline | None = None) -> JobStatus:
        return self._trainings.status(job, deadline)

    def metrics(self, job: JobRef) -> tuple[Metric, ...]:
        return self._trainings.metrics(job)

    def logs(self, job: JobRef, *, deadline: Deadline | None = None) -> str:
        return self._trainings.logs(job, deadline)

    def cancel(self, job: JobRef) -> None:
        self._trainings.cancel(job)

    def check_store(self, store: Store) -> None:
        """See `ChecksStore`."""
        self._connections.check(store)

    # --- data -------------------------------------------------------------------------------------------------------

    def asset(self, name_or_id: str) -> AssetRows:
        """The rows of a data asset that is there already, for `.load`; where they need no change, the job takes it."""
        return AssetRows(self._assets, name_or_id)

    def release(self, owner: str) -> tuple[str, ...]:
        """Give up the data assets of a run (`run.key`); the ids of those removed, as no other run needs them."""
        return self._assets.release(owner)

    def runs(self) -> tuple[FoundRun, ...]:
        """All tuning runs of the project or space, whoever started them, the newest first."""
        return tuple(Runs(self.service))

    def run(self, id: str) -> FoundRun:
        """One of them.

        Raises:
            JobLost: if there is no such run.
        """
        return Runs(self.service).find(id)

    def fetch_rows(self, found: FoundRun) -> bytes | None:
        """The file that a run was tuned on; None if they are not, or no more, among the project's assets."""
        kind, _, identity = (found.data[0] if found.data else "").partition(":")
        if kind != "asset":
            return None
        try:
            return self._assets.read(identity).content
        except (NotOffered, Missing):
            return None

    # --- answering --------------------------------------------------------------------------------------------------

    def deploy(self, job: JobRef, deployment: DeploymentSpec, key: str) -> DeploymentRef:
        return self._deployments.deploy(job, deployment, key)

    def check_deployment(self, deployment: DeploymentSpec, *, run: str, job: str) -> None:
        """See `ChecksDeployment`."""
        self._deployments.check(deployment, run, lambda: not job or self._trainings.find(job) is not None)

    def preview(self, job: JobRef) -> DeploymentRef:
        """Not offered: the service answers from deployments only."""
        raise NotOffered(
            f"{job} cannot be asked before it is deployed",
            backend=self.name,
            hint="Add .deploy('a name') to the chain.",
        )

    def base(self, method: Method, template: str) -> DeploymentRef:
        return base(method, template)

    def find_deployment(self, key: str) -> DeploymentRef | None:
        return self._deployments.find(key)

    def is_deployed(self, ref: DeploymentRef) -> bool:
        return self._deployments.has(ref)

    def generate(self, ref: DeploymentRef, inputs: Sequence[str], decoding: Decoding) -> tuple[Answer, ...]:
        return self._asking.generate(ref, inputs, decoding)

    def stream(self, ref: DeploymentRef, text: str, decoding: Decoding) -> Iterator[str]:
        return self._asking.stream(ref, text, decoding)

    def losses(self, ref: DeploymentRef, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[float, int], ...]:
        """Not offered: the service does not tell the probabilities of given tokens."""
        raise NotOffered(
            "watsonx.ai does not tell how probable a given answer is", backend=self.name, hint="Score answers instead."
        )

    def snippets(self, ref: DeploymentRef, text: str, max_new_tokens: int) -> Snippets:
        """Code that asks a deployment; it takes its key from the environment."""
        return snippets(ref, self.settings, text=text, max_new_tokens=max_new_tokens)

    def delete(self, ref: DeploymentRef) -> None:
        self._deployments.delete(ref)


def _again(values: Mapping[str, Any]) -> Watsonx:
    """A backend in another process, with the credentials of its environment."""
    made = Watsonx.__new__(Watsonx)
    made.settings = replace(Settings(**values), **environment.credentials_for(str(values["url"]), os.environ))
    return made
