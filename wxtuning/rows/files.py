"""Files of rows: which they are, what format each has, and their rows one after the other.

Formats are taken from the name, else from the content. Knows nothing of what the rows are for.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO, Literal, cast

from wxtuning.rows import columnar, containers, delimited, jsonarray, jsonl
from wxtuning.rows.fingerprint import Fingerprint, Identity, changed
from wxtuning.rows.lines import BLOCK_BYTES, BOM, Stream, TextBlocks
from wxtuning.rows.verdict import Bad, FileError, Item, Reject, WarningCode

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "arrow", "zip", "tar", "gzip"]

SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".zip": "zip",
    ".tar": "tar",
    ".tgz": "gzip",
    ".gz": "gzip",
}
_MAGIC: dict[bytes, Format] = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
}
_TAR_MAGIC_AT = 257
HEAD_BYTES = 512


@dataclass(frozen=True)
class Part:
    """The rows of one file, or of one member of an archive, and the text that they are read from, if it is text."""

    name: str
    items: Iterator[Item]
    blocks: TextBlocks | None = None
    is_jsonl: bool = False


def open_rows(path: str | Path) -> DataFiles:
    """The files behind a path or a glob, in sorted order; nothing is read yet.

    Raises:
        FileError: `not_found`, or `not_a_file` for a folder, a device, a pipe or a loop of links.
    """
    text = os.fspath(path)
    found = [text] if os.path.lexists(_printable(text)) or not glob.has_magic(text) else _matching(text)
    paths = tuple(map(Path, found))
    for one in paths:
        _regular(one)
    return DataFiles(paths)


def _printable(text: str) -> str:
    if "\0" in text:
        raise FileError(f"{text!r} is no file name", code="not_found", hint="Remove the NUL character.")
    return text


def _matching(pattern: str) -> list[str]:
    # Path.glob takes no absolute pattern.
    found = sorted(name for name in glob.glob(pattern, recursive=True) if not Path(name).is_dir())  # noqa: PTH207
    if not found:
        raise FileError(f"no file matches {pattern}", code="not_found", hint="Check the pattern: ls " + pattern)
    return found


def _regular(path: Path) -> Identity:
    """What the file system says of a plain file.

    Raises:
        FileError: for what is none, without opening it: a pipe would wait for ever.
    """
    try:
        found = path.stat()
    except OSError as cause:
        raise _no_file(path, cause) from cause
    if not stat.S_ISREG(found.st_mode):
        hint = (
            f"Name a file, or several by a pattern: {path}/*.jsonl" if stat.S_ISDIR(found.st_mode) else "Name a file."
        )
        raise FileError(f"{path} is {_kind(found.st_mode)}, expected a file", code="not_a_file", hint=hint)
    return Identity.of(found)


def _kind(mode: int) -> str:
    kinds: dict[str, Callable[[int], bool]] = {
        "a folder": stat.S_ISDIR,
        "a pipe": stat.S_ISFIFO,
        "a socket": stat.S_ISSOCK,
    }
    return next((name for name, is_kind in kinds.items() if is_kind(mode)), "a device")


def _no_file(path: Path, cause: OSError) -> FileError:
    if cause.errno == errno.ELOOP:
        return FileError(f"{path} is a loop of links", code="not_a_file", hint="Name the file itself.")
    if isinstance(cause, PermissionError):
        return FileError(f"{path} may not be read", code="not_found", hint=f"Allow it: chmod u+r {path}")
    near = _near(path)
    hint = f"Did you mean {near}?" if near else "Check the path; patterns such as data/*.jsonl are allowed."
    return FileError(f"there is no file {path}", code="not_found", hint=hint)


def _near(path: Path) -> Path | None:
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return None
    found = get_close_matches(path.name, names, n=1)
    return path.parent / found[0] if found else None


@dataclass
class DataFiles:
    """One state of one or several files: reading them again after they changed is an `InputChangedError`.

    `warnings` holds what was noticed while they were read.
    """

    paths: tuple[Path, ...]
    warnings: dict[WarningCode, int] = field(default_factory=dict)
    _identities: dict[Path, Identity] = field(default_factory=dict, repr=False)
    _fingerprints: dict[Path, Fingerprint] = field(default_factory=dict, repr=False)

    def rows(self, columns: Sequence[str] = ()) -> Iterator[Mapping[str, object] | Reject]:
        """Every row, from the start at each call: a mapping, or a `Reject` for a row that cannot be read.

        Args:
            columns: The columns that CSV, Parquet and Arrow files must have.

        Raises:
            FileError: for a file that cannot be used as a whole.
            InputChangedError: if a file changes while it is read, or has changed since it was read before.
        """
        number = 0
        for part in self.parts(columns):
            for item in part.items:
                number += 1
                yield item.fault.at(number, item.line, self.named(part)) if isinstance(item, Bad) else item
        if not number:
            raise self.empty()

    def parts(self, columns: Sequence[str] = ()) -> Iterator[Part]:
        """The files one after the other; each must be read to its end before the next."""
        self.warnings.clear()
        for path in self.paths:
            yield from self._parts_of(path, columns)

    def _parts_of(self, path: Path, columns: Sequence[str]) -> Iterator[Part]:
        with self.unchanged(path):
            for part in _parts(path, columns):
                yield part
                self._note(part)

    @contextmanager
    def unchanged(self, path: Path) -> Iterator[None]:
        """Make sure that a file is the same before, while and after it is read.

        Raises:
            InputChangedError: if it is not.
        """
        self._check(path)
        try:
            yield
        except (FileError, OSError) as cause:
            self._check(path)  # a file that changes under the reader looks damaged
            if isinstance(cause, FileError):
                raise
            raise FileError(f"{path} cannot be read: {cause.strerror}", code="not_found", hint="Try again.") from cause
        self._check(path)

    def _note(self, part: Part) -> None:
        if part.blocks and part.blocks.has_bom:
            self.warnings["bom"] = self.warnings.get("bom", 0) + 1

    def _check(self, path: Path) -> None:
        now = _regular(path)
        before = self._identities.setdefault(path, now)
        if now == before:
            return
        known = self._fingerprints.get(path)
        if known is None or now.size != before.size or Fingerprint.of(path).sha256 != known.sha256:
            before.check(now, path)
        self._identities[path] = now

    def fingerprint(self) -> str:
        """What identifies the content: `sha256:` and the hash of the file, or of the hashes of several in their order.

        Raises:
            InputChangedError: if a file is written to meanwhile, or has changed since it was read.
        """
        hashes = [self.fingerprint_of(path).sha256 for path in self.paths]
        whole = hashes[0] if len(hashes) == 1 else sha256("\n".join(hashes).encode()).hexdigest()
        return f"sha256:{whole}"

    def fingerprint_of(self, path: Path) -> Fingerprint:
        """Size, time and hash of one of the files; it is read once."""
        self._check(path)
        if path not in self._fingerprints:
            self._fingerprints[path] = Fingerprint.of(path)
            self._check(path)
        return self._fingerprints[path]

    def verify(self, fingerprint: str) -> None:
        """Read the files again and compare their content with what `fingerprint` answered once.

        Raises:
            InputChangedError: if it is another.
        """
        if (now := DataFiles(self.paths).fingerprint()) != fingerprint:
            raise changed(self.paths[0], f"its hash was {fingerprint[:19]}… and is {now[:19]}…")

    @property
    def name(self) -> str:
        """The file's name, or how many there are."""
        return self.paths[0].name if len(self.paths) == 1 else f"{self.paths[0].name} and {len(self.paths) - 1} more"

    def named(self, part: Part) -> str:
        """The part's name where there are several, else nothing."""
        return "" if part.name == self.paths[0].name and len(self.paths) == 1 else part.name

    def empty(self) -> FileError:
        return FileError(f"{self.name} holds no rows", code="empty_dataset", hint="Name the file with the data.")


