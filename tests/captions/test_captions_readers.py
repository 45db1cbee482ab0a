"""Caption files of every format, and every way they can be wrong."""

import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthvlm_ui.captions import read_captions
from synthvlm_ui.config import MAX_CAPTION_CHARACTERS
from synthvlm_ui.errors import BadSetting, CaptionTooLong, EmptyInput, UnreadableFile
from synthvlm_ui.records import caption_id_of

RECORDS = [{"id": "a", "caption": "A red cat.", "image": "1.jpg"},
           {"id": "b", "caption": "Zwei blaue Bälle", "image": ""}]
EXPECTED = [("a", "A red cat.", "1.jpg"), ("b", "Zwei blaue Bälle", None)]


def llava(record):
    return {"id": record["id"], "image": record["image"],
            "conversations": [{"from": "human", "value": "What is it?\n<image>"},
                              {"from": "gpt", "value": record["caption"]}]}


def write(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def triples(captions):
    return [(caption.id, caption.caption, caption.image) for caption in captions]


def lines(records):
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records)


@pytest.mark.parametrize(("name", "content"), [
    ("c.csv", "id,caption,image\na,A red cat.,1.jpg\nb,Zwei blaue Bälle,\n"),
    ("semicolons.csv", "id;text;image\na;A red cat.;1.jpg\nb;Zwei blaue Bälle;\n"),
    ("c.tsv", "ID\tPrompt\tfile_name\na\tA red cat.\t1.jpg\nb\tZwei blaue Bälle\t\n"),
    ("c.json", json.dumps(RECORDS, indent=1)),
    ("wrapped.json", json.dumps({"info": {"captions": 3}, "captions": RECORDS, "more": 1})),
    ("llava.json", json.dumps([llava(record) for record in RECORDS])),
    ("lines.json", lines(RECORDS)),
    ("c.jsonl", lines(RECORDS) + "\n\n"),
    ("llava.jsonl", lines(llava(record) for record in RECORDS)),
])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_text_format_in_every_encoding_gives_the_same_captions(tmp_path, name, content, encoding):
    read = read_captions(write(tmp_path / name, content, encoding))
    assert triples(read) == EXPECTED
    assert read.read == 2 and read.rejected_count == 0
    assert read.columns.caption.casefold() in ("caption", "text", "prompt", "conversations")
    assert any("cp1252" in note for note in read.notes) == (read.encoding == "cp1252")


def test_parquet(tmp_path):
    pq.write_table(pa.Table.from_pylist([*RECORDS, {"id": "c", "caption": None}]), tmp_path / "c.parquet")
    read = read_captions(tmp_path / "c.parquet")
    assert triples(read) == EXPECTED
    assert [(row.line, row.reason) for row in read.rejected] == [(3, "empty caption")]


