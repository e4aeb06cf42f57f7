"""The lines of a job as data assets: sent once, proven, owned by the runs that need them, on both platforms."""

from __future__ import annotations

import csv
import io
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.watsonx.conftest import asked_of
from tests.watsonx.faults import LOGIN_PAGE, Changed, Cut, Dropped, Instead, Late, LostAnswer, Refusal
from tests.watsonx.wire import ALWAYS, Exchange
from wxtuning import steps
from wxtuning.adapters.watsonx import Watsonx
from wxtuning.adapters.watsonx.assets import Assets
from wxtuning.adapters.watsonx.service import Service
from wxtuning.adapters.watsonx.settings import Settings
from wxtuning.adapters.watsonx.source import AssetRows
from wxtuning.errors import AdapterError, InputChangedError, NotOffered, PlanError, Unavailable, UploadIntegrityError
from wxtuning.records import Record
from wxtuning.retry import Patience
from wxtuning.server.state import State
from wxtuning.status import DataRef

MAKE, ATTACH = "POST /v2/assets", "POST /v2/assets/{id}/attachments"
SEND, COMPLETE = "PUT /v2/asset_uploads/{id}", "POST /v2/assets/{id}/attachments/{id}/complete"
REMOVE = "DELETE /v2/assets/{id}"
SEARCH = "POST /v2/asset_types/data_asset/search"
CHANGE = "PATCH /v2/assets/{id}"


@pytest.fixture
def assets(service: Service, settings: Settings) -> Assets:
    return Assets(service, settings)


@pytest.fixture
def data(tmp_path: Path) -> DataRef:
    """Lines that no other test has."""
    return lines(tmp_path, str(tmp_path))


@pytest.fixture
def key(data: DataRef) -> str:
    """The run of this test."""
    return f"support-{data.sha256[:12]}"


@pytest.fixture
def other(key: str) -> str:
    """Another run."""
    return f"{key}-other"


def lines(folder: Path, word: str) -> DataRef:
    rows = [Record(number=n, input=f"{word} {n} ünïcode", output="yes", label="yes") for n in range(5)]
    return steps.write(rows, folder / "train.jsonl")


def content_of(service: Service, asset: str) -> bytes:
    (attachment,) = service.get(f"/v2/assets/{asset}")["attachments"]
    shown = service.get(f"/v2/assets/{asset}/attachments/{attachment['attachment_id']}")
    return service.read(shown["url"], most=10**6)


def named(service: Service, data: DataRef) -> list[str]:
    """The ids of all assets with these lines' name."""
    body = {"query": f'asset.name:"support-train-{data.sha256[:16]}.jsonl"'}
    found = service.ask("/v2/asset_types/data_asset/search", body, within=service.container)["results"]
    return [one["metadata"]["asset_id"] for one in found]


def tags(service: Service, asset: str) -> list[str]:
    return service.get(f"/v2/assets/{asset}")["metadata"]["tags"]


def test_lines_become_an_asset_that_is_named_after_them_and_holds_their_bytes(assets, service, data, key):
    asset = assets.put(data, "support-train", key)
    assert content_of(service, asset) == Path(data.uri.removeprefix("file://")).read_bytes()
    assert named(service, data) == [asset]
    assert tags(service, asset) == [f"wxtuning.{key}"]


def test_the_same_bytes_are_sent_once_whoever_needs_them(assets, service, settings, data, wire, key, other):
    first = assets.put(data, "support-train", key)
    again = Assets(service, settings).put(data, "support-train", other)
    assert again == first
    assert (wire.asked[MAKE], wire.asked[SEND]) == (1, 1)
    assert tags(service, first) == [f"wxtuning.{key}", f"wxtuning.{other}"]


def test_an_asset_goes_with_the_last_run_that_needs_it(assets, service, data, key, other):
    asset = assets.put(data, "support-train", key)
    assets.put(data, "support-train", other)
    assert assets.release(key) == ()
    assert named(service, data) == [asset]
    assert assets.release(other) == (asset,)
    assert named(service, data) == []


def test_lines_that_were_released_are_sent_again(assets, service, data, key):
    first = assets.put(data, "support-train", key)
    assets.release(key)
    again = assets.put(data, "support-train", key)
    assert again != first
    assert named(service, data) == [again]


@pytest.mark.parametrize("place", ["http://127.0.0.1:{port}/x", "//[127.0.0.1:{port}/x", "https://127.0.0.1:x/{port}"])
def test_nothing_is_sent_or_read_in_clear_wherever_the_service_says_that_it_is(
    assets, service, data, wire, key, other, place
):
    with closing(socket.create_server(("127.0.0.1", 0))) as plain:
        plain.setblocking(False)
        elsewhere = place.format(port=plain.getsockname()[1])
        wire.breaks(ATTACH, Changed(lambda made: {**made, "url1": elsewhere}))
        with pytest.raises(AdapterError, match="does not begin with https://"):
            assets.put(data, "support-train", key)
        assets.put(data, "support-train", other)
        wire.breaks("GET /v2/assets/{id}/attachments/{id}", Changed(lambda shown: {**shown, "url": elsewhere}))
        with pytest.raises(AdapterError, match="does not begin with https://"):
            assets.put(data, "support-train", other)
        with pytest.raises(BlockingIOError):
            plain.accept()


