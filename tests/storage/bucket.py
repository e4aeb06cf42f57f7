"""What is really in a bucket, seen past everything that is tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wxtuning.status import DataRef


@dataclass(frozen=True)
class Bucket:
    """A bucket of the real storage, looked at with a plain client."""

    name: str
    client: Any

    def all_keys(self) -> list[str]:
        """Every key there is."""
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return sorted(each["Key"] for each in found)

    def files(self) -> list[str]:
        """The keys that people see: none in a folder with a dot."""
        return [key for key in self.all_keys() if not any(part.startswith(".") for part in key.split("/"))]

    def uploads(self) -> list[str]:
        """The keys of the multipart uploads that are open."""
        found = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return sorted(each["Key"] for each in found)

    def parts(self) -> int:
        """How many parts the open uploads hold."""
        uploads = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        named = [{"Bucket": self.name, "Key": each["Key"], "UploadId": each["UploadId"]} for each in uploads]
        return sum(len(self.client.list_parts(**each).get("Parts", [])) for each in named)

    def content(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def content_of(self, ref: DataRef) -> bytes:
        """The bytes behind a reference."""
        return self.content(self.key_of(ref))

    def key_of(self, ref: DataRef) -> str:
        root, _, key = ref.uri.removeprefix("cos://").partition("/")
        assert root.partition("@")[0] == self.name
        return key

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def begin_upload(self, key: str, *parts: bytes) -> None:
        """Leave a multipart upload open, as somebody who was killed does."""
        upload = self.client.create_multipart_upload(Bucket=self.name, Key=key)["UploadId"]
        for number, part in enumerate(parts, 1):
            self.client.upload_part(Bucket=self.name, Key=key, UploadId=upload, PartNumber=number, Body=part)

    def abort_uploads(self) -> None:
        for each in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", []):
            self.client.abort_multipart_upload(Bucket=self.name, Key=each["Key"], UploadId=each["UploadId"])

    def empty(self) -> None:
        self.abort_uploads()
        if keys := self.all_keys():
            self.client.delete_objects(Bucket=self.name, Delete={"Objects": [{"Key": key} for key in keys]})