def test_parquet_takes_numbers_for_ids_and_leaves_image_bytes_alone(tmp_path):
    rows = [{"key": 7, "text": "A cat", "image": {"bytes": b"x" * 100, "path": "a.png"}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    assert triples(read_captions(tmp_path / "c.parquet")) == [("7", "A cat", None)]


def test_txt_is_a_caption_a_line_and_its_id_comes_from_the_text(tmp_path):
    read = read_captions(write(tmp_path / "c.txt", "  A cat \r\n\r\nA dog\n"))
    assert triples(read) == [(caption_id_of("A cat"), "A cat", None), (caption_id_of("A dog"), "A dog", None)]
    assert [(row.line, row.reason) for row in read.rejected] == [(2, "empty caption")]


def test_strings_in_json_and_one_column_without_header(tmp_path):
    assert [c.caption for c in read_captions(write(tmp_path / "c.json", '["A", "B"]'))] == ["A", "B"]
    assert [c.caption for c in read_captions(write(tmp_path / "c.jsonl", '"A"\n"B"'))] == ["A", "B"]
    assert [c.caption for c in read_captions(write(tmp_path / "c.csv", "A cat\n\"A dog, small\"\n"))] == \
        ["A cat", "A dog, small"]


def test_bad_rows_are_counted_with_reason_and_line_and_the_rest_is_read(tmp_path):
    rows = ['{"caption": "good"}', '{"caption": ""}', '{"caption": 5}', "{broken", '{"caption": "a\\u0000b"}', "[1]",
            json.dumps({"caption": "x" * 10_000}), '{"text": "other field"}', '{"caption": "good too", "id": 4}',
            '{"caption": "bad id", "id": [1]}', '{"caption": "half \\ud800"}']
    read = read_captions(write(tmp_path / "c.jsonl", "\n".join(rows)))
    assert [caption.caption for caption in read] == ["good", "good too"]
    reasons = [(row.line, row.reason) for row in read.rejected]
    assert reasons[:-1] == [
        (2, "empty caption"), (3, "not a text but a number"), (4, "not valid JSON"), (5, "control characters"),
        (6, "neither a text nor an object"), (7, f"longer than {MAX_CAPTION_CHARACTERS} characters"),
        (8, "no field 'caption'"), (10, "id is not a text but a list")]
    assert reasons[-1][0] == 11
    assert read.rejected_count == 9 and all(len(row.text_excerpt) <= 80 for row in read.rejected)


def test_an_id_field_that_only_later_objects_have_is_taken(tmp_path):
    read = read_captions(write(tmp_path / "c.jsonl", '{"caption": "A"}\n{"caption": "B", "uid": "b", "text": "x"}'))
    assert triples(read) == [(caption_id_of("A"), "A", None), ("b", "B", None)]
    assert read.columns.to_json() == {"caption": "caption", "id": "uid"} and len(read.notes) == 1


def test_a_csv_row_with_too_many_columns_is_rejected_on_its_own_line(tmp_path):
    text = 'id,caption\n1,"two\nlines"\n2,unquoted, comma\n3,fine\n'
    read = read_captions(write(tmp_path / "c.csv", text))
    assert [caption.caption for caption in read] == ["two\nlines", "fine"]
    assert [row.line for row in read.rejected] == [4] and "3 columns" in read.rejected[0].reason


def test_a_conversation_that_is_no_caption_is_rejected(tmp_path):
    turns = [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "yes"}]
    records = [{"id": "1", "conversations": turns}, {"id": "2", "conversations": turns * 2},
               {"id": "3", "conversations": turns[::-1]}]
    read = read_captions(write(tmp_path / "c.json", json.dumps(records)))
    assert triples(read) == [("1", "yes", None)]
    assert [row.reason for row in read.rejected] == \
        ["a conversation of 4 turns, not of 2", "a conversation whose second turn is not from gpt"]


@pytest.mark.parametrize(("name", "content", "error", "says"), [
    ("c.txt", b"", EmptyInput, "empty"),
    ("c.txt", b"\n\n  \n", EmptyInput, "line 1"),
    ("c.json", b"[]", EmptyInput, "no caption"),
    ("c.json", b'[{"caption": "a"},\n {"caption": }]', UnreadableFile, "line 2, column 14"),
    ("c.json", b'[{"caption": "a"}', UnreadableFile, "too early"),
    ("c.json", b'{"name": "x", "size": 3}', UnreadableFile, "'name', 'size'"),
    ("c.json", b'[{"foo": "a"}]', UnreadableFile, "'foo'"),
    ("c.json", b"[" * 100_000, UnreadableFile, "nested"),
    ("c.json", b"[" + b"1" * 10_000 + b"]", UnreadableFile, "digits"),
    ("c.json", b"[" * 600 + b"]" * 600, EmptyInput, "neither"),
    ("c.jsonl", b'{"a":' * 900 + b"1" + b"}" * 900, UnreadableFile, "'a'"),
    ("c.csv", b"a,b\n1,2\n", UnreadableFile, "'a', 'b'"),
    ("c.csv", b'id,caption\n1,ok\n2,"open\n3,x\n', UnreadableFile, "line 3"),
    ("c.txt", b"\x89PNG\r\n\x1a\n" + bytes(50), UnreadableFile, "PNG"),
    ("c.jsonl", bytes(range(256)) * 20, UnreadableFile, "no text"),
    ("c.csv", "caption\nA cat".encode("utf-16-le"), UnreadableFile, "UTF-16"),
    ("c.txt", b"\xff\xfeA\x00\x00", UnreadableFile, "utf-16"),
    ("c.txt", b"fine\nbad \x81\xc3\n", UnreadableFile, "line 2"),
    ("c.parquet", b"PAR1 and then nothing", UnreadableFile, "parquet"),
    ("c.docx", b"anything", UnreadableFile, "'.docx'"),
    ("c.jsonl", b"{oops\n{oops", EmptyInput, "2 rows"),
    ("c.txt", b"x" * 10_000, CaptionTooLong, "line 1"),
])
def test_a_file_that_cannot_be_used_says_what_and_where(tmp_path, name, content, error, says):
    with pytest.raises(error) as caught:
        list(read_captions(write(tmp_path / name, content)))
    assert says in str(caught.value) and name in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(UnreadableFile, match="no such file"):
        read_captions(tmp_path / "none.txt")
    with pytest.raises(UnreadableFile, match="folder"):
        read_captions(tmp_path)


def test_a_parquet_column_without_text_is_named(tmp_path):
    pq.write_table(pa.table({"caption": [1, 2]}), tmp_path / "c.parquet")
    with pytest.raises(UnreadableFile, match="'caption' holds int64"):
        read_captions(tmp_path / "c.parquet")


def test_mapping_names_columns_and_is_checked(tmp_path):
    path = write(tmp_path / "c.csv", "name,alt,caption\nk,A cat,wrong\n")
    assert triples(read_captions(path, mapping={"caption": "alt", "id": "name"})) == [("k", "A cat", None)]
    with pytest.raises(BadSetting, match="no column 'nope'"):
        read_captions(path, mapping={"caption": "nope"})
    with pytest.raises(BadSetting, match="'label' cannot be mapped"):
        read_captions(path, mapping={"label": "alt"})
    objects = write(tmp_path / "c.jsonl", '{"n": "k", "alt": "A cat"}')
    assert triples(read_captions(objects, mapping={"caption": "alt", "id": "n"})) == [("k", "A cat", None)]
    with pytest.raises(BadSetting, match="'nope'"):
        read_captions(objects, mapping={"caption": "nope"})


def test_limit_stops_reading(tmp_path):
    path = write(tmp_path / "c.txt", "A\nB\nC\n")
    assert [caption.caption for caption in read_captions(path, limit=2)] == ["A", "B"]
    with pytest.raises(BadSetting):
        read_captions(path, limit=0)


def test_a_repeated_id_is_left_to_the_import(tmp_path):
    read = read_captions(write(tmp_path / "c.jsonl", '{"id": 1, "caption": "A"}\n{"id": 1, "caption": "B"}'))
    assert triples(read) == [("1", "A", None), ("1", "B", None)]


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))).filter(str.strip), min_size=1))
def test_any_text_comes_back_as_its_nfc_form_from_every_format(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("any")
    expected = [unicodedata.normalize("NFC", text.strip()) for text in texts]
    write(folder / "c.json", json.dumps(texts))
    write(folder / "c.jsonl", "\n".join(json.dumps({"caption": text}, ensure_ascii=False) for text in texts))
    pq.write_table(pa.table({"text": texts}), folder / "c.parquet")
    for name in ("c.json", "c.jsonl", "c.parquet"):
        assert [caption.caption for caption in read_captions(folder / name)] == expected
