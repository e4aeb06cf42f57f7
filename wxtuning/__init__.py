"""From a data set to a tuned, tested and deployed foundation model in one chain.

The public names and nothing else. Each is loaded on first use, so that importing wxtuning costs milliseconds and
loads no vendor package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOME_OF = {
    "TuningExperiment": "experiment",
    "PromptTuning": "spec",
    "LoRA": "spec",
    "Cleaning": "spec",
    "Mapping": "spec",
    "Evaluation": "spec",
    "DeploymentSpec": "spec",
    "WaitPolicy": "spec",
    "Local": "adapters.local",
    "Watsonx": "adapters.watsonx",
    "COS": "adapters.cos",
    "LocalStore": "adapters.folder",
    "Plan": "plan",
    "TuningJob": "job",
    "TuningRun": "job",
    "Deployment": "deployment",
    "attach": "job",
    "runs": "job",
    "gather": "gathering",
    "agather": "gathering",
    "adopt": "unsettled",
    "submit_again": "unsettled",
    "models": "offers",
    "templates": "template",
    "Deployer": "ports",
    "Evaluator": "ports",
    "Source": "ports",
    "Store": "ports",
    "Tuner": "ports",
    "WxTuningError": "errors",
    "PlanError": "errors",
    "DataError": "errors",
    "InputChangedError": "errors",
    "LeakageError": "errors",
    "RunLocked": "errors",
    "JournalError": "errors",
    "AdapterError": "errors",
    "MissingDependency": "errors",
    "NotAuthorized": "errors",
    "NotOffered": "errors",
    "Unavailable": "errors",
    "UploadIntegrityError": "errors",
    "AmbiguousSubmitError": "errors",
    "DuplicateJobsError": "errors",
    "JobError": "errors",
    "JobFailed": "errors",
    "JobCanceled": "errors",
    "JobLost": "errors",
    "WaitTimeout": "errors",
}

__all__ = [
    "TuningExperiment",
    # what is asked for
    "PromptTuning",
    "LoRA",
    "Cleaning",
    "Mapping",
    "Evaluation",
    "DeploymentSpec",
    "WaitPolicy",
    # where it runs
    "Local",
    "Watsonx",
    # where files are kept
    "COS",
    "LocalStore",
    # what comes back
    "Plan",
    "TuningJob",
    "TuningRun",
    "Deployment",
    "attach",
    "runs",
    "gather",
    "agather",
    # where nobody knows whether a job exists
    "adopt",
    "submit_again",
    "models",
    # what data should look like
    "templates",
    # what an adapter implements
    "Deployer",
    "Evaluator",
    "Source",
    "Store",
    "Tuner",
    # what can go wrong
    "WxTuningError",
    "PlanError",
    "DataError",
    "InputChangedError",
    "LeakageError",
    "RunLocked",
    "JournalError",
    "AdapterError",
    "MissingDependency",
    "NotAuthorized",
    "NotOffered",
    "Unavailable",
    "UploadIntegrityError",
    "AmbiguousSubmitError",
    "DuplicateJobsError",
    "JobError",
    "JobFailed",
    "JobCanceled",
    "JobLost",
    "WaitTimeout",
]

if TYPE_CHECKING:
    from wxtuning.adapters.cos import COS
    from wxtuning.adapters.folder import LocalStore
    from wxtuning.adapters.local import Local
    from wxtuning.adapters.watsonx import Watsonx
    from wxtuning.deployment import Deployment
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
    from wxtuning.experiment import TuningExperiment
    from wxtuning.gathering import agather, gather
    from wxtuning.job import TuningJob, TuningRun, attach, runs
    from wxtuning.offers import models
    from wxtuning.plan import Plan
    from wxtuning.ports import Deployer, Evaluator, Source, Store, Tuner
    from wxtuning.spec import Cleaning, DeploymentSpec, Evaluation, LoRA, Mapping, PromptTuning, WaitPolicy
    from wxtuning.template import templates
    from wxtuning.unsettled import adopt, submit_again


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'wxtuning' has no attribute {name!r}")
    value = getattr(import_module(f"wxtuning.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