def test_a_file_that_changed_since_it_was_checked_is_not_sent(assets, data, wire, key):
    Path(data.uri.removeprefix("file://")).write_bytes(b"other")
    with pytest.raises(InputChangedError):
        assets.put(data, "support-train", key)
    assert wire.asked[MAKE] == 0


@pytest.mark.parametrize(
    "act",
    [LostAnswer("rst"), LostAnswer("fin"), Instead(502), Instead(500), Instead(401), Instead(200, LOGIN_PAGE)],
    ids=["reset", "ended", "502", "500", "401", "a login page"],
)
def test_an_asset_whose_answer_was_lost_is_found_and_filled(assets, service, data, wire, act, key):
    wire.breaks(MAKE, act)
    asset = assets.put(data, "support-train", key)
    assert wire.asked[MAKE] == 1
    assert named(service, data) == [asset]
    assert content_of(service, asset)


@pytest.mark.parametrize(
    "act", [LostAnswer(), Dropped("fin"), Instead(503), Refusal(500)], ids=["reset", "ended", "503", "500"]
)
def test_bytes_whose_answer_was_lost_are_sent_again_from_their_start(assets, service, data, wire, act, key):
    wire.breaks(SEND, act, times=2)
    asset = assets.put(data, "support-train", key)
    assert wire.asked[MAKE] == 1
    assert content_of(service, asset) == Path(data.uri.removeprefix("file://")).read_bytes()


@pytest.mark.parametrize("act", [LostAnswer(), Instead(502)], ids=["reset", "502"])
def test_an_attachment_nobody_knows_of_goes_with_its_asset(assets, service, data, wire, act, key):
    wire.breaks(ATTACH, act)
    asset = assets.put(data, "support-train", key)
    assert named(service, data) == [asset]
    assert len(service.get(f"/v2/assets/{asset}")["attachments"]) == 1


@pytest.mark.parametrize("operation", [ATTACH, SEND, COMPLETE])
def test_what_a_broken_upload_left_is_gone_at_once(assets, service, data, wire, operation, key):
    wire.breaks(operation, Refusal(403))
    with pytest.raises(AdapterError, match="refused with 403"):
        assets.put(data, "support-train", key)
    assert named(service, data) == []
    assert assets.put(data, "support-train", key)


@pytest.mark.parametrize(
    ("operation", "act"), [(SEND, Dropped()), (ATTACH, Instead(201, b"{}"))], ids=["nobody answers", "no address"]
)
def test_an_upload_that_cannot_be_done_leaves_nothing(assets, service, data, wire, operation, act, key):
    wire.breaks(operation, act, times=ALWAYS)
    with pytest.raises(Unavailable):
        assets.put(data, "support-train", key)
    assert named(service, data) == []


def test_an_answer_without_an_address_is_asked_for_again(assets, service, data, wire, key):
    wire.breaks(ATTACH, Instead(201, b"{}"))
    asset = assets.put(data, "support-train", key)
    assert named(service, data) == [asset]


def test_who_leaves_in_the_middle_of_an_upload_leaves_nothing(service, data, wire, key):
    def leave(_: float) -> None:
        raise KeyboardInterrupt

    wire.breaks(SEND, Refusal(500))
    backend = Watsonx(**asked_of(wire, patience=Patience(sleep=leave)))
    with pytest.raises(KeyboardInterrupt):
        Assets(backend.service, backend.settings).put(data, "support-train", key)
    assert named(service, data) == []


@pytest.mark.parametrize("operation", [ATTACH, SEND, COMPLETE])
def test_what_a_broken_upload_left_is_never_used_and_soon_gone(assets, service, data, wire, operation, key):
    wire.breaks(operation, Refusal(400))
    wire.breaks(REMOVE, Refusal(500), times=ALWAYS)
    with pytest.raises(AdapterError, match="refused with 400"):
        assets.put(data, "support-train", key)
    wire.heals()
    asset = assets.put(data, "support-train", key)
    assert named(service, data) == [asset]
    assert content_of(service, asset) == Path(data.uri.removeprefix("file://")).read_bytes()


