"""Scores in words: how far a set lies from real haplotypes, and what that means."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hapforge.evaluation.controls import REAL_HALF
from hapforge.report.data import EQUAL_N, Score, ScoreText, Verdict


def judge(
    sets: list[str], scores: Mapping[str, Mapping[str, Score]], texts: Mapping[str, ScoreText]
) -> dict[str, dict[str, Verdict]]:
    """A verdict on every score that has a rule, at equal n where the score is taken there.

    Parameters
    ----------
    sets : names of the sets to judge
    scores : {set or control: {score name: Score}}
    texts : {score name: ScoreText}

    Returns
    -------
    {set: {score name: Verdict}}
    """
    judged: dict[str, dict[str, Verdict]] = {name: {} for name in sets}
    for key, text in texts.items():
        if text.rule is None or key + EQUAL_N in texts:
            continue
        for name in sets:
            if key in scores[name]:
                judged[name][key] = _verdict(text, scores[name][key], scores.get(REAL_HALF, {}).get(key))
    return judged


def _verdict(text: ScoreText, found: Score, control: Score | None) -> Verdict:
    assert text.rule is not None
    close, far, below, above = text.rule
    heading = text.heading.removesuffix(" (equal n)")
    sides = {"higher": "below", "lower": "above", "control": "from"}[text.better]
    rule = f"good: at most {close:g} {sides} the real half's; poor: more than {far:g}"
    if control is None or not math.isfinite(control.value) or not math.isfinite(found.value):
        return Verdict("unknown", f"{heading} could not be judged", rule)
    rule += f" (real half: {control.value:.3g})"
    gap = found.value - control.value
    worse = {"higher": -gap, "lower": gap, "control": abs(gap)}[text.better]
    if worse <= close:
        return Verdict("good", f"{heading} {found.value:.3g}: as real haplotypes", rule)
    meaning = above if gap > 0 else below
    return Verdict("poor" if worse > far else "fair", f"{heading} {found.value:.3g}: {meaning}", rule)
