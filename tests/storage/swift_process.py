"""All four servers of OpenStack Swift in one process; run by `swift.py` as a script, never imported by a test.

Binds free ports of 127.0.0.1, makes the rings for them, prints the port that speaks S3, and serves until its standard
input ends: it cannot outlive the tests, however they end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eventlet
from swift.common import utils
from swift.common.ring import RingBuilder
from swift.common.wsgi import SwiftHttpProtocol, loadapp

utils.monkey_patch()
os.fsync = os.fdatasync = lambda _: None  # nothing here outlives the tests, so nothing has to reach the disk

App = Callable[[dict[str, Any], Any], Any]
BACKENDS = ("account", "container", "object")

HASH = """
[swift-hash]
swift_hash_path_prefix = wxtuning
swift_hash_path_suffix = wxtuning
[storage-policy:0]
name = gold
default = yes
"""

# The timeouts are generous because a busy machine is no fault; the log goes to standard error, and to it alone.
SHARED = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
log_level = WARNING
log_address = {folder}/no-syslog
conn_timeout = 20
node_timeout = 60
"""

BACKEND = """
devices = {folder}/devices
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
container_update_timeout = 20
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

PROXY = """
[pipeline:main]
pipeline = catch_errors listing_formats bulk s3api tempauth copy slo dlo symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
conn_timeout = 20
node_timeout = 60
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
max_upload_part_num = 10000
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
user_test_stranger = {other_secret}
"""
PROXY += "".join(
    f"[filter:{name}]\nuse = egg:swift#{name}\n"
    for name in ("catch_errors", "listing_formats", "bulk", "copy", "slo", "dlo", "symlink")
)


def main(folder: Path, secret: str, other_secret: str) -> None:
    sockets = {name: eventlet.listen(("127.0.0.1", 0)) for name in (*BACKENDS, "proxy")}
    ports = {name: socket.getsockname()[1] for name, socket in sockets.items()}
    _log_to_standard_error()
    _lay_out(folder)
    for name in BACKENDS:
        _make_ring(folder / name, ports[name])
        _serve(folder, name, sockets[name], BACKEND)
    _serve(folder, "proxy", sockets["proxy"], PROXY, secret=secret, other_secret=other_secret)
    print(ports["proxy"], flush=True)
    eventlet.tpool.execute(sys.stdin.read)


def _log_to_standard_error() -> None:
    utils.get_logger({"log_level": "WARNING", "log_address": "/dev/null"}, log_to_console=True)


def _lay_out(folder: Path) -> None:
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(HASH)
    utils.set_swift_dir(str(folder))


def _make_ring(path: Path, port: int) -> None:
    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=1)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(f"{path}.ring.gz")


def _serve(folder: Path, name: str, socket: object, settings: str, **secrets: str) -> None:
    path = folder / f"{name}-server.conf"
    values = {"folder": folder, "name": name, "port": socket.getsockname()[1], **secrets}
    path.write_text((SHARED + settings).format(**values))
    app = remembering(loadapp(str(path), global_conf={"log_name": name}), Memory())
    eventlet.spawn(
        eventlet.wsgi.server, socket, app, utils.NullLogger(),
        protocol=SwiftHttpProtocol, capitalize_response_headers=False, debug=False,
    )  # fmt: skip


def remembering(app: App, memory: Memory) -> App:
    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        environ["swift.cache"] = memory
        return app(environ, start_response)

    return answer


class Memory:
    """What memcached is elsewhere: without it Swift looks up account and bucket anew for each request."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def set(self, key: str, value: Any, **_: Any) -> None:
        self._values[key] = value

    def get(self, key: str, **_: Any) -> Any:
        return self._values.get(key)

    def delete(self, key: str, **_: Any) -> None:
        self._values.pop(key, None)

    def incr(self, key: str, delta: int = 1, **_: Any) -> int:
        self._values[key] = self._values.get(key, 0) + delta
        return int(self._values[key])


if __name__ == "__main__":
    os.environ["TZ"] = "UTC+0"
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
