"""Blobs in an S3 bucket, by boto3: uploads in parts, which S3 shows only once they are all there.

Credentials, region and proxies come from boto's own chain (environment, profile, the machine's role); they are never read,
kept or logged here.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from xinglin.kernel.blobs.errors import (
    BlobError,
    BlobsFull,
    BlobsRefused,
    BlobsUnavailable,
    NoSuchBlob,
)
from xinglin.kernel.blobs.port import (
    CHUNK_BYTES,
    NOTES,
    Entry,
    Note,
    checked,
    checked_prefix,
    checked_range,
    is_passing,
    is_path,
    note_name,
    note_time,
)
from xinglin.kernel.clock import now_us

PART_BYTES: Final = 8 * 1024 * 1024
"""S3 takes 10,000 parts, each but the last of 5 MiB or more."""
GROW_EVERY: Final = 1000
"""Parts after which they double in size: so 10,000 of them hold more than the 5 TiB that S3 takes."""
_MISSING: Final = ("NoSuchKey", "404", "NotFound", "NoSuchVersion")
_FULL: Final = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507", "EntityTooLarge")
_BUSY: Final = (
    "SlowDown",
    "ServiceUnavailable",
    "InternalError",
    "RequestTimeout",
    "503",
    "500",
    "502",
    "504",
)


class S3Blobs:
    """See `Blobs`. ``prefix``: what every key in the bucket begins with. ``endpoint``: of a service other than Amazon's."""

    def __init__(self, bucket: str, prefix: str = "", *, endpoint: str = "", noting: bool = False) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._endpoint = endpoint or None
        self._noting = noting
        self._made: Any = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """See `Blobs.name`."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def put(self, path: str, chunks: Iterable[bytes]) -> int:
        """See `Blobs.put`."""
        size = self._put(path, chunks)
        self._note(path)
        return size

    def _put(self, path: str, chunks: Iterable[bytes]) -> int:
        key = self._key(path)
        parts = _parts(chunks)
        first = next(parts, b"")
        second = next(parts, None)
        if second is None:
            with self._ours(path):
                self._client.put_object(Bucket=self._bucket, Key=key, Body=first)
            return len(first)
        return self._multipart(path, key, _again(first, second, parts))

    def _multipart(self, path: str, key: str, parts: Iterator[bytes]) -> int:
        whole = {"Bucket": self._bucket, "Key": key}
        with self._ours(path):
            whole["UploadId"] = self._client.create_multipart_upload(**whole)["UploadId"]
        size, done = 0, []
        try:
            for number, part in enumerate(parts, 1):
                with self._ours(path):
                    answer = self._client.upload_part(**whole, PartNumber=number, Body=part)
                done.append({"PartNumber": number, "ETag": answer["ETag"]})
                size += len(part)
            with self._ours(path):
                self._client.complete_multipart_upload(**whole, MultipartUpload={"Parts": done})
        except BaseException:
            with contextlib.suppress(BlobError), self._ours():
                self._client.abort_multipart_upload(**whole)
            raise
        return size

    def open(self, path: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `Blobs.open`."""
        checked_range(start, end)
        size = self.size(path)  # a range behind the end is none of S3's, and a blob may be empty
        end = size if end is None else min(end, size)
        if start >= end:
            return iter(())
        with self._ours(path):
            body = self._client.get_object(
                Bucket=self._bucket, Key=self._key(path), Range=f"bytes={start}-{end - 1}"
            )["Body"]
        return self._chunks(body, path)

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """See `Blobs.read`."""
        return b"".join(self.open(path, start, end))

    def size(self, path: str) -> int:
        """See `Blobs.size`."""
        with self._ours(path):
            return int(self._client.head_object(Bucket=self._bucket, Key=self._key(path))["ContentLength"])

    def delete(self, path: str) -> bool:
        """See `Blobs.delete`."""
        try:
            self.size(path)
        except NoSuchBlob:
            return False
        with self._ours(path):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(path))
        self._note(path)
        return True

    def list(self, prefix: str) -> Iterator[str]:
        """See `Blobs.list`."""
        for entry in self.entries(prefix):
            yield entry.path

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """See `Blobs.entries`."""
        for each in self._listed(checked_prefix(prefix), after):
            path = each["Key"].removeprefix(self._prefix)
            if is_path(path):
                at_us = int(each["LastModified"].timestamp() * 1_000_000)
                yield Entry(path, int(each["Size"]), f"{each['ETag']}-{at_us}", at_us)

    def noted(self, most: int) -> Iterator[Note]:
        """See `Blobs.noted`."""
        for each in islice(self._listed(f"{NOTES}/"), most):
            name = each["Key"].rpartition("/")[2]
            at_us = note_time(name)
            if at_us is None:
                continue
            try:
                with self._ours(name):
                    body = self._client.get_object(Bucket=self._bucket, Key=each["Key"])["Body"]
                path = b"".join(self._chunks(body, name)).decode("utf-8", "replace")
            except NoSuchBlob:  # forgotten meanwhile
                continue
            yield Note(name, path, at_us)

    def forget(self, name: str) -> None:
        """See `Blobs.forget`."""
        with self._ours():
            self._client.delete_object(Bucket=self._bucket, Key=f"{self._prefix}{NOTES}/{name}")

    def _note(self, path: str) -> None:
        if self._noting and not is_passing(path):
            key = f"{self._prefix}{NOTES}/{note_name(now_us())}"
            with self._ours():
                self._client.put_object(Bucket=self._bucket, Key=key, Body=path.encode())

    def _listed(self, prefix: str, after: str = "") -> Iterator[dict[str, Any]]:
        asked = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        if after:
            asked["StartAfter"] = self._prefix + after
        while True:
            with self._ours():
                answer = self._client.list_objects_v2(**asked)
            yield from answer.get("Contents", ())
            if not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    def _key(self, path: str) -> str:
        return self._prefix + checked(path)

    @property
    def _client(self) -> Any:
        """boto's client, which all threads may share; made when it is first needed, since that takes half a second."""
        with self._lock:
            if self._made is None:
                try:
                    import boto3
                    from botocore.config import Config
                except ImportError as error:
                    raise BlobError("kernel.blobs-no-boto") from error
                session = boto3.session.Session()
                self._made = session.client(
                    "s3",
                    endpoint_url=self._endpoint,
                    region_name=session.region_name or "us-east-1",
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": 4},
                        connect_timeout=10,
                        read_timeout=60,
                        # Further checksums are newer than many services that speak S3.
                        request_checksum_calculation="when_required",
                        response_checksum_validation="when_required",
                        s3={"addressing_style": "path"} if self._endpoint else None,
                    ),
                )
            return self._made

    def _chunks(self, body: Any, path: str) -> Iterator[bytes]:
        with contextlib.closing(body):
            while True:
                with self._ours(path):
                    chunk = body.read(CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk

    @contextlib.contextmanager
    def _ours(self, path: str = "") -> Iterator[None]:
        """boto's errors as ours; of what it says only the code, since a message may hold a key's id."""
        self._client  # noqa: B018 where boto is not installed, this says so
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.exceptions import ConnectionError as NoConnection
        from botocore.exceptions import HTTPClientError as NoAnswer  # timeouts too

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
            raise self._raised(code, status, path) from error
        except (NoConnection, NoAnswer) as error:
            raise BlobsUnavailable(
                "kernel.blobs-unavailable", store=self.name, reason=type(error).__name__
            ) from error
        except BotoCoreError as error:  # no credentials, no such profile, an address that is none
            raise BlobsRefused(
                "kernel.blobs-refused", store=self.name, reason=type(error).__name__
            ) from error

    def _raised(self, code: str, status: str, path: str) -> BlobError:
        if path and code in _MISSING:
            return NoSuchBlob("kernel.blob-missing", path=path)
        if code in _FULL or status == "507":
            return BlobsFull("kernel.blobs-full", store=self.name)
        if code in _BUSY or status in _BUSY:
            return BlobsUnavailable("kernel.blobs-unavailable", store=self.name, reason=code or status)
        return BlobsRefused("kernel.blobs-refused", store=self.name, reason=code or status)


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """``chunks`` in pieces of `PART_BYTES` and more, the last as it comes."""
    held = bytearray()
    size, number = PART_BYTES, 0
    for chunk in chunks:
        held += chunk
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
            number += 1
            if number % GROW_EVERY == 0:
                size *= 2
    if held:
        yield bytes(held)


def _again(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest
