"""Maps and their faithfulness in plain words."""

from __future__ import annotations

from dessin.experiments.explain.outcome import Measure, MethodRow, Verdict
from dessin.runs.record import Result

# A gain in area below this is none, however sure: a model that hardly looks at the drawing gives such.
SMALLEST = 0.01
METHOD_NAMES = {"gradcam": "Grad-CAM", "hirescam": "HiResCAM", "occlusion": "Occlusion"}
MEANING = {
    "gradcam": "a gradient of the class at the last feature map, averaged over the picture, times that map",
    "hirescam": "the same gradient place by place, times the map",
    "occlusion": "what the class loses where a cell of the drawing is covered with paper; no gradient in it",
}
_CONCLUSION: dict[Verdict, str] = {
    "faithful": "The maps mark what the answers rest on better than chance does.",
    "partly faithful": "One test speaks for the maps and the other cannot tell: trust them with care.",
    "not shown": "It was not shown that the maps mark what the answers rest on: do not trust a single one.",
    "misleading": "In one of the two tests maps that know nothing do better: do not trust these.",
}

_ONLY_INK = "what they gain over random maps may be no more than knowing where something is drawn."


def judged(deletion: Measure, insertion: Measure) -> tuple[Verdict, str]:
    """Whether maps beat random ones: a deletion curve should lie lower, an insertion curve higher."""
    gains = (_negative(deletion.over_random), insertion.over_random)
    for_maps = sum(_is_better(gain) for gain in gains)
    if any(_is_better(_negative(gain)) for gain in gains):
        verdict: Verdict = "misleading"
    elif for_maps:
        verdict = "faithful" if for_maps == len(gains) else "partly faithful"
    else:
        verdict = "not shown"
    return (
        verdict,
        f"{_tests(deletion, insertion)} {_CONCLUSION[verdict]} {_against_ink(deletion, insertion)}",
    )


def judged_short(row: MethodRow) -> str:
    """How the maps stand against random ones and against those of the ink, in a few words."""
    against_random = _standing(_negative(row.deletion.over_random), row.insertion.over_random)
    against_ink = _standing(_negative(row.deletion.over_ink), row.insertion.over_ink)
    if against_random == against_ink:
        return f"{against_random} random maps, and maps of the ink alone"
    return f"{against_random} random maps, {against_ink} maps of the ink alone"


def difference(result: Result, *, digits: int = 3) -> str:
    """`−0.082 [−0.110, −0.055]`."""
    value, low, high = (_signed(number, digits) for number in (result.value, result.low, result.high))
    return f"{value} [{low}, {high}]"


def tick(value: float) -> str:
    """`−0.05`; nothing before a zero."""
    return "0" if value == 0 else f"{value:+.2g}".replace("-", "−")


def _tests(deletion: Measure, insertion: Measure) -> str:
    n = deletion.maps.n
    return (
        f"Where the marked places go first, the area under the curve is {deletion.maps.value:.3f}, against "
        f"{deletion.random.value:.3f} for random maps ({difference(deletion.over_random)}, lower is better); "
        f"where they come first, {insertion.maps.value:.3f} against {insertion.random.value:.3f} "
        f"({difference(insertion.over_random)}, higher is better); n\u00a0=\u00a0{n}."
    )


def _against_ink(deletion: Measure, insertion: Measure) -> str:
    gains = (_negative(deletion.over_ink), insertion.over_ink)
    numbers = f"deletion {difference(deletion.over_ink)}, insertion {difference(insertion.over_ink)}"
    if all(_is_better(gain) for gain in gains):
        return f"They say more than where the ink is ({numbers})."
    if all(_is_better(_negative(gain)) for gain in gains):
        return (
            f"A map of the ink alone, which knows nothing of the model, does better ({numbers}): {_ONLY_INK}"
        )
    return f"Whether they say more than where the ink is stays open ({numbers}): {_ONLY_INK}"


def _negative(result: Result) -> Result:
    return Result(value=-result.value, low=-result.high, high=-result.low, n=result.n)


def _standing(taken: Result, shown: Result) -> str:
    """Of two gains: better than, worse than, or neither."""
    if _is_better(taken) and _is_better(shown):
        return "better than"
    if _is_better(_negative(taken)) and _is_better(_negative(shown)):
        return "worse than"
    return "not clearly better than"


def _is_better(gain: Result) -> bool:
    return gain.low > 0 and gain.value >= SMALLEST


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text if text.strip("+−0.") else text[1:]
