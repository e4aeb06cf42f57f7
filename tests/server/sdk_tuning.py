"""Tuning with the unmodified SDK, in a process of its own. `ready` is what the server wrote."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

from tests.server.sdk import Ready, connected

MODEL = "wxtuning/tiny"
ENDED = ("completed", "failed", "canceled")
SECONDS = 60


def rows(count: int) -> list[dict[str, str]]:
    """The first rows of the demonstration data, as training records."""
    from wxtuning.tiny import demonstration_file

    lines = demonstration_file().read_text(encoding="utf-8").splitlines()[:count]
    return [{"input": row["comment"], "output": row["satisfaction"]} for row in map(json.loads, lines)]


def experiment(ready: Ready) -> Any:
    """A TuneExperiment in the server's project."""
    from ibm_watsonx_ai.experiment import TuneExperiment

    return TuneExperiment(connected(ready).credentials, project_id=ready["project_id"])


def uploaded(client: Any, folder: Path, count: int, name: str = "comments.jsonl") -> str:
    """The id of a new data asset with so many rows."""
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(count)))
    with quiet():
        return client.data_assets.get_id(client.data_assets.create(name, str(file)))


@contextlib.contextmanager
def quiet():
    """Without the SDK's own prints, and its notice that prompt tuning will go."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def data(client: Any, folder: Path, count: int) -> list[Any]:
    from ibm_watsonx_ai.helpers import DataConnection

    return [DataConnection(data_asset_id=uploaded(client, folder, count))]


def ended(tuner: Any) -> str:
    """Wait for a run's end; its last state."""
    until = time.monotonic() + SECONDS
    while (state := tuner.get_run_status()) not in ENDED:
        assert time.monotonic() < until, f"still {state} after {SECONDS} seconds"
        time.sleep(0.1)
    return state


def tuned(ready: Ready, folder: Path, *, count: int = 60, epochs: int = 2, **asked: Any) -> dict[str, Any]:
    """A whole prompt tuning; what the SDK says of it."""
    with quiet():
        made = experiment(ready)
        tuner = made.prompt_tuner(
            name="satisfaction", task_id=made.Tasks.CLASSIFICATION, base_model=MODEL, num_epochs=epochs, **asked
        )
        references = data(made.client, folder, count)
        first = tuner.run(references, background_mode=True)
        state = ended(tuner)
        details = tuner.get_run_details(include_metrics=True)
        summary = tuner.summary().reset_index().to_dict("records") if state == "completed" else []
        model = tuner.get_model_id() if state == "completed" and asked.get("auto_update_model", True) else ""
        again = [connection._to_dict() for connection in tuner.get_data_connections()]
        given = [reference._to_dict() for reference in references]
    return {
        "id": tuner.id, "first": first, "state": state, "details": details, "summary": summary, "model_id": model,
        "data": [given, again],
    }  # fmt: skip


def canceled(ready: Ready, folder: Path) -> list[Any]:
    """Cancel a long run, cancel it again, remove it; the states, and what is then left of it."""
    with quiet():
        made = experiment(ready)
        tuner = made.prompt_tuner(name="long", task_id="classification", base_model=MODEL, num_epochs=50)
        tuner.run(data(made.client, folder, 400), background_mode=True)
        while tuner.get_run_status() != "running":
            time.sleep(0.1)
        tuner.cancel_run()
        state = ended(tuner)
        again = made.client.training.cancel(tuner.id)
        tuner.cancel_run(hard_delete=True)
        left = [run["metadata"]["id"] for run in made.client.training.get_details(get_all=True)["resources"]]
    return [state, again, tuner.id in left]


def listed(ready: Ready, run: str) -> tuple[list[str], list[str], list[str]]:
    """The columns of the list of runs, and the runs found by name and by tag."""
    with quiet():
        made = experiment(ready)
        table = made.runs.list()
        by_name = made.runs(filter="satisfaction").list()
        tag = made.client.training.get_details(run)["metadata"]["tags"][-1]
        by_tag = made.client.training.get_details(tag_value=tag)["resources"]
    return list(table.columns), list(by_name["run_id"]), [found["metadata"]["id"] for found in by_tag]


def promoted(ready: Ready, model: str) -> dict[str, Any]:
    """Promote a model to the space, look at it there, and remove both."""
    with quiet():
        client = connected(ready)
        shown = client.repository.get_model_details(model)
        copy = client.spaces.promote(model, source_project_id=ready["project_id"], target_space_id=ready["space_id"])
        table = client.repository.list_models()
        deleted = client.repository.delete(model)
        client.set.default_space(ready["space_id"])
        there = client.repository.get_model_details(copy)
        client.repository.delete(copy)
        left = [found["metadata"]["id"] for found in client.repository.get_model_details()["resources"]]
    return {
        "shown": shown,
        "there": there,
        "deleted": deleted,
        "left": copy in left,
        "listed": dict(zip(table["ID"], table["SPEC_STATE"], strict=True)),
    }


