"""Which places of two model documents differ: first what can move a number, and most directly.

Members of lists are told apart by id; where they have none, by content, label and position, so that
one that was added, removed or moved is said to be so. What `study.ignore` names comes last.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

from ingest.planning.input_changes import InputChange, InputKind, value_texts

# Two members without id are one that was edited when they share this part of their content.
_ALIKE = 0.5
_LABELS = ("label", "name", "method")
_SUM_NOUNS = dict.fromkeys(("x", "y", "color"), "layout value") | dict.fromkeys(
    ("description", "narration"), "text"
)
_NAMED_MOVES = 3
# So many members that came or went alike, and have words of their labels in common, are one change.
_GROUPED = 4
_SHARED_PATHS = ("generate_array.parameters.", "generate_array.")
_LONGEST_RECIPE = 60


def document_changes(old: Any, new: Any, ignore: Iterable[str] = ()) -> list[InputChange]:
    """Every difference, none where both are the same but for the order of keys.

    ignore: JSONPaths of what is no input; a difference there says what a sum calls it.
    """
    paths = tuple(ignore)
    found = _changes(_marked(old, paths), _marked(new, paths), _Place())
    return [change for _, change in sorted(found, key=lambda ranked: ranked[0])]


def place_name(document: Any, location: Sequence[int | str]) -> str:
    """A place as changes name it: node 'Population': country."""
    place = _Place()
    for key in location:
        if isinstance(key, str):
            place = place.member(key)
        elif _have_ids(document):
            place = place.by_id(document[key], _repeated_labels(document))
        else:
            place = place.numbered(key, document[key])
        document = document[key]
    return place.text


@dataclass(frozen=True)
class _Ignored:
    """Stands for a value that is no input."""

    value: Any


def _marked(document: Any, paths: Sequence[str]) -> Any:
    """A copy of the document in which what is no input is told by its type."""
    from ingest.study.json_paths import places, value_at

    document = pickle.loads(pickle.dumps(document))
    for *parent, key in places(document, paths):
        holder = value_at(document, tuple(parent))
        holder[key] = _Ignored(holder[key])
    return document


@dataclass(frozen=True)
class _Place:
    """Where in the documents; head: the member of a list that it lies in, "node 'Population': ".

    keys: the way to it, for its rank. The rest of its text is path, without what all members have.
    """

    head: str = ""
    path: str = ""
    keys: tuple[str, ...] = ()
    is_ignored: bool = False

    @property
    def text(self) -> str:
        path = self.path
        for shared in _SHARED_PATHS if self.head else ():
            path = path.removeprefix(shared)
        return (self.head + path).removesuffix(": ") or "document"

    @property
    def noun(self) -> str:
        """What a member of the list is called that stands here."""
        return self.path.removesuffix("s") or "member"

    def member(self, key: str) -> _Place:
        path = f"{self.path}.{key}" if self.path else key
        return replace(self, path=path, keys=(*self.keys, key))

    def by_id(self, entry: Any, repeated: Container[str]) -> _Place:
        """A member by its label; by its id, too, where others have the same label."""
        label, name = _label(entry), entry["id"]
        name = f"'{label}' ({name})" if label in repeated else f"'{label}'" if label else name
        return self._within(f"{self.noun} {name}")

    def numbered(self, index: int, value: Any) -> _Place:
        """A member without id, by its position and label."""
        label = _label(value)
        return self._within(f"{self.noun} {index + 1}" + (f" '{label}'" if label else ""))

    def _within(self, member: str) -> _Place:
        return replace(self, head=f"{self.head}{member}: ", path="", keys=(*self.keys, "[]"))


_Ranked = tuple[int, InputChange]


def _ranked(place: _Place, name: str, *values: str | None, is_member: bool = False) -> _Ranked:
    """A change with its rank; is_member: it is one of a list that came or went."""
    before, after = values or (None, None)
    change = InputChange(InputKind.MODEL, name, before, after, _sum_noun(place))
    return _rank(place, is_member), change


def _rank(place: _Place, is_member: bool) -> int:
    first = place.keys[0] if place.keys else ""
    if place.is_ignored:
        return 5
    if first == "runtime":
        return 0
    if first in ("nodes", "links"):
        return 1 if "generate_array" in place.keys[2:3] else 2 if is_member else 4
    return 3 if first == "subroutines" else 4


def _sum_noun(place: _Place) -> str:
    if not place.is_ignored:
        return ""
    if place.keys[0] == "metadata":
        return "metadata value"
    return _SUM_NOUNS.get(place.keys[-1], "value of study.ignore")


def _changes(old: Any, new: Any, place: _Place) -> Iterator[_Ranked]:
    if _text(old) == _text(new):
        return
    if isinstance(old, _Ignored) or isinstance(new, _Ignored):
        is_ignored = isinstance(old, _Ignored) and isinstance(new, _Ignored)
        place = replace(place, is_ignored=place.is_ignored or is_ignored)
        yield from _changes(_bare(old), _bare(new), place)
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*new, *old]):
            if key in old and key in new:
                yield from _changes(old[key], new[key], place.member(key))
            else:
                yield _came_or_went(old, new, key, place.member(key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_changes(old, new, place)
    else:
        yield _ranked(place, place.text, *value_texts((_plain(old),), (_plain(new),)))


def _came_or_went(old: Any, new: Any, key: str, place: _Place) -> _Ranked:
    value = old[key] if key in old else new[key]
    place = replace(place, is_ignored=place.is_ignored or isinstance(value, _Ignored))
    sides = ((_plain(value),), ()) if key in old else ((), (_plain(value),))
    return _ranked(place, place.text, *value_texts(*sides))


def _list_changes(old: list[Any], new: list[Any], place: _Place) -> Iterator[_Ranked]:
    ignored = [[entry.value for entry in s if isinstance(entry, _Ignored)] for s in (old, new)]
    if any(ignored):
        counted = [[entry for entry in s if not isinstance(entry, _Ignored)] for s in (old, new)]
        yield from _changes(counted[0], counted[1], place)
        yield from _changes(ignored[0], ignored[1], replace(place, is_ignored=True))
        return
    if _have_ids([*old, *new]):
        pairs = _equal_pairs([entry["id"] for entry in old], [entry["id"] for entry in new])
    elif all(isinstance(entry, dict) for entry in [*old, *new]):
        pairs = _alike_pairs(old, new)
    elif all(isinstance(entry, str) for entry in [*old, *new]):
        pairs = _equal_pairs(old, new)
    else:
        is_ignored = place.is_ignored or _text(_inputs(old)) == _text(_inputs(new))
        place = replace(place, is_ignored=is_ignored)
        yield _ranked(place, place.text, *value_texts((_plain(old),), (_plain(new),)))
        return
    repeated = _repeated_labels(old) | _repeated_labels(new)
    gone = sorted(set(range(len(old))) - {before for before, _ in pairs})
    yield from _members_changes(old, gone, place, repeated, "removed")
    partners = {after: before for before, after in pairs}
    came = [index for index in range(len(new)) if index not in partners]
    yield from _members_changes(new, came, place, repeated, "added")
    for index, before in sorted(partners.items()):
        member = _member_place(new, index, place, repeated)
        yield from _changes(old[before], new[index], member)
    yield from _moves(new, pairs, place, repeated)


def _repeated_labels(entries: Any) -> set[str]:
    """The labels that members of a list with ids share."""
    if not _have_ids(entries):
        return set()
    ids: dict[str, set[str]] = {}
    for entry in entries:
        ids.setdefault(_label(entry), set()).add(entry["id"])
    return {label for label, own in ids.items() if label and len(own) > 1}


def _member_place(
    entries: list[Any], index: int, place: _Place, repeated: Container[str]
) -> _Place:
    entry = entries[index]
    return place.by_id(entry, repeated) if _have_ids(entries) else place.numbered(index, entry)


def _member_name(entries: list[Any], index: int, place: _Place, repeated: Container[str]) -> str:
    """node 'Population', subroutine 44 'echo', the text itself in a list of texts."""
    entry = entries[index]
    if isinstance(entry, str):
        return entry
    return _member_place(entries, index, replace(place, head=""), repeated).text


def _members_changes(
    entries: list[Any], indexes: Sequence[int], place: _Place, repeated: Container[str], verb: str
) -> Iterator[_Ranked]:
    """Members that came or went: each by name, many with alike labels together."""
    shared = _shared_words([_label(entries[index]) for index in indexes])
    if len(indexes) >= _GROUPED and shared:
        text = f"{place.head}{len(indexes):,} {place.path} labelled '{shared}' {verb}"
        yield _ranked(place, text, is_member=True)
        return
    word = {"added": "to", "removed": "from"}[verb]
    for index in indexes:
        name = _member_name(entries, index, place, repeated)
        end = f" {word} {place.path}" if isinstance(entries[index], str) else ""
        end += _recipe(entries[index]) if verb == "added" else ""
        yield _ranked(place, f"{place.head}{name} {verb}{end}", is_member=True)


def _shared_words(labels: Sequence[str]) -> str:
    """What all labels end or begin with, in whole words: "... PIN"; empty without such words."""
    words = [label.split() for label in labels]
    if ends := _common([own[::-1] for own in words])[::-1]:
        return " ".join(["...", *ends])
    begins = _common(words)
    return " ".join([*begins, "..."]) if begins else ""


def _common(lists: Iterable[list[str]]) -> list[str]:
    """What all lists begin with."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*lists, strict=False))
    return [column[0] for column in columns]


