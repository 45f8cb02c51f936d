"""Histories of edits, a model that uses what they touch, and an oracle: the causes name each edit
that moved a number, and an edit that moves none runs nothing where it is no input.
"""

from __future__ import annotations

import copy
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from ingest.study.compose import compose_scenarios
from tests.effort import examples
from tests.planning.test_plan import plan, study_of, succeeded

METHODS = ("flush", "age", "echo", "roll", "grow", "births")
NODES = tuple(f"n{number}" for number in range(7))
ORDER = "order of subroutines"
LINKS = tuple(f"l{number}" for number in range(5))


# --- the study: a document, two scenarios, and a model of all that can move a number -------------


def entry(name: str, value: float, **more: Any) -> dict[str, Any]:
    parameters = {"value": value, "series": [value, value + 1, value + 2]}
    generate = {"method": "single_value", "parameters": parameters}
    return {"id": name, "label": f"Label-{name}", "generate_array": generate, **more}


def base() -> dict[str, Any]:
    """The files of a study as one value: the document, and the scenarios by name."""
    nodes = [
        entry(name, i, x=i, y=i, color="red", description="Text") for i, name in enumerate(NODES)
    ]
    nodes[0]["generate_array"]["parameters"]["country"] = "AFG"
    links = [entry(name, i, source="n0", target="n1") for i, name in enumerate(LINKS)]
    subroutines = [
        {"method": method, "narration": "Text", "step": i, "included": ["n0", "n1", "n2"]}
        for i, method in enumerate(METHODS)
    ]
    document = {
        "metadata": {"version": 1, "author": "A", "file_id": "x"},
        "runtime": {"startYear": 2025, "endYear": 2028, "iterations": 1},
        "nodes": nodes,
        "links": links,
        "subroutines": subroutines,
    }
    country = {"value": "AFG", "paths": [path("nodes", "n0").replace(".value", ".country")]}
    coverage = {"value": 0.5, "paths": [path("nodes", "n1"), path("nodes", "n2")]}
    plain = {"parameters": {"Country": country}}
    scale_up = {"parameters": {"Country": country, "Coverage": coverage}}
    return {"document": document, "scenarios": {"plain": plain, "scale_up": scale_up}}


def path(kind: str, name: str) -> str:
    return f"$.{kind}[?(@.id=='{name}')].generate_array.parameters.value"


def simulate(document: dict[str, Any]) -> list[float]:
    """Numbers that depend on every input there is, and on no layout, text or metadata."""
    runtime = document["runtime"]
    state = float(runtime.get("iterations", 0))
    for kind in ("nodes", "links"):
        for part in document[kind]:
            generate = part["generate_array"]
            values = generate["parameters"]
            weight = crc32(f"{kind}{part['id']}{generate['method']}".encode()) % 97 + 1
            state += weight * (values["value"] + sum(values["series"]))
            state += sum(map(ord, values.get("country", "")))
    for subroutine in document["subroutines"]:
        state = state * 1.5 + len(subroutine["method"]) + subroutine["step"]
        for place, name in enumerate(subroutine["included"], 1):
            state += place * (crc32(name.encode()) % 89)
    return [state * year for year in range(runtime["startYear"], runtime["endYear"])]


def numbers(files: dict[str, Any]) -> dict[str, list[float]]:
    """What the model says for Kenya, by scenario."""
    study = study_of(files["scenarios"], ("KEN",), files["document"])
    composed = compose_scenarios(study.model, study.scenarios)
    return {name: simulate(json.loads(c.document("KEN"))) for name, c in composed.items()}


# --- edits ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit:
    """One edit; told: what a change that names it matches. Edits of one target exclude others."""

    target: str
    apply: Callable[[dict[str, Any]], None]
    told: str
    is_input: bool = True


