"""Settings: one typed object, four sources, each origin known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xinglin.kernel.setting import SettingError
from xinglin.kernel.settings import ABOUT, Settings, load, nearest, redacted


def test_later_sources_win_and_each_origin_is_known(tmp_path: Path) -> None:
    file = tmp_path / "xinglin.toml"
    file.write_text("port = 1\npage_size = 30\ntime_zone = 'Asia/Shanghai'\n", encoding="utf-8")
    environ = {"XINGLIN_PORT": "2", "XINGLIN_PAGE_SIZE": "40", "PATH": "/bin"}
    loaded = load({"port": "3", "host": None}, environ=environ, file=file)
    assert (loaded.settings.port, loaded.settings.page_size, loaded.settings.time_zone) == (
        3,
        40,
        "Asia/Shanghai",
    )
    assert loaded.origins["port"] == "flag"
    assert loaded.origins["page_size"] == "XINGLIN_PAGE_SIZE"
    assert loaded.origins["time_zone"] == str(file)
    assert loaded.origins["host"] == "default"


def test_the_file_of_the_present_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(environ={}).settings.port == Settings().port
    (tmp_path / "xinglin.toml").write_text("port = 4321\n", encoding="utf-8-sig")  # Notepad writes a BOM
    assert load(environ={}).settings.port == 4321


@pytest.mark.parametrize(
    ("flags", "environ", "words"),
    [
        ({"prot": "1"}, {}, ["prot", "did you mean port"]),
        ({}, {"XINGLIN_PAGESIZE": "1"}, ["XINGLIN_PAGESIZE", "XINGLIN_PAGE_SIZE"]),
        ({"qqqqqq": "1"}, {}, ["qqqqqq", "config show"]),
        ({"port": "eighty"}, {}, ["whole number", "eighty"]),
        ({"port": "65536"}, {}, ["at most 65535"]),
        ({"page_size": "0"}, {}, ["at least 1"]),
        ({"page_size": "2000"}, {}, ["page_size_max"]),
        ({"search_time_limit_s": "soon"}, {}, ["takes a number"]),
        ({"language": "fr"}, {}, ["auto, en, zh"]),
        ({"time_zone": "Asia/Xinglin"}, {}, ["Asia/Shanghai"]),
        ({"time_zone": "../../etc/passwd"}, {}, ["Asia/Shanghai"]),
    ],
)
def test_a_wrong_setting_says_what_is_right(
    flags: dict[str, object],
    environ: dict[str, str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError) as caught:
        load(flags, environ=environ)
    for word in words:
        assert word in caught.value.say("en")
    assert any("一" <= character <= "鿿" for character in caught.value.say("zh"))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("port = ", "not TOML"),
        ("port = true", "whole number"),
        ("host = 3", "quotes"),
        ("port = 1.5", "whole number"),
    ],
)
def test_a_broken_file_is_named(content: str, word: str, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingError, match=word):
        load(environ={}, file=file)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no settings file"):
        load(environ={"XINGLIN_CONFIG": str(tmp_path / "none.toml")})
    with pytest.raises(SettingError, match="cannot be read"):
        load(environ={}, file=tmp_path)


def test_every_setting_can_be_set_from_the_environment_and_is_described_twice() -> None:
    for name, about in ABOUT.items():
        assert about.meaning["en"].endswith("."), name
        assert about.meaning["zh"].endswith("。"), name
        default = getattr(Settings(), name)
        loaded = load(environ={about.variable: str(default)})
        assert getattr(loaded.settings, name) == default
        assert type(getattr(loaded.settings, name)) is about.kind


def test_a_password_is_never_shown() -> None:
    url = "postgresql://ward:s3cret@db:5432/xinglin?sslmode=require"
    loaded = load({"database": url}, environ={})
    assert loaded.settings.database_url == url
    assert "s3cret" not in loaded.shown("database")
    assert "db:5432/xinglin?sslmode=require" in loaded.shown("database")
    assert "p@ss" not in redacted("postgresql://ward:p@ss@db/x")
    assert "hidden" not in redacted("postgresql://db/x?user=a&password=hidden")
    assert redacted("sqlite:////tmp/x.db") == "sqlite:////tmp/x.db"


def test_the_database_is_a_file_a_word_or_a_url(tmp_path: Path) -> None:
    def url(database: str) -> str:
        return Settings(data=str(tmp_path), database=database).database_url

    assert url("") == f"sqlite:///{tmp_path}/xinglin.db"
    assert url("demo") == f"sqlite:///{tmp_path}/demo.db"
    assert url("ward.db") == f"sqlite:///{Path.cwd()}/ward.db"
    assert url("sqlite://") == "sqlite://"
    assert url("postgresql:///x") == "postgresql:///x"


def test_the_data_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings().data_folder == tmp_path / "xinglin"


def test_the_nearest_name_is_near_or_none() -> None:
    assert nearest("body_limit", ABOUT) == "body_limit_bytes"
    assert nearest("zzzz", ABOUT) is None
    assert os.environ.get("XINGLIN_CONFIG") is None