def _recipe(entry: Any) -> str:
    """How a member gets its values: " (single_value 0.031)"; empty where it has no method."""
    made = entry.get("generate_array") if isinstance(entry, dict) else None
    if not isinstance(made, dict) or not isinstance(made.get("method"), str):
        return ""
    parameters = made.get("parameters")
    named = parameters if isinstance(parameters, dict) else {}
    texts = [
        _text(value) if len(named) == 1 else f"{n} {_text(value)}" for n, value in named.items()
    ]
    recipe = f"{made['method']} {', '.join(texts)}".strip()
    return f" ({recipe if len(recipe) <= _LONGEST_RECIPE else recipe[:_LONGEST_RECIPE] + '...'})"


def _moves(
    new: list[Any], pairs: Sequence[tuple[int, int]], place: _Place, repeated: Container[str]
) -> Iterator[_Ranked]:
    """Members that stand elsewhere among those that both lists have."""
    before = [index for index, _ in sorted(pairs)]
    after = [index for index, _ in sorted(pairs, key=lambda pair: pair[1])]
    kept = {before[index] for index, _ in _in_order(before, after)}
    moved = [(old, index) for old, index in sorted(pairs, key=lambda p: p[1]) if old not in kept]
    within = f" in {place.path}" if moved and isinstance(new[moved[0][1]], str) else ""
    if len(moved) <= _NAMED_MOVES and all(was != index for was, index in moved):
        for was, index in moved:
            name = _member_name(new, index, place, repeated)
            where = f"{within or _where(new, index)} (from {was + 1} to {index + 1})"
            yield _ranked(place, f"{place.head}{name} moved{where}")
    else:
        names = ", ".join(_member_name(new, index, place, repeated) for _, index in moved)
        yield _ranked(place, f"{place.head}order of {place.path}: {names} moved")


