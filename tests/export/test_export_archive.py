"""An export as one tar: the files of its manifest and nothing else, of the size that was said before."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_export_writing import items

from synthvlm_ui.errors import UnreadableFile
from synthvlm_ui.export import Archive, export, exports_in
from synthvlm_ui.export.staging import Staging


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    export("imagefolder", items(3), tmp_path / "out")
    return tmp_path / "out"


def unpacked(found: Archive) -> dict[str, bytes]:
    content = b"".join(found.blocks())
    assert len(content) == found.size_bytes()
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        members = tar.getmembers()
        assert all(member.isfile() for member in members)
        return {member.name: tar.extractfile(member).read() for member in members}


def test_the_tar_holds_what_the_manifest_lists(exported: Path) -> None:
    (exported / "notes-to-self.txt").write_text("private")
    found = Archive(exported)
    files = unpacked(found)
    listed = json.loads(files["out/manifest.json"])["files"]
    assert found.name == "out.tar"
    assert set(files) == {f"out/{name}" for name in listed} | {"out/manifest.json"}
    assert all(hashlib.sha256(files[f"out/{name}"]).hexdigest() == entry["sha256"] for name, entry in listed.items())


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.text("ab/é .", min_size=1, max_size=30).map(lambda name: f"x{name}y" * 6).filter(
    lambda name: all(part not in ("", ".", "..") for part in name.split("/")) and len(name) < 200),
    st.binary(max_size=1500), max_size=5))
def test_any_names_and_sizes(tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("any")
    kept = {}
    for name, content in contents.items():
        if any(other.startswith(name + "/") or name.startswith(other + "/") for other in kept):
            continue  # a file cannot be a folder too
        kept[name] = content
    staging = Staging(folder)
    for name, content in kept.items():
        staging.write_bytes(name, content)
    staging.write_manifest("any", len(kept))
    files = unpacked(Archive(folder))
    assert files.pop(f"{folder.name}/manifest.json") == (folder / "manifest.json").read_bytes()
    assert files == {f"{folder.name}/{name}": content for name, content in kept.items()}


def test_a_changed_export_is_not_sent(exported: Path) -> None:
    (exported / "captions.jsonl").write_bytes(b"")
    for use in (lambda one: list(one.blocks()), Archive.size_bytes):
        with pytest.raises(UnreadableFile, match="not the file of the manifest"):
            use(Archive(exported))


def test_a_file_that_shrinks_meanwhile_ends_the_download(exported: Path) -> None:
    blocks = Archive(exported).blocks()
    next(blocks)
    (exported / "README.md").write_bytes(b"")
    with pytest.raises(UnreadableFile, match="shorter"):
        list(blocks)


def test_a_manifest_on_one_line_is_read(exported: Path) -> None:
    manifest = exported / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_bytes())))
    assert "out/captions.jsonl" in unpacked(Archive(exported))


@pytest.mark.parametrize("cut", [1, 5, 200])
def test_a_manifest_that_is_cut_short_is_not_believed(exported: Path, cut: int) -> None:
    manifest = exported / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-cut - 1])
    with pytest.raises(UnreadableFile, match="manifest cannot be read|no export"):
        Archive(exported).size_bytes()


def test_only_whole_exports_are_listed(exported: Path, tmp_path: Path) -> None:
    export("llava", items(2), tmp_path / "later")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text('{"made_by": "somebody else", "files": {}}')
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    (tmp_path / "link").symlink_to(exported)
    exported.rename(tmp_path / ".growing")
    (tmp_path / ".growing").rename(exported)
    found = exports_in(tmp_path)
    assert [(one.name, one.format, one.written) for one in found] == [("later", "llava", 2), ("out", "imagefolder", 3)]