def stored(ready: Ready, folder: Path) -> dict[str, Any]:
    """Store the model of a run that stored none by itself."""
    found = tuned(ready, folder, auto_update_model=False)
    with quiet():
        return connected(ready).repository.store_model(training_id=found["id"])


def fine_tuned(ready: Ready, folder: Path) -> dict[str, Any]:
    """A LoRA tuning with the verbalizer of IBM's samples; what the SDK says of it."""
    with quiet():
        made = experiment(ready)
        tuner = made.fine_tuner(
            name="lora", task_id="classification", base_model=MODEL, num_epochs=2, max_seq_length=128,
            verbalizer="Input: {{input}} Output: {{output}}", response_template=" Output:", gpu={"num": 1},
            peft_parameters={"type": "lora", "rank": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]},
        )  # fmt: skip
        tuner.run(data(made.client, folder, 60), background_mode=True)
        state = ended(tuner)
        details = tuner.get_run_details(include_metrics=True)
        summary = tuner.summary().reset_index().to_dict("records")
        os.chdir(folder)
        log = Path(tuner.get_logs()).read_text()
        runs = list(made.runs.list()["run_id"])
        restored = made.runs.get_tuner(tuner.id).get_params()
    return {
        "id": tuner.id, "state": state, "details": details, "summary": summary, "log": log, "runs": runs,
        "params": restored,
    }  # fmt: skip


def tunable(ready: Ready) -> tuple[list[str], list[str], list[str]]:
    """The models for prompt tuning and for LoRA, and the names of the tasks."""
    with quiet():
        made = experiment(ready)
        models = made.client.foundation_models
        prompts = models.get_model_specs_with_prompt_tuning_support()["resources"]
        loras = models.get_model_specs_with_lora_fine_tuning_support()["resources"]
    return [one["model_id"] for one in prompts], [one["model_id"] for one in loras], [task.name for task in made.Tasks]


def assets(ready: Ready, folder: Path) -> dict[str, Any]:
    """Upload a file, list, show, download, and delete it."""
    with quiet():
        client = connected(ready)
        identity = uploaded(client, folder, 3, "three rows.jsonl")
        details = client.data_assets.get_details(identity)
        content = client.data_assets.get_content(identity)
        listed = list(client.data_assets.list()["ASSET_ID"])
        all_of_them = client.data_assets.get_details(get_all=True)["resources"]
        deleted = client.data_assets.delete(identity)
        left = list(client.data_assets.list()["ASSET_ID"])
    return {
        "id": identity, "details": details, "content": content, "listed": listed, "deleted": deleted, "left": left,
        "all": [one["metadata"]["guid"] for one in all_of_them],
    }  # fmt: skip


def duplicates(ready: Ready, folder: Path) -> dict[str, Any]:
    """What becomes of a second upload under the same name, for each way of dealing with it."""
    from ibm_watsonx_ai.wml_client_error import WMLClientError

    found: dict[str, Any] = {}
    with quiet():
        client = connected(ready)
        first = uploaded(client, folder, 1, "twice.jsonl")
        (folder / "twice.jsonl").write_text('{"input": "new", "output": "new"}\n')
        for action in ("IGNORE", "REPLACE", "UPDATE", "REJECT"):
            try:
                made = client.data_assets.create("twice.jsonl", str(folder / "twice.jsonl"), duplicate_action=action)
            except WMLClientError as cause:
                found[action] = str(cause)
                continue
            identity = client.data_assets.get_id(made)
            found[action] = (identity == first, client.data_assets.get_content(identity))
    return found


def connections(ready: Ready) -> dict[str, Any]:
    """Create, show, list and delete a connection to a store."""
    with quiet():
        client = connected(ready)
        names = client.connections.ConfigurationMetaNames
        kind = client.connections.get_datasource_type_id_by_name("bluemixcloudobjectstorage")
        properties = {"bucket": "b", "url": "https://store.example", "access_key": "k", "secret_key": "s"}
        asked = {names.NAME: "store", names.DATASOURCE_TYPE: kind, names.PROPERTIES: properties}
        identity = client.connections.get_id(client.connections.create(asked))
        shown = client.connections.get_details(identity)
        listed = list(client.connections.list()["ID"])
        deleted = client.connections.delete(identity)
        left = list(client.connections.list()["ID"])
        types = list(client.connections.list_datasource_types()["NAME"])
    return {"id": identity, "shown": shown, "listed": listed, "deleted": deleted, "left": left, "types": types}


def tuned_from_a_store(ready: Ready, folder: Path, url: str) -> dict[str, Any]:
    """A prompt tuning whose data lies in an object store that a connection names."""
    from ibm_watsonx_ai.helpers import DataConnection, S3Location

    with quiet():
        made = experiment(ready)
        connections = made.client.connections
        names, kind = connections.ConfigurationMetaNames, connections.get_datasource_type_id_by_name("generics3")
        properties = {"bucket": "tuning", "url": url, "access_key": "key", "secret_key": "secret"}
        asked = {names.NAME: "store", names.DATASOURCE_TYPE: kind, names.PROPERTIES: properties}
        connection = connections.get_id(connections.create(asked))
        tuner = made.prompt_tuner(name="store", task_id="classification", base_model=MODEL, num_epochs=1)
        reference = DataConnection(
            connection_asset_id=connection, location=S3Location(bucket="tuning", path="in/rows.jsonl")
        )
        tuner.run([reference], background_mode=True)
        state = ended(tuner)
        details = tuner.get_run_details(include_metrics=True)
    return {"state": state, "status": details["entity"]["status"]}