def _where(entries: list[Any], index: int) -> str:
    """Before which member one stands now, where that has a label."""
    if index + 1 == len(entries):
        return " to the end"
    label = _label(entries[index + 1])
    return f" before '{label}'" if label else ""


def _in_order(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[int, int]]:
    """Which member of old is which of new, of those that kept their order."""
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]


def _equal_pairs(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Which member of old is which of new: those in the same order first, then all equal ones."""
    pairs = _in_order(old, new)
    taken = {index for _, index in pairs}
    left: dict[str, list[int]] = {}
    for index, key in enumerate(new):
        if index not in taken:
            left.setdefault(key, []).append(index)
    known = {index for index, _ in pairs}
    pairs += [
        (index, left[key].pop(0))
        for index, key in enumerate(old)
        if index not in known and left.get(key)
    ]
    return pairs


def _alike_pairs(old: list[Any], new: list[Any]) -> list[tuple[int, int]]:
    """Pairs of members without id: the equal ones, then those that are most alike and nearest."""
    pairs = _equal_pairs(*([_text(_inputs(entry)) for entry in side] for side in (old, new)))
    gone = set(range(len(old))) - {before for before, _ in pairs}
    came = set(range(len(new))) - {after for _, after in pairs}
    candidates = [
        (-likeness, abs(before - after), before, after)
        for before in gone
        for after in came
        if (likeness := _likeness(old[before], new[after])) >= _ALIKE
    ]
    for _, _, before, after in sorted(candidates):
        if before in gone and after in came:
            pairs.append((before, after))
            gone.remove(before)
            came.remove(after)
    return pairs


def _likeness(old: dict[str, Any], new: dict[str, Any]) -> float:
    """The part of the keys that hold the same, 0 to 1, and 1 more for the same label."""
    keys = old.keys() | new.keys()
    same = sum(_shared(old[key], new[key]) for key in old.keys() & new.keys())
    return same / max(len(keys), 1) + (_label(old) == _label(new) != "")


def _shared(old: Any, new: Any) -> float:
    if isinstance(old, list) and isinstance(new, list) and (old or new):
        members = [set(map(_text, side)) for side in (old, new)]
        return 2 * len(members[0] & members[1]) / sum(map(len, members))
    return float(_text(old) == _text(new))


def _have_ids(entries: Any) -> bool:
    """Whether every member of a list has a text as id that no other one has on its side."""
    return (
        isinstance(entries, list)
        and bool(entries)
        and all(isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in entries)
    )


def _label(value: Any) -> str:
    texts = (value.get(key) for key in _LABELS) if isinstance(value, dict) else ()
    return next((text for text in texts if isinstance(text, str)), "")


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, _Ignored) else value


def _plain(value: Any) -> Any:
    """The value as it was before it was marked."""
    return json.loads(_text(value))


def _inputs(value: Any) -> Any:
    """The value without what is no input."""
    if isinstance(value, dict):
        return {k: _inputs(v) for k, v in value.items() if not isinstance(v, _Ignored)}
    if isinstance(value, list):
        return [_inputs(v) for v in value if not isinstance(v, _Ignored)]
    return value


def _text(value: Any) -> str:
    """The one text of a value, marked or not."""
    return json.dumps(value, sort_keys=True, default=lambda marked: marked.value)
