"""What is really in a bucket, seen past everything that is tested."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wxtuning.status import DataRef


@dataclass(frozen=True)
class Bucket:
    """A bucket of the real storage, looked at with a plain client; or what lies below a prefix there."""

    name: str
    client: Any
    prefix: str = ""

    def all_keys(self) -> list[str]:
        """Every key there is."""
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=self.prefix).get("Contents", [])
        return sorted(each["Key"].removeprefix(self.prefix) for each in found)

    def files(self) -> list[str]:
        """The keys that people see: none in a folder with a dot."""
        return [key for key in self.all_keys() if not any(part.startswith(".") for part in key.split("/"))]

    def uploads(self) -> list[str]:
        """The keys of the multipart uploads that are open."""
        return sorted(each["Key"].removeprefix(self.prefix) for each in self._uploads())

    def parts(self) -> int:
        """How many parts the open uploads hold."""
        return sum(len(self.client.list_parts(**each).get("Parts", [])) for each in self._uploads())

    def content(self, key: str) -> bytes:
        content: bytes = self.client.get_object(**self._at(key))["Body"].read()
        return content

    def content_of(self, ref: DataRef) -> bytes:
        """The bytes behind a reference."""
        return self.content(self.key_of(ref))

    def key_of(self, ref: DataRef) -> str:
        root, _, key = ref.uri.removeprefix("cos://").partition("/")
        assert root.partition("@")[0] == self.name and key.startswith(self.prefix)
        return key.removeprefix(self.prefix)

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(**self._at(key), Body=content)

    def delete(self, key: str) -> None:
        self.client.delete_object(**self._at(key))

    def begin_upload(self, key: str, *parts: bytes) -> None:
        """Leave a multipart upload open, as somebody who was killed does."""
        upload = self.client.create_multipart_upload(**self._at(key))["UploadId"]
        for number, part in enumerate(parts, 1):
            self.client.upload_part(**self._at(key), UploadId=upload, PartNumber=number, Body=part)

    def abort_uploads(self) -> None:
        for each in self._uploads():
            self.client.abort_multipart_upload(**each)

    def empty(self) -> None:
        """Remove every object; what is open stays, and goes with the storage."""
        if keys := self.all_keys():
            named = [{"Key": self.prefix + key} for key in keys]
            self.client.delete_objects(Bucket=self.name, Delete={"Objects": named})

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.name, "Key": self.prefix + key}

    def _uploads(self) -> Iterator[dict[str, str]]:
        found = self.client.list_multipart_uploads(Bucket=self.name, Prefix=self.prefix)
        for each in found.get("Uploads", []):
            yield {"Bucket": self.name, "Key": each["Key"], "UploadId": each["UploadId"]}
