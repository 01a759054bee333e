"""How Chinese surnames are read, where they differ from the character's common reading, and which have two characters.

Source: readings as in 《现代汉语词典》 (7th ed.), entries marked 姓; traditional forms beside the simplified.
"""

from __future__ import annotations

from typing import Final

# One line a reading: the characters that are read so as a surname.
_SINGLE: Final = """
shan 单 單; zeng 曾; xie 解; qiu 仇; ou 区 區; zha 查; piao 朴; ge 盖 蓋 葛; ren 任; hua 华 華; yue 乐 樂; miao 缪 繆;
zhai 翟 祭; yun 员 員 贠; shao 召; qin 覃; chong 种 種; bi 秘; xian 冼 洗; pang 逄 逢; she 折; ji 纪 紀; yan 燕; ning 宁 甯;
bo 薄; na 那; chen 谌 諶; huan 郇; xi 郗; kui 隗; gou 句 勾; guo 过 過; bu 卜; che 车 車; bai 柏; su 宿; ying 应 應;
po 繁; sa 撒; sheng 盛; mu 牟; du 都; nie 乜; xing 行; shen 莘 沈; zang 臧 藏; chao 晁 巢; lu 逯 六; zi 訾; yin 殷;
nai 能 佴; tan 谭; ao 敖; yao 要; qian 钱 錢; qi 亓 戚; ha 哈; hei 黑; jia 贾 賈; xue 薛; long 隆; shi 石; wei 韦 韋;
yu 於 俞; mi 宓; zhong 重; she 佘; kan 阚 闞; ruan 阮; guan 观 觀; shang 尚; jian 简; le 勒; chu 褚; hao 郝
"""

_COMPOUND: Final = """
欧阳 歐陽 ou yang; 太史 太史 tai shi; 端木 端木 duan mu; 上官 上官 shang guan; 司马 司馬 si ma; 东方 東方 dong fang;
独孤 獨孤 du gu; 南宫 南宮 nan gong; 万俟 万俟 mo qi; 闻人 聞人 wen ren; 夏侯 夏侯 xia hou; 诸葛 諸葛 zhu ge; 尉迟 尉遲 yu chi;
公羊 公羊 gong yang; 赫连 赫連 he lian; 澹台 澹臺 tan tai; 皇甫 皇甫 huang fu; 宗政 宗政 zong zheng; 濮阳 濮陽 pu yang;
公冶 公冶 gong ye; 太叔 太叔 tai shu; 申屠 申屠 shen tu; 公孙 公孫 gong sun; 慕容 慕容 mu rong; 仲孙 仲孫 zhong sun;
钟离 鍾離 zhong li; 长孙 長孫 zhang sun; 宇文 宇文 yu wen; 司徒 司徒 si tu; 鲜于 鮮于 xian yu; 司空 司空 si kong;
闾丘 閭丘 lv qiu; 子车 子車 zi ju; 亓官 亓官 qi guan; 司寇 司寇 si kou; 巫马 巫馬 wu ma; 公西 公西 gong xi; 颛孙 顓孫 zhuan sun;
壤驷 壤駟 rang si; 公良 公良 gong liang; 漆雕 漆雕 qi diao; 乐正 樂正 yue zheng; 宰父 宰父 zai fu; 谷梁 穀梁 gu liang;
拓跋 拓跋 tuo ba; 夹谷 夾谷 jia gu; 轩辕 軒轅 xuan yuan; 令狐 令狐 ling hu; 段干 段干 duan gan; 百里 百里 bai li;
呼延 呼延 hu yan; 东郭 東郭 dong guo; 南门 南門 nan men; 羊舌 羊舌 yang she; 微生 微生 wei sheng; 梁丘 梁丘 liang qiu;
左丘 左丘 zuo qiu; 西门 西門 xi men; 第五 第五 di wu; 南荣 南榮 nan rong; 东里 東里 dong li; 即墨 即墨 ji mo;
达奚 達奚 da xi; 褚师 褚師 chu shi; 纳兰 納蘭 na lan; 叶赫 葉赫 ye he; 爱新 愛新 ai xin
"""


def _single() -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in _SINGLE.replace("\n", " ").split(";"):
        reading, *characters = entry.split()
        found.update((character, reading) for character in characters if len(character) == 1)
    return found


def _compound() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for entry in _COMPOUND.replace("\n", " ").split(";"):
        simplified, traditional, first, second = entry.split()
        found[simplified] = found[traditional] = (first, second)
    return found


SINGLE: Final = _single()
"""Surname of one character → its reading."""
COMPOUND: Final = _compound()
"""Surname of two characters → its two readings."""