def _parts(path: Path, columns: Sequence[str]) -> Iterator[Part]:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        kind = format_of(path.name, head)
        if kind == "zip":
            yield from _archived(containers.zip_members(path, path.name), path, columns)
        elif kind == "tar":
            yield from _archived(containers.tar_members(path, path.name, is_gzip=False), path, columns)
        elif kind == "gzip":
            yield from _zipped_parts(path, columns)
        else:
            yield _part(path.name, kind, file, columns)


def _zipped_parts(path: Path, columns: Sequence[str]) -> Iterator[Part]:
    name = _without_gz(path.name)
    with path.open("rb") as file:
        head = containers.unzipped(file, path.stat().st_size, path.name).read(HEAD_BYTES)
        file.seek(0)
        kind = format_of(name, head)
        if kind == "tar":
            yield from _archived(containers.tar_members(path, path.name, is_gzip=True), path, columns)
        else:
            stream = containers.unzipped(file, path.stat().st_size, path.name)
            yield _part(path.name, kind, stream, columns)


def _without_gz(name: str) -> str:
    return name[:-4] + ".tar" if name.lower().endswith(".tgz") else name[:-3] if name.lower().endswith(".gz") else name


def _archived(members: Iterator[tuple[str, IO[bytes]]], path: Path, columns: Sequence[str]) -> Iterator[Part]:
    """The members with rows; notes, pictures and hidden files of the archiver are none."""
    count = 0
    for member, stream in members:
        kind = SUFFIXES.get(_suffix(_without_gz(member)))
        if kind in (None, "zip", "tar", "gzip") or Path(member).name.startswith(".") or "__MACOSX" in member:
            continue
        count += 1
        name = f"{path.name}/{member}"
        is_zipped = member.lower().endswith(".gz")
        plain = containers.unzipped(cast(BinaryIO, stream), path.stat().st_size, name) if is_zipped else stream
        yield _part(name, kind, plain, columns)
    if not count:
        raise _unsupported(path.name, "it is an archive without any file of rows")


