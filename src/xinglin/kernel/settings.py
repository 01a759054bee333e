"""Every setting in one typed, frozen object, each with what it means in English and Chinese.

Defaults < ``xinglin.toml`` < environment (``XINGLIN_PORT``) < flags (``--port``, ``--set port=…``); ``load``
remembers which of them each value came from. The file holds plain keys::

    database = "postgresql://xinglin@db/xinglin"
    time_zone = "Asia/Shanghai"
    page_size = 50
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from xinglin.kernel.setting import PREFIX, About, SettingError, setting
from xinglin.kernel.shown import nearest as nearest
from xinglin.kernel.shown import redacted as redacted

FILE_NAME = "xinglin.toml"
MIB = 1024 * 1024
_NOT_SETTINGS = (f"{PREFIX}CONFIG", f"{PREFIX}TEST_")  # the file itself; what only tests read


def user_folder() -> str:
    """Where this person's data lies unless told otherwise, from whatever folder a command is typed in."""
    if sys.platform == "win32":
        return str(Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "xinglin")
    if sys.platform == "darwin":
        return str(Path.home() / "Library/Application Support/xinglin")
    return str(Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "xinglin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What this installation is set to. Sizes in bytes, times in seconds, where the name says so."""

    # Where the record is
    data: str = setting(
        user_folder,
        "Folder of the database file, the import ledger and the rejects.",
        "存放数据库文件、导入台账和被拒数据的文件夹。",
    )
    database: str = setting(
        "",
        "Database: a file, sqlite:///FILE, postgresql://…, or demo; empty: xinglin.db in the data folder.",
        "数据库：文件路径、sqlite:///文件、postgresql://… 或 demo；留空即数据文件夹中的 xinglin.db。",
    )
    # Blobs and bulk
    blobs: str = setting(
        "",
        "Where large files lie (exports, uploads, images): a folder or s3://BUCKET/PREFIX; empty: blobs in the data folder.",
        "大文件（导出、上传、影像）的存放处：文件夹或 s3://存储桶/前缀；留空即数据文件夹中的 blobs。",
    )
    blobs_endpoint: str = setting(
        "",
        "Address of an S3 service other than Amazon's, such as http://minio:9000; empty: as the environment says.",
        "非 Amazon 的 S3 服务地址，如 http://minio:9000；留空则取自环境变量。",
    )
    export_keep_hours: float = setting(
        24.0,
        "Hours for which the files of a bulk export can be fetched once it is done.",
        "批量导出完成后其文件可供下载的小时数。",
        least=0.01,
    )
    export_file_bytes: int = setting(
        128 * MIB,
        "Size at which a bulk export begins a new file; a crash costs one file's work.",
        "批量导出时单个文件达到此字节数即另起新文件；中断后只需重做一个文件。",
        least=1024,
    )
    import_hosts: str = setting(
        "localhost 127.0.0.1 ::1",
        "Hosts from which $import may fetch files: host or host:port, blanks between; * is any but this machine, empty none.",
        "$import 可从哪些主机获取文件，写作 主机 或 主机:端口，以空格分隔；* 表示本机以外的任意主机，留空则一律不许。",
    )
    # The server
    host: str = setting(
        "127.0.0.1",
        "Address to listen on; anything but loopback lets other machines in.",
        "监听地址；若非本机回环地址，其他机器即可访问。",
    )
    port: int = setting(
        8080,
        "Port to listen on; 0 takes a free one.",
        "监听端口；0 表示任取一个空闲端口。",
        least=0,
        most=65535,
    )
    base_url: str = setting(
        "",
        "Address under which clients reach the server, in links and Location; empty: from the request.",
        "客户端访问本服务器所用的地址，用于链接和 Location；留空则取自请求。",
    )
    # Backup
    backup_folder: str = setting(
        "",
        "Where backups and archived changes go: a folder or s3://BUCKET/PREFIX; empty: none are made by themselves.",
        "备份和变更归档的存放处：文件夹或 s3://存储桶/前缀；留空则不自动备份。",
    )
    backup_every_s: int = setting(
        86400,
        "Seconds between backups that a running worker makes by itself.",
        "运行中的工作进程自动备份的间隔（秒）。",
        least=60,
    )
    backup_keep: int = setting(
        7, "Backups kept; older ones are deleted.", "保留的备份数；更早的备份将被删除。", least=1
    )
    archive_every_s: int = setting(
        15,
        "Seconds between archived segments of changes: the most that a lost disk takes, about doubled.",
        "变更归档的间隔（秒）；磁盘损毁时丢失的时间至多约为其两倍。",
        least=1,
        most=30,
    )
    rehearse_every_s: int = setting(
        7 * 86400,
        "Seconds between rehearsals that restore the newest backup into a scratch database; 0: none.",
        "恢复演练（将最新备份恢复到临时数据库）的间隔（秒）；0 表示不演练。",
        least=0,
    )
    backup_key_file: str = setting(
        "",
        "File whose content encrypts backups; without it nobody can read them. Empty: not encrypted.",
        "用其内容加密备份的密钥文件；丢失后任何人都无法读取备份。留空则不加密。",
    )
    # Reindexing
    reindex_share: float = setting(
        0.5,
        "The share of one core's time that a reindex may take; the rest of it, reads and writes have to themselves.",
        "重建索引可占用一个核心的时间比例；其余时间留给读写。",
        least=0.01,
        most=1,
    )
    # The worker
    worker: bool = setting(
        True,
        "Whether the server starts a worker beside it; false where `xinglin worker` runs elsewhere.",
        "服务器是否同时启动一个工作进程；另行运行 `xinglin worker` 时设为 false。",
    )
    worker_threads: int = setting(
        2, "Jobs that one worker runs at a time.", "一个工作进程同时运行的任务数。", least=1, most=64
    )
    job_retention_days: int = setting(
        14,
        "Days after which ended jobs are deleted from the queue; their Tasks stay in the record.",
        "任务结束后在队列中保留的天数，逾期清除；其 Task 仍留在病历中。",
        least=1,
        most=3650,
    )
    # How people are spoken to, and the hospital's time
    language: str = setting(
        "auto",
        "Language of sentences: en, zh, or auto (from the locale or the browser).",
        "提示语言：en、zh 或 auto（取自系统区域或浏览器）。",
        choices=("auto", "en", "zh"),
    )
    time_zone: str = setting(
        "UTC",
        "Time zone of the site, in which a date without a time is a day. A record keeps the one it was made with until"
        " `xinglin doctor --adopt-time-zone`.",
        "本院时区；只有日期而没有时间时，按此时区的一天计。数据库沿用建库时的时区，运行"
        " `xinglin doctor --adopt-time-zone` 方可更改。",
    )
    log_level: str = setting(
        "warning",
        "Least grave events written to the log: debug, info, warning or error.",
        "写入日志的最低级别：debug、info、warning 或 error。",
        choices=("debug", "info", "warning", "error"),
    )
    # Subscriptions
    subscription_private: bool = setting(
        True,
        "Notifications may go to subscribers inside private networks.",
        "允许向内网地址的订阅方发送通知。",
    )
    subscription_loopback: bool = setting(
        False,
        "Notifications may go to this machine itself, its databases and this server included.",
        "允许向本机（包括本机上的数据库和本服务）发送通知。",
    )
    subscription_timeout_s: float = setting(
        10.0,
        "Seconds that a subscriber may take to answer a notification.",
        "订阅方应答一次通知的时限（秒）。",
        least=0.1,
        most=300,
    )
    subscription_give_up_s: float = setting(
        86400.0,
        "Seconds after which a subscription whose subscriber takes nothing is switched off.",
        "订阅方持续不接收通知多久（秒）后停用该订阅。",
        least=1,
    )
    subscription_queue_limit: int = setting(
        100_000,
        "Most notifications that wait for one subscriber; beyond it the subscription is switched off.",
        "一个订阅方最多积压的通知数；超出即停用该订阅。",
        least=1,
    )
    # Bounds on what comes in
    body_limit_bytes: int = setting(
        10 * MIB,
        "Largest request body, and largest single resource.",
        "请求正文及单个资源的最大字节数。",
        least=1024,
    )
    bundle_limit: int = setting(
        5000,
        "Most entries of a batch or transaction over REST.",
        "经 REST 提交的批量或事务 Bundle 的最多条目数。",
        least=1,
    )
    nesting_limit: int = setting(
        64,
        "Deepest nesting of JSON arrays and objects.",
        "JSON 数组与对象的最大嵌套层数。",
        least=8,
        most=500,
    )
    # Bounds on questions
    page_size: int = setting(
        20, "Entries of a page unless _count says.", "未指定 _count 时每页的条目数。", least=1
    )
    page_size_max: int = setting(
        1000, "Most entries of a page, whatever _count says.", "每页条目数上限，_count 不得超过。", least=1
    )
    chain_depth: int = setting(
        8,
        "Most links of a chained or _has search parameter.",
        "链式检索或 _has 检索参数的最多层数。",
        least=1,
        most=32,
    )
    chain_branches: int = setting(
        500,
        "Most resource types that the chains of one search may lead through where none is named.",
        "链式检索未写明类型时，一次检索最多经过的资源类型数。",
        least=1,
    )
    include_parameter_limit: int = setting(
        30,
        "Most _include and _revinclude parameters of one search.",
        "一次检索中 _include 与 _revinclude 的最多个数。",
        least=1,
    )
    sort_key_limit: int = setting(5, "Most keys of _sort.", "_sort 的最多排序项数。", least=1, most=20)
    element_limit: int = setting(200, "Most names in _elements.", "_elements 的最多元素数。", least=1)
    pattern_limit: int = setting(
        256, "Most characters of one search value.", "单个检索值的最多字符数。", least=8, most=65536
    )
    parameter_limit: int = setting(
        100, "Most parameters of one search.", "一次检索的最多参数个数。", least=1, most=10000
    )
    value_limit: int = setting(
        500,
        "Most comma-separated values of one search parameter.",
        "一个检索参数中以逗号分隔的最多取值个数。",
        least=1,
    )
    include_limit: int = setting(
        5000,
        "Most resources brought in by _include and _revinclude to one page.",
        "_include 与 _revinclude 为一页带入的最多资源数。",
        least=1,
    )
    search_time_limit_s: float = setting(
        10.0,
        "Seconds after which a search is stopped.",
        "一次检索的时间上限（秒），超时即中止。",
        least=0.1,
        most=3600,
    )
    # Bounds on import
    import_batch: int = setting(
        1000,
        "Resources written in one transaction of an import.",
        "导入时每个事务写入的资源数。",
        least=1,
        most=100000,
    )
    import_bundle_limit_bytes: int = setting(
        32 * MIB,
        "Largest transaction bundle an import takes: it is held in memory, being all or nothing.",
        "导入时单个事务 Bundle 的最大字节数：事务须整体成败，故全部读入内存。",
        least=MIB,
    )
    import_workbook_limit_bytes: int = setting(
        256 * MIB,
        "Largest workbook (xlsx, xls, ods), unpacked, that an import takes: it is held in memory.",
        "导入的工作簿（xlsx、xls、ods）解压后的最大字节数：工作簿须全部读入内存。",
        least=MIB,
    )
    import_unpacked_limit_bytes: int = setting(
        100 * 1024 * MIB,
        "Most bytes that one compressed file may unpack to in an import.",
        "导入时一个压缩文件解压后的最多字节数。",
        least=MIB,
    )
    import_ratio_limit: int = setting(
        1000,
        "Highest ratio of unpacked to packed size in an import; above it the file is taken for a bomb.",
        "导入时解压后与压缩前大小之比的上限；超出则视为压缩炸弹。",
        least=10,
    )

    def __post_init__(self) -> None:
        for name, about in ABOUT.items():
            about.check(getattr(self, name))
        if self.page_size > self.page_size_max:
            raise SettingError("kernel.setting-page", size=self.page_size, most=self.page_size_max)
        _check_time_zone(self.time_zone)

    @property
    def database_url(self) -> str:
        """The database as ``open_database`` takes it: ``sqlite:////absolute/file``, ``sqlite://`` or ``postgresql://…``."""
        if "://" in self.database:
            return self.database
        name = {"": "xinglin.db", "demo": "demo.db"}.get(self.database)
        path = Path(self.data) / name if name else Path(self.database)
        return f"sqlite:///{path.expanduser().absolute()}"

    @property
    def data_folder(self) -> Path:
        """The data folder as an absolute path; it may not exist yet."""
        return Path(self.data).expanduser().absolute()


_KINDS: dict[Any, type] = {"int": int, "float": float, "str": str, "bool": bool}
ABOUT: dict[str, About] = {
    f.name: About(
        name=f.name,
        kind=_KINDS[f.type],
        meaning={"en": f.metadata["en"], "zh": f.metadata["zh"]},
        least=f.metadata["least"],
        most=f.metadata["most"],
        choices=f.metadata["choices"],
        default=f.default if isinstance(f.default, (int, float, str)) else None,
    )
    for f in fields(Settings)
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where each value came from: ``default``, the file's path, a variable's name, or a flag."""

    settings: Settings
    origins: dict[str, str]

    def shown(self, name: str) -> Any:
        """The value as it may be printed: a password inside a URL is never shown."""
        value = getattr(self.settings, name)
        return redacted(value) if isinstance(value, str) else value


def load(
    flags: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: str | Path | None = None,
) -> Loaded:
    """Settings from all their sources, the later of defaults, file, environment and flags winning.

    ``file`` (or ``XINGLIN_CONFIG``) names the settings file and must then exist; otherwise ``xinglin.toml``
    in the present folder is read where there is one. A flag of None was not given. Raises SettingError.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    origins = dict.fromkeys(ABOUT, "default")
    path, given = _file(environ, file)
    if path is not None:
        for name, value in given.items():
            values[name] = _known(name, str(path)).parse(value)
            origins[name] = str(path)
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and not variable.startswith(_NOT_SETTINGS):
            name = variable.removeprefix(PREFIX).lower()
            values[name] = _known(name, "environment", prefix=PREFIX).parse(text)
            origins[name] = variable
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _known(name, "--set").parse(value)
            origins[name] = "flag"
    return Loaded(Settings(**values), origins)


def _file(environ: Mapping[str, str], file: str | Path | None) -> tuple[Path | None, dict[str, Any]]:
    import tomllib

    named = file or environ.get(f"{PREFIX}CONFIG")
    path = Path(named or FILE_NAME).expanduser()
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if named:
            raise SettingError("kernel.setting-file-missing", path=path) from None
        return None, {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError("kernel.setting-file-broken", path=path, reason=error) from error
    except OSError as error:
        raise SettingError("kernel.setting-file-unreadable", path=path, reason=error.strerror) from error


def _known(name: str, origin: str, prefix: str = "") -> About:
    if name in ABOUT:
        return ABOUT[name]
    like = nearest(name, ABOUT)
    shown = prefix + name.upper() if prefix else name
    if like is None:
        raise SettingError("kernel.setting-unknown", name=shown, origin=origin)
    like = prefix + like.upper() if prefix else like
    raise SettingError("kernel.setting-unknown-like", name=shown, origin=origin, like=like)


def _check_time_zone(name: str) -> None:
    if name == "UTC":
        return
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise SettingError("kernel.setting-time-zone", value=name) from error
