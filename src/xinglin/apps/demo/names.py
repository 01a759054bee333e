"""Names, addresses and identifiers of people who do not exist.

Resident identity numbers carry the administrative prefix 990101, which no place in China has, and a right check digit:
they look and validate like real ones and can belong to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from random import Random

# Surnames by their rough share in the population (per mille); some with readings that trip naive pinyin on purpose.
_SURNAMES = (
    "王:72 李:72 张:68 刘:53 陈:45 杨:31 赵:20 黄:22 周:19 吴:20 徐:14 孙:14 胡:13 朱:12 高:12 林:11 何:11 郭:11 马:10 罗:9 "
    "梁:8 宋:8 郑:8 谢:7 韩:7 唐:7 冯:6 于:6 董:6 萧:5 程:5 曹:5 袁:5 邓:5 许:5 傅:4 沈:4 曾:4 彭:4 吕:4 苏:4 卢:4 蒋:4 蔡:4 "
    "贾:3 丁:3 魏:3 薛:3 叶:3 阎:3 单:1 解:1 仇:1 查:1 区:1 朴:1 尉迟:1 欧阳:2 上官:1 司马:1"
)
_MALE = [
    "伟",
    "强",
    "磊",
    "军",
    "洋",
    "勇",
    "杰",
    "涛",
    "明",
    "超",
    "刚",
    "平",
    "辉",
    "鹏",
    "华",
    "飞",
    "鑫",
    "波",
    "斌",
    "宇",
    "浩",
    "凯",
    "健",
    "俊",
    "帆",
    "帅",
    "旭",
    "宁",
    "龙",
    "志强",
    "建国",
    "建华",
    "国强",
    "文博",
    "子轩",
    "浩然",
    "宇航",
    "俊杰",
    "天佑",
    "志远",
    "明哲",
    "嘉诚",
    "思远",
    "海涛",
    "晓东",
    "永康",
    "家豪",
    "德胜",
    "长庚",
    "乐",
]
_FEMALE = [
    "芳",
    "娜",
    "敏",
    "静",
    "秀英",
    "丽",
    "艳",
    "娟",
    "霞",
    "燕",
    "玲",
    "桂英",
    "丹",
    "萍",
    "红",
    "玉兰",
    "莉",
    "颖",
    "婷",
    "雪",
    "慧",
    "琳",
    "洁",
    "倩",
    "欣",
    "梅",
    "秀兰",
    "桂兰",
    "淑珍",
    "雨涵",
    "欣怡",
    "梓涵",
    "诗涵",
    "思琪",
    "佳怡",
    "雅静",
    "晓燕",
    "玉梅",
    "海燕",
    "美玲",
    "凤英",
    "春花",
    "若曦",
    "乐怡",
    "朵",
]
_EN_SURNAMES = [
    "Smith",
    "Johnson",
    "Williams",
    "Brown",
    "Jones",
    "Garcia",
    "Miller",
    "Davis",
    "Wilson",
    "Anderson",
    "Taylor",
    "Thomas",
    "Moore",
    "Martin",
    "Lee",
    "Thompson",
    "White",
    "Harris",
    "Clark",
    "Lewis",
    "Robinson",
    "Walker",
    "Young",
    "Allen",
    "King",
    "Wright",
    "Scott",
    "Hill",
    "Green",
    "Adams",
    "Nelson",
    "Baker",
    "Campbell",
    "Mitchell",
    "Carter",
    "O'Brien",
    "Núñez",
    "Müller",
]
_EN_MALE = [
    "James",
    "Robert",
    "John",
    "Michael",
    "David",
    "William",
    "Richard",
    "Joseph",
    "Thomas",
    "Daniel",
    "Matthew",
    "Anthony",
    "Mark",
    "Steven",
    "Paul",
    "Andrew",
    "Joshua",
    "Kevin",
    "Brian",
    "George",
    "José",
    "Liam",
    "Noah",
]
_EN_FEMALE = [
    "Mary",
    "Patricia",
    "Jennifer",
    "Linda",
    "Elizabeth",
    "Barbara",
    "Susan",
    "Jessica",
    "Sarah",
    "Karen",
    "Lisa",
    "Nancy",
    "Sandra",
    "Margaret",
    "Ashley",
    "Emily",
    "Donna",
    "Michelle",
    "Laura",
    "Olivia",
    "Zoë",
    "Anna",
    "Grace",
]
_DISTRICTS = (
    ("杏林市", "东湖区", "银杏路"),
    ("杏林市", "西山区", "橘井街"),
    ("杏林市", "南浦区", "岐黄大道"),
    ("杏林市", "北辰区", "青囊巷"),
    ("橘泉县", "城关镇", "悬壶路"),
    ("橘泉县", "清溪乡", "本草街"),
)

SURNAMES = [pair.partition(":")[0] for pair in _SURNAMES.split()]
_WEIGHTS = [int(pair.partition(":")[2]) for pair in _SURNAMES.split()]


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name; ``chinese`` tells in which order and without which space it is written."""

    family: str
    given: str
    chinese: bool

    @property
    def text(self) -> str:
        return self.family + self.given if self.chinese else f"{self.given} {self.family}"


def name(rng: Random, female: bool, chinese: bool) -> Name:
    """A name for a person of that sex in that language."""
    if chinese:
        return Name(rng.choices(SURNAMES, _WEIGHTS)[0], rng.choice(_FEMALE if female else _MALE), True)
    return Name(rng.choice(_EN_SURNAMES), rng.choice(_EN_FEMALE if female else _EN_MALE), False)


def resident_number(rng: Random, born: date, female: bool) -> str:
    """An 18-character identity number (GB 11643-1999 form) under a prefix that no place has.

    >>> resident_number(Random(1), date(1970, 1, 31), True)[:14]
    '99010119700131'
    """
    order = rng.randrange(0, 500) * 2 + (0 if female else 1)
    body = f"990101{born:%Y%m%d}{order % 1000:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, weights, strict=True)) % 11]


def phone(rng: Random) -> str:
    """A mobile number of a prefix (100) that no operator assigns to people."""
    return f"100{rng.randrange(10**8):08d}"


def address(rng: Random) -> dict[str, object]:
    """A FHIR Address in a city that does not exist."""
    city, district, street = rng.choice(_DISTRICTS)
    line = f"{street}{rng.randrange(1, 300)}号{rng.randrange(1, 30)}栋{rng.randrange(1, 33)}0{rng.randrange(1, 5)}室"
    return {
        "use": "home",
        "text": f"{city}{district}{line}",
        "line": [line],
        "city": city,
        "district": district,
        "postalCode": f"99{rng.randrange(10**4):04d}",
        "country": "CN",
    }