def member(files: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    members: list[dict[str, Any]] = files["document"][kind]
    found = [m for m in members if name in (m.get("id"), m.get("method"))]
    if not found:
        raise KeyError(name)
    return found[0]


def drop(files: dict[str, Any], kind: str, name: str) -> None:
    files["document"][kind].remove(member(files, kind, name))


def possible_edits(rng: random.Random) -> Iterator[Edit]:
    """One edit of each kind for each target, with random values."""
    value = rng.randint(10, 99)
    for kind, names in (("nodes", NODES), ("links", LINKS)):
        for name in names:
            yield from edits_of_part(kind, name, value)
        yield edit_of_new_part(kind, rng.randint(0, 3), value)
    yield from edits_of_runtime(value)
    for method in METHODS:
        yield from edits_of_subroutine(rng, method, value)
    yield from edits_of_scenario(value)
    yield from edits_without_weight(value)


def edit_of_new_part(kind: str, place: int, value: int) -> Edit:
    def add(files: dict[str, Any]) -> None:
        files["document"][kind].insert(place, entry("new", value, x=1))

    return Edit(f"{kind} new", add, rf"{kind[:-1]} 'Label-new' added")


def edits_of_part(kind: str, name: str, value: int) -> Iterator[Edit]:
    target, place = f"{kind} {name}", f"{kind[:-1]} 'Label-{name}'"

    def set_value(files: dict[str, Any]) -> None:
        member(files, kind, name)["generate_array"]["parameters"]["value"] = value

    def set_method(files: dict[str, Any]) -> None:
        member(files, kind, name)["generate_array"]["method"] = "cubic"

    def set_series(files: dict[str, Any]) -> None:
        member(files, kind, name)["generate_array"]["parameters"]["series"][2] = value

    yield Edit(target, set_value, rf"{place}: value \d+ -> {value}$")
    yield Edit(target, set_method, rf"{place}: method single_value -> cubic")
    yield Edit(target, set_series, rf"{place}: series \[.* -> \[.*{value}\]")
    if name not in (*NODES[:3], "l0"):  # a scenario sets these
        yield Edit(target, lambda files: drop(files, kind, name), rf"{place} .*removed")


def edits_of_runtime(value: int) -> Iterator[Edit]:
    for key, new in (("endYear", 2030), ("startYear", 2020), ("iterations", value)):
        yield Edit(
            f"runtime {key}",
            lambda files, key=key, new=new: files["document"]["runtime"].update({key: new}),
            rf"runtime\.{key} (\d+ ->|added:) {new}",
        )
    yield Edit(
        "runtime iterations",
        lambda files: files["document"]["runtime"].pop("iterations"),
        r"runtime\.iterations removed",
    )


def edits_of_subroutine(rng: random.Random, method: str, value: int) -> Iterator[Edit]:
    target, place = f"subroutine {method}", rf"subroutine \d+ '{method}'"

    def edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
        return lambda files: change(member(files, "subroutines", method)) and None

    yield Edit(target, edit(lambda s: s.update(step=value)), rf"{place}: step \d+ -> {value}")
    yield Edit(
        target, edit(lambda s: s["included"].append("DsFree")),
        rf"{place}: DsFree added to included",
    )  # fmt: skip
    yield Edit(
        target, edit(lambda s: s["included"].remove("n1")), rf"{place}: n1 removed from included"
    )
    yield Edit(
        target,
        edit(lambda s: s["included"].reverse()),
        rf"{place}: (order of included: .*n\d moved|n\d moved in included)",
    )
    yield Edit(target, lambda f: drop(f, "subroutines", method), rf"{place} removed")

    place_after = rng.randint(0, len(METHODS))

    def move(files: dict[str, Any]) -> None:
        subroutines = files["document"]["subroutines"]
        moved = [s for s in subroutines if s["method"] == method]
        others = [s for s in subroutines if s["method"] != method]
        files["document"]["subroutines"] = others[:place_after] + moved + others[place_after:]

    yield Edit(ORDER, move, r"\bmoved")
    name = f"new{rng.randrange(10**6)}"
    new = {"method": name, "step": value, "included": [], "narration": "New"}
    yield Edit(
        "subroutine new",
        lambda files: files["document"]["subroutines"].insert(2, dict(new)),
        rf"subroutine \d+ '{name}' added",
    )


def edits_of_scenario(value: int) -> Iterator[Edit]:
    def coverage(files: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = files["scenarios"]["scale_up"]["parameters"]["Coverage"]
        return found

    yield Edit(
        "scale_up value",
        lambda files: coverage(files).update(value=value),
        rf"Coverage [\d.]+ -> {value}",
    )
    yield Edit(
        "scale_up added path",
        lambda files: coverage(files)["paths"].append(path("links", "l0")),
        r"Coverage: path .*l0.* added, reaches link 'Label-l0': value",
    )
    yield Edit(
        "scale_up removed path",
        lambda files: coverage(files)["paths"].remove(path("nodes", "n2")),
        r"Coverage: path .*n2.* removed, reached node 'Label-n2': value",
    )


def edits_without_weight(value: int) -> Iterator[Edit]:
    def spread(files: dict[str, Any]) -> None:
        for node in files["document"]["nodes"]:
            node |= {"x": value, "y": value / 7, "color": f"#{value}"}

    def rewrite(files: dict[str, Any]) -> None:
        for subroutine in files["document"]["subroutines"]:
            subroutine["narration"] = f"Words {value}"

    yield Edit("layout", spread, "layout value", is_input=False)
    yield Edit("texts", rewrite, "text", is_input=False)
    yield Edit(
        "metadata",
        lambda files: files["document"].update(metadata={"version": value}),
        "metadata value",
        is_input=False,
    )
    for node in NODES[:3]:
        yield Edit(
            f"description {node}",
            lambda files, node=node: member(files, "nodes", node).update(description="New"),
            "text",
            is_input=False,
        )


def choose_edits(rng: random.Random) -> list[Edit]:
    """A few edits of different targets; sometimes none of them is input."""
    pool = list(possible_edits(rng))
    if rng.random() < 0.15:
        pool = [edit for edit in pool if not edit.is_input]
    rng.shuffle(pool)
    chosen = {edit.target: edit for edit in pool}
    return list(chosen.values())[: rng.choice((1, 1, 2, 3, 5, 12))]


def edited(files: dict[str, Any], edits: list[Edit]) -> dict[str, Any]:
    """The files with the edits; positions are drawn anew by none of them."""
    after = copy.deepcopy(files)
    # a subroutine that moves is moved last, so that the others find what they look for
    for edit in sorted(edits, key=lambda edit: edit.target == ORDER):
        edit.apply(after)
    return after


# --- the property --------------------------------------------------------------------------------


def check(seed: int) -> int:
    """One history; returns how many edits of it moved a number."""
    rng = random.Random(seed)
    before = edited(base(), choose_edits(rng))
    left = [e for e in choose_edits(rng) if fits(before, e)]
    steps = [edited(before, left[:number]) for number in range(len(left) + 1)]
    after = steps[-1]
    old, new = numbers(before), numbers(after)
    study_before = study_of(before["scenarios"], ("KEN",), before["document"])
    study_after = study_of(after["scenarios"], ("KEN",), after["document"])
    made = plan(study_after, succeeded(study_before))
    reasons = {job.combination.scenario: job.reason for job in made.to_run}
    count = 0
    for name in old:
        moving = [
            edit
            for edit, (first, second) in zip(left, itertools.pairwise(steps), strict=True)
            if numbers(first)[name] != numbers(second)[name]
            if edit.target != ORDER or common_order(before, after) != common_order(after, before)
        ]
        if old[name] != new[name]:
            assert name in reasons, f"seed {seed}: numbers of {name} moved, and it does not run"
        if name not in reasons:
            continue
        cause = reasons[name].cause
        assert cause is not None
        shown = [cause.told([name]), *cause.more()]
        texts = [str(change) for change in cause.changes]
        for edit in moving:
            count += 1
            told = [text for text in texts if re.search(edit.told, text)]
            assert told, f"seed {seed}: {edit.target} is missing in {texts}"
            assert any(one in line for one in told for line in shown), f"seed {seed}: {edit.target}"
    if not any(edit.is_input for edit in left):
        assert not reasons, f"seed {seed}: {[e.target for e in left]} are no input"
        assert old == new
    return count


def common_order(files: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The subroutines that the other files have, too, in their order."""
    names = [[s["method"] for s in f["document"]["subroutines"]] for f in (files, other)]
    return [name for name in names[0] if name in names[1]]


def fits(files: dict[str, Any], edit: Edit) -> bool:
    """Whether an edit finds its target in files that were edited before, and changes them."""
    try:
        return edited(files, [edit]) != files
    except (IndexError, KeyError, ValueError):
        return False


def test_causes_name_every_edit_that_moved_a_number() -> None:
    moved = sum(check(seed) for seed in range(examples(60, 5_000)))
    assert moved > 200