def test_an_asset_that_holds_other_bytes_is_refused_and_removed(assets, service, data, wire, key):
    wire.breaks("GET /v2/asset_uploads/{id}", Changed(lambda _: {"other": "bytes"}))
    file = Path(data.uri.removeprefix("file://"))
    file.write_text('{"input": "one", "output": "line"}\n')
    told = steps.reference(file)
    with pytest.raises(UploadIntegrityError, match="does not hold what was sent"):
        assets.put(told, "support-train", key)
    assert named(service, told) == []


def test_a_read_back_that_was_cut_is_read_again(assets, data, wire, key):
    wire.breaks("GET /v2/asset_uploads/{id}", Cut(after=3))
    assert assets.put(data, "support-train", key)
    assert wire.asked[MAKE] == 1


# --- who owns an asset -----------------------------------------------------------------------------------------------


def tagged(*owners: str) -> Changed:
    """A search that shows these owners, whoever there are."""

    def change(answer: Any) -> Any:
        for one in answer["results"]:
            one["metadata"]["tags"] = [f"wxtuning.{owner}" for owner in owners]
        return answer

    return Changed(change)


def test_an_owner_that_the_search_does_not_show_yet_is_kept(assets, service, data, wire, key, other):
    asset = assets.put(data, "support-train", key)
    assets.put(data, "support-train", other)
    wire.breaks(SEARCH, tagged(key), times=ALWAYS)
    assert assets.put(data, "support-train", f"{key}-third") == asset
    assert tags(service, asset) == [f"wxtuning.{key}", f"wxtuning.{other}", f"wxtuning.{key}-third"]


def test_what_another_run_has_just_taken_is_not_removed(assets, service, data, wire, key, other):
    asset = assets.put(data, "support-train", key)
    assets.put(data, "support-train", other)
    wire.breaks(SEARCH, tagged(key), times=ALWAYS)
    assert assets.release(key) == ()
    assert tags(service, asset) == [f"wxtuning.{other}"]


def test_an_owner_that_another_machine_has_overwritten_is_written_again(assets, service, data, wire, key, other):
    def overwritten(exchange: Exchange) -> None:
        answer = exchange.passed_on()
        state = State(wire.running.home / "server" / "server.db")
        state.change("asset", asset, lambda found: replace(found, body={**found.body, "tags": [f"wxtuning.{key}"]}))
        exchange.answered(answer)

    asset = assets.put(data, "support-train", key)
    wire.breaks(CHANGE, overwritten)
    assert assets.put(data, "support-train", other) == asset
    assert tags(service, asset) == [f"wxtuning.{key}", f"wxtuning.{other}"]


def test_an_asset_that_can_never_be_marked_is_not_shared(assets, service, data, wire, key, other):
    asset = assets.put(data, "support-train", key)
    wire.breaks(CHANGE, Refusal(403), times=ALWAYS)
    assert assets.put(data, "support-train", other) != asset


def test_what_this_home_has_sent_is_known_before_the_search_shows_it(assets, service, settings, data, wire, key, other):
    wire.breaks(SEARCH, Late(requests=ALWAYS), times=ALWAYS)
    asset = assets.put(data, "support-train", key)
    assert Assets(service, settings).put(data, "support-train", other) == asset
    assert wire.asked[MAKE] == 1


def test_runs_that_need_the_same_rows_at_once_send_them_once(service, wire, data, key):
    wire.breaks(SEARCH, Late(requests=ALWAYS), times=ALWAYS)
    assets = Assets(service, Settings(url=wire.url, patience=Patience(read_seconds=10.0)))
    keys = [f"{key}-{number}" for number in range(3)]
    with ThreadPoolExecutor(len(keys)) as threads:
        found = set(threads.map(lambda each: assets.put(data, "support-train", each), keys))
    assert (len(found), wire.asked[MAKE]) == (1, 1)
    assert sorted(tags(service, *found)) == sorted(f"wxtuning.{each}" for each in keys)


def test_a_search_without_results_is_no_empty_one(assets, data, wire, key):
    wire.breaks(SEARCH, Changed(lambda _: {}), times=ALWAYS)
    with pytest.raises(Unavailable, match="something else than a list"):
        assets.put(data, "support-train", key)
    assert wire.asked[MAKE] == 0


# --- rows of an asset that is there already --------------------------------------------------------------------------


def test_an_existing_asset_is_read_by_name_and_by_id(assets, data, key):
    asset = assets.put(data, "support-train", key)
    name = f"support-train-{data.sha256[:16]}.jsonl"
    rows = list(AssetRows(assets, asset).rows())
    assert [row["output"] for row in rows] == ["yes"] * 5
    assert list(AssetRows(assets, name).rows()) == rows
    assert AssetRows(assets, name).fingerprint() == AssetRows(assets, asset).fingerprint()


