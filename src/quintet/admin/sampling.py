"""A few people and a group of the directory, found by browsing: names to run the tasks with."""

from dataclasses import dataclass

from quintet.directory import Container, Directory, Group, Person

_MOST_LEVELS = 12


@dataclass(frozen=True, slots=True)
class Sample:
    """`place` is a level that holds people, or None when none was found."""

    people: tuple[Person, ...] = ()
    group: Group | None = None
    place: str | None = None


async def sample(directory: Directory, *, people: int = 1) -> Sample:
    """Browse, level by level, until so many people and a group are found, or a dozen levels were read.

    Raises what `Directory.browse` raises.
    """
    levels: list[str | None] = [None]
    found: list[Person] = []
    group: Group | None = None
    place: str | None = None
    for _ in range(_MOST_LEVELS):
        if not levels or (len(found) >= people and group):
            break
        level = levels.pop(0)
        for entry in (await directory.browse(level)).entries:
            match entry:
                case Container():
                    levels.append(entry.dn)
                case Person():
                    found.append(entry)
                    place = place or level
                case Group():
                    group = group or entry
    return Sample(tuple(found[:people]), group, place)
