"""Files are recognised by content, archives are bounded, documents are taken apart in bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.ingest import documents
from xinglin.ingest.documents import dangling, entry_of, places_of, read_document, relinked, scan
from xinglin.ingest.errors import SourceError
from xinglin.ingest.recognise import encoding_of, recognise
from xinglin.ingest.sources import Files, Source
from xinglin.kernel.settings import Settings

PATIENT = b'{"resourceType":"Patient","id":"p1"}'
BUNDLE = b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":' + PATIENT + b"}]}"


def found(*paths: Path, settings: Settings | None = None) -> list[Source]:
    files = Files(settings or Settings())
    try:
        return list(files.find(paths))
    finally:
        files.close()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PATIENT + b"\n" + PATIENT, "ndjson"),
        (PATIENT, "ndjson"),
        (b"\xef\xbb\xbf" + PATIENT + b"\n", "ndjson"),
        (b"{broken}\n" + PATIENT, "ndjson"),
        (b"oops\n" + PATIENT + b"\n", "ndjson"),
        (BUNDLE, "document"),
        (BUNDLE + b"\n" + BUNDLE, "ndjson"),
        (json.dumps(json.loads(BUNDLE), indent=2).encode(), "document"),
        (b"[" + PATIENT + b"]", "document"),
        (b'{"xinglin_rejects":1}\n{"line":1}\n', "rejects"),
        ("姓名,性别\n张伟,男\n".encode(), "table"),
        ("姓名,性别\n张伟,男\n".encode("gb18030"), "table"),
        ("姓名\t性别\n张伟\t男\n".encode("utf-16"), "table"),
        (b"a;b\n1;2\n", "table"),
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"<Patient xmlns='http://hl7.org/fhir'/>", "xml"),
        (b"MSH|^~\\&|A|B\rPID|1\r", "hl7v2"),
        (b"\0" * 128 + b"DICM", "dicom"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "unknown"),
        (b"Some prose without any table in it.\nAnd more of it.\n", "unknown"),
        (gzip.compress(PATIENT, mtime=0), "gzip"),
    ],
)
def test_kind_is_told_by_content(content: bytes, kind: str) -> None:
    stream = io.BytesIO(content)
    assert recognise(stream, 1 << 20) == kind
    assert stream.tell() == 0


@given(st.binary(max_size=300))
def test_any_bytes_have_a_kind(content: bytes) -> None:
    assert recognise(io.BytesIO(content), 1 << 20)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("姓名,性别\n张伟,男\n", "utf-8"),
        ("姓名,性别\n张伟,男\n", "gb18030"),
        ("Name;Ort\nMüller;Köln\nGrüß;Fürth\n", "cp1252"),
        ("name,city\nJosé,León\nZoë,Oslo\n", "cp1252"),
        ("name,note\nSmith,37 °C\n", "utf-8"),
        ("plain,ascii\n1,2\n", "utf-8"),
    ],
)
def test_the_encoding_of_a_text_is_told(text: str, encoding: str) -> None:
    assert encoding_of(text.encode(encoding)) == encoding
    assert encoding_of(text.encode(encoding)[:-3]) == encoding


def test_one_line_in_another_encoding_does_not_change_that_of_the_rest() -> None:
    assert encoding_of("张伟,男\n".encode() * 9 + "李娜,女\n".encode("gb18030") + b"x\n") == "utf-8"
    assert encoding_of("张伟,男\n".encode("gb18030") * 9 + "李娜,女\n".encode() + b"x\n") == "gb18030"


def test_names_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(PATIENT + b"\n" + PATIENT)
    assert [source.kind for source in found(tmp_path)] == ["ndjson"]


def test_folders_zips_and_gzips_are_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("ward/b.json", BUNDLE)
        archive.writestr("ward/c.ndjson.gz", gzip.compress(PATIENT + b"\n", mtime=0))
        archive.writestr("__MACOSX/._b.json", b"\0")
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as other:
            other.writestr("d.csv", "MRN,Name\n1,A\n")
        archive.writestr("inner.zip", inner.getvalue())
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/e.json.gz").write_bytes(gzip.compress(BUNDLE, mtime=0))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/f.json").write_bytes(BUNDLE)
    sources = found(tmp_path)
    assert [(source.name.removeprefix(f"{tmp_path}/"), source.kind) for source in sources] == [
        ("a.zip!ward/b.json", "document"),
        ("a.zip!ward/c.ndjson.gz", "ndjson"),
        ("a.zip!inner.zip!d.csv", "table"),
        ("sub/e.json.gz", "document"),
    ]
    files = Files(Settings())
    contents = []
    for source in sources:
        with files.opened(source) as stream:
            contents.append(stream.read())
    assert contents == [BUNDLE, PATIENT + b"\n", b"MRN,Name\n1,A\n", BUNDLE]


def test_a_workbook_in_a_zip_is_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = io.BytesIO()
    openpyxl.Workbook().save(book)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.dat", book.getvalue())
    assert [source.kind for source in found(tmp_path / "a.zip")] == ["workbook"]


def test_a_name_that_climbs_out_of_an_archive_writes_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../climbed.json", PATIENT)
        archive.writestr("/absolute.json", PATIENT)
    before = set(tmp_path.parent.rglob("*"))
    assert [source.kind for source in found(tmp_path / "a.zip")] == ["ndjson", "ndjson"]
    assert set(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize("form", ["zip", "gz"])
def test_a_bomb_is_refused_while_it_unpacks(tmp_path: Path, form: str) -> None:
    zeros = b" " * (64 << 20)
    path = tmp_path / f"bomb.{form}"
    if form == "gz":
        path.write_bytes(gzip.compress(zeros, 9, mtime=0))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", zeros)
    (source,) = found(path)
    with pytest.raises(SourceError, match="import_ratio_limit"):
        read_through(source, Settings(import_ratio_limit=100))
    with pytest.raises(SourceError, match="import_unpacked_limit_bytes"):
        read_through(source, Settings(import_unpacked_limit_bytes=32 << 20, import_ratio_limit=10**6))


def read_through(source: Source, settings: Settings) -> None:
    files = Files(settings)
    with files.opened(source) as stream:
        while stream.read(1 << 20):
            pass


def test_names_in_gbk_are_readable(tmp_path: Path) -> None:
    import os

    raw = os.fsencode(tmp_path) + b"/" + "病人.json".encode("gb18030")
    with open(raw, "wb") as stream:
        stream.write(BUNDLE)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = "化验.json".encode("gb18030").decode("cp437")
        archive.writestr(info, BUNDLE)
        archive.writestr("Müller.json", BUNDLE)
    content = (tmp_path / "a.zip").read_bytes()
    assert content
    names = [source.name.rpartition("/")[2] for source in found(tmp_path)]
    assert names == ["a.zip!化验.json", "a.zip!Müller.json", "病人.json"]


def test_archives_in_archives_end_somewhere(tmp_path: Path) -> None:
    content = PATIENT
    for _ in range(9):
        content = gzip.compress(content, mtime=0)
    (tmp_path / "deep.gz").write_bytes(content)
    (source,) = found(tmp_path)
    assert source.problem is not None
    assert source.problem.key == "ingest.archive-deep"


@pytest.mark.parametrize("cut", [10, 40, 60])
def test_a_broken_archive_is_named_and_stops_nothing(tmp_path: Path, cut: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.json", BUNDLE)
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:cut])
    (tmp_path / "c.gz").write_bytes(gzip.compress(BUNDLE * 50, mtime=0)[:cut])
    (tmp_path / "d.json").write_bytes(BUNDLE)
    sources = found(tmp_path)
    assert [source.problem is None for source in sources] == [False, False, True]
    assert "a.zip" in str(sources[0].problem)


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file or folder"):
        found(tmp_path / "none")


def transaction(*entries: dict[str, object], kind: str = "transaction") -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)}).encode()


def test_links_between_entries_become_addresses_and_numbers_keep_their_digits() -> None:
    body = transaction(
        {"fullUrl": "urn:uuid:aaa", "resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}},
        {
            "fullUrl": "http://h/fhir/Observation/o1",
            "resource": {"resourceType": "Observation", "subject": {"reference": "urn:uuid:aaa"},
                         "hasMember": [{"reference": "Observation/o2"}], "identifier": [{"value": "urn:uuid:aaa"}]},
        },
        {"fullUrl": "http://h/fhir/Observation/o2", "resource": {"resourceType": "Observation", "derivedFrom": [{"reference": "http://h/fhir/Observation/o1"}]}},
    )  # fmt: skip
    body = body.replace(b'"identifier"', b'"valueQuantity": {"value": 1.10}, "identifier"')
    entries = read_document(body, "b").entries
    places = places_of(entries)
    patient, first, second = (relinked(entry, places) for entry in entries)
    assert json.loads(patient)["id"] == "aaa"
    assert b"1.10" in first
    assert json.loads(first)["subject"]["reference"] == "Patient/aaa"
    assert json.loads(first)["identifier"] == [{"value": "urn:uuid:aaa"}]  # a value, no link
    assert json.loads(second)["derivedFrom"][0]["reference"] == "Observation/o1"
    assert [json.loads(each)["id"] for each in (first, second)] == ["o1", "o2"]


def test_a_link_to_no_entry_is_found() -> None:
    assert dangling(b'{"subject": {"reference" : "urn:uuid:x"}}') == "urn:uuid:x"
    assert (
        dangling(b'{"subject":{"reference":"Patient/1"},"note":"\\"reference\\":\\"urn:uuid:x\\""}') is None
    )


def test_an_entry_without_any_id_gets_one_of_its_content() -> None:
    twice = [
        read_document(transaction({"resource": {"resourceType": "Basic", "n": n}}), "b").entries
        for n in (1, 1, 2)
    ]
    ids = [places_of(entries) or entries[0].id for entries in twice]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({}, "ingest.entry-empty"),
        ({"resource": {"resourceType": "Patient"}, "request": {"method": "PATCH", "url": "Patient/1"}}, "ingest.entry-patch"),
        ({"resource": {"resourceType": "Patient", "id": "2"}, "request": {"method": "PUT", "url": "Patient/1"}},
         "ingest.entry-address"),
        ({"resource": {"resourceType": "Patient"}, "request": {"method": "PUT", "url": "Basic/1"}}, "ingest.entry-address"),
        ({"resource": 3}, "ingest.not-a-resource"),
        ({"request": 3}, "ingest.entry-form"),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_taken_says_why(entry: dict[str, object], key: str) -> None:
    found_entry = entry_of("Bundle.entry[0]", json.dumps(entry).encode())
    assert found_entry is not None
    assert found_entry.problem is not None
    assert found_entry.problem.key == key
    assert (found_entry.problem.expression or "").startswith("Bundle.entry[0]")


def test_what_is_no_json_is_an_error_without_its_content() -> None:
    with pytest.raises(SourceError) as caught:
        read_document(b'{"resourceType":"Patient","name":"Zhang Wei', "x.json")
    assert "Zhang" not in str(caught.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=6), _JSON, max_size=4), max_size=6),
    st.sampled_from([1, 7, 64, 1 << 18]),
    st.sampled_from([None, 1]),
)
def test_a_long_document_is_scanned_as_it_would_be_read(
    resources: list[dict[str, object]], chunk: int, indent: int | None
) -> None:
    from unittest.mock import patch

    bundle = {
        "resourceType": "Bundle",
        "meta": {"entry": [1, "]"]},
        "type": "collection",
        "entry": [{"resource": r} for r in resources],
    }
    text = json.dumps(bundle, indent=indent, ensure_ascii=False).encode()
    with patch.object(documents, "_CHUNK", chunk):
        scanned = [entry for kind, entry in scan(io.BytesIO(text), "x", 1 << 20) if kind == "collection"]
        array = [
            entry
            for _, entry in scan(io.BytesIO(json.dumps(resources, indent=indent).encode()), "x", 1 << 20)
        ]
    assert [json.loads(entry.resource) for entry in scanned] == resources
    assert [json.loads(entry.resource) for entry in array] == resources


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b'{"resourceType":"Bundle","type":"transaction","entry":[]}', "ingest.transaction-long"),
        (b'{"resourceType":"Bundle","entry":[],"type":"collection"}', "ingest.bundle-type-first"),
        (b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":{}}', "ingest.truncated"),
        (
            b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":"' + b"x" * 3000,
            "ingest.truncated",
        ),
    ],
)
def test_a_long_document_that_cannot_be_scanned_says_why(text: bytes, key: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(scan(io.BytesIO(text), "x", 1 << 20))
    assert caught.value.key == key