def _part(name: str, kind: Format | None, stream: Stream, columns: Sequence[str]) -> Part:
    if kind in ("parquet", "arrow"):
        return Part(name, _columnar_items(kind, stream, name, columns))
    if kind not in ("jsonl", "json", "csv", "tsv"):
        raise _unsupported(name, "neither its name nor its content tells of rows")
    blocks = TextBlocks(stream, name)
    if kind == "jsonl":
        return Part(name, jsonl.rows(blocks, name), blocks, is_jsonl=True)
    if kind == "json":
        return Part(name, jsonarray.rows(blocks, name), blocks)
    delimiter = "," if kind == "csv" else "\t"
    return Part(name, delimited.rows(blocks, name, delimiter=delimiter, columns=columns), blocks)


def _unsupported(name: str, reason: str) -> FileError:
    hint = "Rows are read from JSON Lines, JSON, CSV, TSV, Parquet and Arrow files, also in gzip, zip or tar."
    return FileError(f"{name}: {reason}", code="unsupported_format", hint=hint)


def _columnar_items(kind: Format, stream: Stream, name: str, columns: Sequence[str]) -> Iterator[Item]:
    read = columnar.parquet_rows if kind == "parquet" else columnar.arrow_rows
    with _seekable(stream) as file:
        yield from read(file, name, columns=columns)


@contextmanager
def _seekable(stream: Stream) -> Iterator[BinaryIO]:
    """The stream itself if it is a plain file, else a copy on disk that has no name and goes with the reader."""
    if not isinstance(stream, containers.Guarded | tarfile.ExFileObject):
        yield cast(BinaryIO, stream)
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(cast(IO[bytes], stream), copy, BLOCK_BYTES)
        copy.seek(0)
        yield cast(BinaryIO, copy)


def format_of(name: str, head: bytes) -> Format | None:
    """The format of a file by its name, else by its first bytes; None if neither tells."""
    magic = next((kind for sign, kind in _MAGIC.items() if head.startswith(sign)), None)
    named = SUFFIXES.get(_suffix(name))
    if magic in ("gzip", "zip", "parquet") or named is None:
        return magic or _text_format(head)
    return "tar" if head[_TAR_MAGIC_AT:].startswith(b"ustar") else named


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def _text_format(head: bytes) -> Format | None:
    text = head.removeprefix(BOM).lstrip()
    first = text.partition(b"\n")[0]
    if head[_TAR_MAGIC_AT:].startswith(b"ustar"):
        return "tar"
    if text.startswith((b"{", b"[")) or not head:
        return "json" if text.startswith(b"[") else "jsonl"
    if not _is_text(first):
        return None
    return "tsv" if b"\t" in first else "csv" if b"," in first else None


def _is_text(line: bytes) -> bool:
    return not any(byte < 32 and byte not in b"\t\r" for byte in line)