def references(ready: Ready) -> dict[str, dict[str, Any]]:
    """A reference of every kind that the SDK can make, as it sends it; the files are in the project p."""
    from ibm_watsonx_ai.helpers.connections import connections as sdk

    class GitProject:
        project_type, default_space_id, default_project_id = "local_git_storage", None, "p"

        class _href_definitions:
            @staticmethod
            def get_base_asset_href(asset: str) -> str:
                return f"/userfs/v2/assets/{asset}"

    def made(location: Any = None, store: str | None = None, **how: Any) -> Any:
        return sdk.DataConnection(location=location, connection_asset_id=store, **how)

    with quiet():
        found = {
            "asset": made(data_asset_id="a"),
            "asset by its location": made(sdk.AssetLocation("a")),
            "asset with a name": made(data_asset_id="a"),
            "asset with the places of a run": made(data_asset_id="a", model_location="m", training_status="s"),
            "asset of a git project": made(data_asset_id="a"),
            "asset of a connection": made(sdk.AssetLocation("a"), connection=sdk.ConnectionAsset("c")),
            "asset of an output": made(sdk.DeploymentOutputAssetLocation("rows.jsonl")),
            "object": made(sdk.S3Location("b", "rows.jsonl"), "c"),
            "object of a connection": made(sdk.ConnectionAssetLocation("b", "f"), connection=sdk.ConnectionAsset("c")),
            "excel": made(sdk.S3Location("b", "rows.xls", excel_sheet="1"), "c"),
            "file of a connection": made(sdk.NFSLocation("rows.jsonl"), "c"),
            "file of a store": made(sdk.RemoteFileStorageLocation("rows.jsonl"), "c"),
            "container of a store": made(sdk.RemoteFileStorageLocation("rows.jsonl", "box"), "c"),
            "database": made(sdk.DatabaseLocation("schema", "table"), "c"),
            "connection alone": made(store="c"),
            "file": made(sdk.FSLocation("/projects/p/assets/rows.jsonl")),
            "file by a connection": made(sdk.FSLocation("rows.jsonl"), connection=sdk.ConnectionAsset("c")),
            "container": made(sdk.ContainerLocation("rows.jsonl")),
            "container by default": made(sdk.ContainerLocation()),
            "git": made(sdk.GithubLocation("https://secrets.example", "id", "rows.jsonl")),
            "keys": made(sdk.S3Location("b", "p"), connection=sdk.S3Connection("https://store.example", "k", "s")),
            "nfs by its own connection": made(sdk.NFSLocation("p"), connection=sdk.NFSConnection("c")),
        }
        found["asset with a name"].id = "rows"
        found["asset of a git project"].set_client(GitProject())
        sent = {name: one.to_dict() for name, one in found.items()}
        again = {f"{name} again": sdk.DataConnection.from_dict(sent[name]).to_dict() for name in ("asset", "object")}
    return {**sent, **again}


def storage_reads(ready: Ready, run: str) -> dict[str, Any]:
    """What the storage of the project answers to right and wrong keys and names, asked with IBM's own S3 client."""
    import ibm_boto3
    from ibm_botocore.exceptions import ClientError

    with quiet():
        details = connected(ready).projects.get_details(ready["project_id"], include="everything,credentials")
    storage = details["entity"]["storage"]["properties"]
    pair = storage["credentials"]["admin"]

    def read(key: str, secret: str, bucket: str, name: str) -> Any:
        client = ibm_boto3.client(
            "s3", endpoint_url=storage["endpoint_url"], aws_access_key_id=key, aws_secret_access_key=secret
        )
        try:
            return client.get_object(Bucket=bucket, Key=name)["Body"].read()
        except ClientError as cause:
            return str(cause.response["ResponseMetadata"]["HTTPStatusCode"])
        finally:
            client.close()

    key, secret, bucket = pair["access_key_id"], pair["secret_access_key"], storage["bucket_name"]
    name = f"default_tuning_output/{run}/metrics.jsonl"
    return {
        "right": read(key, secret, bucket, name),
        "wrong secret": read(key, "x" * len(secret), bucket, name),
        "wrong key": read("x" * len(key), secret, bucket, name),
        "another bucket": read(key, secret, "project-another", name),
        "another file": read(key, secret, bucket, f"default_tuning_output/{run}/config.json"),
    }


def stored_base(ready: Ready) -> dict[str, Any]:
    """Store the base model itself."""
    with quiet():
        repository = connected(ready).repository
        names = repository.ModelMetaNames
        return repository.store_model(MODEL, meta_props={names.NAME: "base", names.TYPE: "base_foundation_model_1.0"})