def test_lines_that_equal_an_asset_of_the_users_own_are_not_uploaded(assets, service, data, wire, key):
    content = Path(data.uri.removeprefix("file://")).read_bytes()
    own = uploaded(service, "mine.jsonl", content)
    list(AssetRows(assets, own).rows())
    wire.heals()
    assert assets.put(data, "support-train", key) == own
    assert wire.asked[MAKE] == 0
    assert assets.release(key) == ()
    assert content_of(service, own) == content


def rows_of(data: DataRef) -> list[dict[str, str]]:
    return [
        json.loads(line) for line in Path(data.uri.removeprefix("file://")).read_text(encoding="utf-8").splitlines()
    ]


def with_spaces(rows: list[dict[str, str]]) -> str:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def escaped(rows: list[dict[str, str]]) -> str:
    """As pandas writes lines."""
    return "\n".join(json.dumps(row, separators=(",", ":")).replace("/", "\\/") for row in rows)


def turned(rows: list[dict[str, str]]) -> str:
    return with_spaces([{"output": row["output"], "input": row["input"]} for row in rows])


def in_an_array(rows: list[dict[str, str]]) -> str:
    return json.dumps(rows, indent=2)


@pytest.mark.parametrize("written", [with_spaces, escaped, turned, in_an_array])
def test_rows_that_are_those_of_an_asset_are_not_uploaded_however_it_writes_them(
    assets, service, data, wire, key, written
):
    own = uploaded(service, "mine", written(rows_of(data)).encode())
    list(AssetRows(assets, own).rows())
    wire.heals()
    assert assets.put(data, "support-train", key) == own
    assert wire.asked[MAKE] == 0


def in_a_table(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, ["input", "output"])
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def with_a_note(rows: list[dict[str, str]]) -> str:
    return with_spaces([{**rows[0], "note": "mine"}, *rows[1:]])


def in_another_order(rows: list[dict[str, str]]) -> str:
    return with_spaces(rows[::-1])


def with_a_mark(rows: list[dict[str, str]]) -> str:
    return f"\ufeff{with_spaces(rows)}"


@pytest.mark.parametrize("written", [in_a_table, with_a_note, in_another_order, with_a_mark])
def test_rows_that_an_asset_says_otherwise_are_uploaded(assets, service, data, key, written):
    own = uploaded(service, "mine", written(rows_of(data)).encode())
    list(AssetRows(assets, own).rows())
    assert assets.put(data, "support-train", key) != own


def test_an_asset_that_changed_since_it_was_read_is_not_referred_to(assets, service, data, wire, key):
    own = uploaded(service, "mine", with_spaces(rows_of(data)).encode())
    list(AssetRows(assets, own).rows())
    wire.breaks("GET /v2/asset_uploads/{id}", Instead(200, b"other bytes"))
    assert assets.put(data, "support-train", key) != own


@pytest.mark.parametrize("nothing", ["", " ", None])
def test_an_asset_without_a_name_is_refused(backend, nothing):
    with pytest.raises(PlanError, match="a name or an id is needed"):
        backend.asset(nothing)


def test_an_asset_keeps_the_format_that_its_name_tells(assets, service, tmp_path):
    name = f"{tmp_path.name}.csv"
    uploaded(service, name, b"input,output\n007,yes\n")
    assert list(AssetRows(assets, name).rows()) == [{"input": "007", "output": "yes"}]


def test_a_missing_asset_is_named_with_its_project(assets, service):
    with pytest.raises(NotOffered, match=r"no data assets 'nothing\.jsonl'") as caught:
        list(AssetRows(assets, "nothing.jsonl").rows())
    assert service.container.id in str(caught.value)


def test_of_two_assets_of_one_name_the_user_says_which(assets, service, tmp_path):
    ids = [uploaded(service, f"{tmp_path.name}.jsonl", b'{"input": "a", "output": "b"}\n') for _ in range(2)]
    with pytest.raises(NotOffered, match="has 2 data assets") as caught:
        list(AssetRows(assets, f"{tmp_path.name}.jsonl").rows())
    assert all(one in caught.value.hint for one in ids)


def uploaded(service: Service, name: str, content: bytes) -> str:
    """A data asset of the user's own."""
    place = service.container
    body = {"metadata": {"name": name}, "entity": {"data_asset": {"mime_type": "text/plain"}}}
    asset = service.create("/v2/assets", body, in_query=True)["metadata"]["asset_id"]
    made = service.create(f"/v2/assets/{asset}/attachments", {"name": name}, in_query=True)
    service.put(made["url1"], content, as_form=bool(service.version))
    service.ask(f"/v2/assets/{asset}/attachments/{made['attachment_id']}/complete", {}, within=place)
    return str(asset)


def test_the_search_is_for_the_exact_name(assets, service, data, wire, key):
    assets.put(data, "support-train", key)
    (asked, *_) = wire.of("POST /v2/asset_types/data_asset/search")
    assert json.loads(asked.body)["query"] == f'asset.name:"support-train-{data.sha256[:16]}.jsonl"'
