"""Chinese names for the streets and places of a town that does not exist."""

from __future__ import annotations

_FIRST = "澄柳竹松梅兰桂杏桃枫槐桐荷莲云霞星月春秋晨朝金银玉珠青翠碧紫永长安宁文礼仁和"
_SECOND = "溪湾桥岭坡塘浦亭台园泉林阳山潭井堂门坊苑渡峰屏原畈洲滨庭"
_YARDS = ("翠竹苑", "望溪里", "桂花园", "安居里", "枫林小区", "荷塘新村", "银杏园", "临江里")

TOWN = "澄湾"
WORKS = ("澄湾第一水厂", "澄湾第二水厂")
TANK = "北岭高位水池"
CRITICAL = {
    "hospital": "澄湾人民医院",
    "dialysis": "澄湾血液透析中心",
    "school": "澄湾实验小学",
    "fire": "澄湾消防救援站",
}
DEPOTS = ("澄湾抢修东站", "澄湾抢修西站")


def street_names(eastward: int, northward: int) -> list[str]:
    """Name every street: those that run east first. No name is given twice."""
    words = [first + second for second in _SECOND for first in _FIRST]
    # Strides without a common factor visit every word once, neighbours unlike each other.
    count, stride = len(words), 523
    names = []
    for number in range(eastward + northward):
        word = words[number * stride % count]
        turn = number // count
        road = "路" if number < eastward else "街"
        names.append(f"{word}{'北中南'[turn - 1] if turn else ''}{road}")
    return names


def yard_name(number: int) -> str:
    """Name a courtyard."""
    return _YARDS[number % len(_YARDS)]


def address(street: str, number: int, yard: str | None, building: int) -> str:
    """Write an address: street and number, and the building where there is a courtyard."""
    if yard is None:
        return f"{street}{number}号"
    return f"{street}{number}号{yard}{building}幢"
