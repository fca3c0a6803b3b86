"""Scores in words: how far a set lies from real haplotypes, and what that means.

A score is judged by its difference from that of the real half at the same n, and the difference has a 95 % interval,
from those of both scores (Zou and Donner 2008). With the `Rule(close, far)` of a score:

- good: at most `close` worse, or not surely worse, and surely not more than `far` worse;
- poor: more than `far` worse, and surely more than `close`;
- fair: surely worse, between the two;
- unknown: too few to tell (the interval holds both no difference and more than `far`), or nothing to compare with.

A privacy score is compared with that of the held-out persons or with 0, whichever is greater.

Below `MIN_HAPLOTYPES` haplotypes a side nothing is judged. A score without an interval is taken as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hapforge.evaluation.controls import HOLDOUT, REAL_HALF
from hapforge.metrics._intervals import Interval, combine, wilson
from hapforge.report.data import EQUAL_N, Rule, Score, ScoreText, Verdict

MIN_HAPLOTYPES = 50
SHARES = {
    "identical_to_real": Rule(0.02, 0.05, "", "copies"),
    "fixed_sites": Rule(0.03, 0.1, "", "variation is lost"),
}
"""Rules of headlines for counts, as shares of the rows or sites."""
NOWHERE = (math.nan, math.nan)
AS = {REAL_HALF: "real haplotypes", HOLDOUT: "held-out haplotypes"}
COPIES = ("nearer_than_real", "identical_to_real", "privacy_score")
NEEDED = ("aa_truth", "aa_syn", "af_r_low", "ld_score", "pca_wasserstein")
"""What must be good before a set is called as good as real haplotypes."""

Level = Literal["good", "fair", "poor", "unknown"]
Scores = Mapping[str, Mapping[str, Score]]


@dataclass(frozen=True)
class Judgement:
    """A value against that of a control.

    Attributes
    ----------
    level : "good", "fair", "poor" or "unknown", as in `Verdict`
    value, control : float
    above : bool, whether the value is the greater one
    meaning : str, of the rule, for the side it lies on
    versus : str, which control
    """

    level: Level
    value: float
    control: float
    above: bool
    meaning: str
    versus: str = REAL_HALF


def weigh(
    value: float, interval: Interval, control: float, control_interval: Interval, rule: Rule, versus: str = REAL_HALF
) -> Judgement:
    """Judge a value against a control by the rules of this module. Intervals may be NaN: then values are exact.

    Parameters
    ----------
    value, control : float
    interval, control_interval : (low, high), 95 %
    rule : Rule; a direction without a meaning is no fault
    versus : str, which control
    """
    if not (math.isfinite(value) and math.isfinite(control)):
        return Judgement("unknown", value, control, False, "", versus)
    gap = value - control
    low, high = combine(gap, [(1, value, _known(interval, value)), (-1, control, _known(control_interval, control))])
    meaning = rule.above if gap > 0 else rule.below
    worse, least, most = 0.0, 0.0, 0.0  # how much worse, surely at least, surely at most
    for fault, shift, sure, possible in ((rule.above, gap, low, high), (rule.below, -gap, -high, -low)):
        if fault:
            worse, least, most = max(worse, shift), max(least, sure), max(most, possible)
    level: Level
    if worse > rule.far and least > rule.close:
        level = "poor"
    elif worse > rule.close and least > 0:
        level = "fair"
    else:
        level = "good" if most <= rule.far or low == high else "unknown"
    return Judgement(level, value, control, gap > 0, meaning, versus)


def _share_interval(count: Score) -> Interval:
    """Of a count over its n; one without an interval is of that many independent rows."""
    if math.isfinite(count.low):
        return count.low / count.n, count.high / count.n
    return wilson(count.value / count.n, count.n)


def _known(interval: Interval, value: float) -> Interval:
    return interval if math.isfinite(interval[0]) and math.isfinite(interval[1]) else (value, value)


def judge(
    sets: list[str], scores: Scores, texts: Mapping[str, ScoreText], equal_n: int
) -> dict[str, dict[str, Verdict]]:
    """A verdict on every score that has a rule, at equal n where the score is taken there.

    Parameters
    ----------
    sets : names of the sets to judge
    scores : {set or control: {score name: Score}}
    texts : {score name: ScoreText}
    equal_n : int, haplotypes of each side at equal n

    Returns
    -------
    {set: {score name: Verdict}}
    """
    return {
        name: {
            key: _verdict(texts[key], scores[name][key], judgement, equal_n)
            for key, judgement in _judgements(name, scores, texts).items()
        }
        for name in sets
    }


def _judgements(name: str, scores: Scores, texts: Mapping[str, ScoreText]) -> dict[str, Judgement]:
    """Of every score of a set that has a rule; against the held-out persons where the real half has no such score."""
    found = {}
    for key, text in texts.items():
        if text.rule is None or key + EQUAL_N in texts or (s := scores[name].get(key)) is None:
            continue
        versus = next((control for control in (REAL_HALF, HOLDOUT) if key in scores.get(control, {})), REAL_HALF)
        control = scores.get(versus, {}).get(key)
        value, interval = (math.nan, NOWHERE) if control is None else (control.value, (control.low, control.high))
        if key == "privacy_score" and value < 0:  # a control below 0 is chance, not what a set should reach
            value, interval = 0.0, NOWHERE
        found[key] = weigh(s.value, (s.low, s.high), value, interval, text.rule, versus)
    return found


def _verdict(text: ScoreText, found: Score, judged: Judgement, equal_n: int) -> Verdict:
    assert text.rule is not None
    heading = text.heading.removesuffix(" (equal n)")
    close, far, below, above = text.rule
    side = "from" if below and above else "above" if above else "below"
    if not (math.isfinite(judged.value) and math.isfinite(judged.control)):
        return Verdict("unknown", f"{heading} could not be judged", "both the set and its control need a value")
    value = f"{heading} {found.value:.3g}"
    if equal_n < MIN_HAPLOTYPES:
        few = f"{value}: too few to tell, {equal_n} haplotypes a side"
        return Verdict("unknown", few, f"no verdict below {MIN_HAPLOTYPES} haplotypes a side")
    rule = (
        f"good: at most {close:g} {side} that of the {judged.versus} ({judged.control:.3g}), or not surely; "
        f"poor: more than {far:g}, and surely more than {close:g}"
    )
    said = {"good": f"as {AS[judged.versus]}", "unknown": "too few to tell"}.get(judged.level, judged.meaning)
    return Verdict(judged.level, f"{value}: {said}", rule)


# What the scores say together ---------------------------------------------------------------------------------------


def headlines(sets: list[str], scores: Scores, texts: Mapping[str, ScoreText], equal_n: int) -> dict[str, str]:
    """What is wrong with every set, one sentence each, from the pattern of its scores at equal n.

    High, low and lost mean "poor" by the rule of the score, shares of rows or sites by `SHARES`:

    - copies: any of `COPIES` high (where AA truth is high, and copies are common among real haplotypes, their share
      does not count), or AA syn low and AA truth not high
    - mode clumping: AA syn high, and AGs no farther from one another (`nearest_distance`) than real haplotypes are;
      "crowding" where AA truth is low
    - overfitting: AA truth low without any of the two
    - noise: LD lost, or AGs scattered between real haplotypes (AA truth high, AA syn low)
    - underfitting: AA truth high, AA syn not low; without clumps "parts of the diversity are missing" where AA syn is
      not high
    - rare alleles lost: AF r at low frequencies low, or sites fixed
    - structure: the set does not lie where real haplotypes do on principal components

    Without a fault a set "cannot be told from real haplotypes" where all of `NEEDED` were judged and all rules say
    good; else the scores that are fair, or that could not be judged, are named.
    """
    return {name: _headline(name, scores, texts, equal_n) for name in sets}


def _headline(name: str, scores: Scores, texts: Mapping[str, ScoreText], equal_n: int) -> str:
    if equal_n < MIN_HAPLOTYPES:
        return f"Too few to tell: {equal_n} haplotypes a side, a verdict needs {MIN_HAPLOTYPES}."
    found = {key.removesuffix(EQUAL_N): is_ for key, is_ in _judgements(name, scores, texts).items()}
    for key, rule in SHARES.items():
        both = [scores.get(column, {}).get(key + EQUAL_N) for column in (name, REAL_HALF)]
        shares = [s.value / s.n for s in both if s is not None and math.isfinite(s.value) and s.n]
        if len(shares) == 2:
            intervals = [_share_interval(s) for s in both if s is not None]
            judged = weigh(shares[0], intervals[0], shares[1], intervals[1], rule)
            if judged.level in ("fair", "poor"):
                found[key] = judged

    def poor(key: str, *, above: bool | None = None) -> bool:
        return key in found and found[key].level == "poor" and above in (None, found[key].above)

    def evidence(*keys: str) -> str:
        words = {key: text.heading.removesuffix(" (equal n)") for key, text in texts.items()}
        words |= {key: f"share of {words.get(key, key)}" for key in SHARES}
        parts = (f"{words.get(k, k)} {found[k].value:.3g}, {found[k].versus} {found[k].control:.3g}" for k in keys)
        return f"({'; '.join(parts)})"

    truth_high, truth_low = poor("aa_truth", above=True), poor("aa_truth", above=False)
    syn_high, syn_low = poor("aa_syn", above=True), poor("aa_syn", above=False)
    near, usual = (scores.get(column, {}).get("nearest_distance") for column in (name, REAL_HALF))
    clumped = syn_high and (near is None or usual is None or near.value <= usual.value)
    lost = poor("ld_score")
    said = []
    copies = [key for key in COPIES if poor(key)]
    if truth_high and "identical_to_real" in copies and found["identical_to_real"].control > 0.02:
        copies.remove("identical_to_real")  # a part of the diversity that has many copies by nature
    if syn_low and (copies or not truth_high):  # scattered rows have real neighbours, too, but no copies
        copies.append("aa_syn")
    if copies:
        said.append(f"Copies: AGs repeat training haplotypes or nearly so {evidence(*copies)}.")
    if clumped:
        more = f", and they crowd around real ones {evidence('aa_truth')}" if truth_low else ""
        more = f", and real haplotypes have none near {evidence('aa_truth')}" if truth_high else more
        said.append(f"Mode clumping: nearest neighbours of AGs are AGs {evidence('aa_syn')}{more}.")
    elif truth_low and not copies:
        said.append(f"Overfitting: AGs crowd around real haplotypes {evidence('aa_truth')}.")
    elif truth_high and syn_low:
        said.append(f"Noise: AGs lie scattered between real haplotypes {evidence('aa_truth', 'aa_syn')}.")
    elif truth_high and syn_high and not lost:
        said.append(f"Underfitting: AGs and real haplotypes lie apart {evidence('aa_truth', 'aa_syn')}.")
    elif truth_high and not lost:
        said.append(f"Parts of the real diversity have no AGs near them {evidence('aa_truth')}.")
    elif syn_high and not lost:
        said.append(f"AGs lie apart from real haplotypes {evidence('aa_syn')}.")
    if lost:
        noise = truth_high and not syn_low and not clumped  # otherwise AA has been spoken of
        why = ("ld_score", "aa_truth", "aa_syn") if noise else ("ld_score",)
        said.append(f"{'Noise: ' * noise}LD is not that of real haplotypes {evidence(*why)}.")
    if rare := [key for key in ("af_r_low", "fixed_sites") if poor(key)]:
        said.append(f"Rare alleles are lost or not as frequent {evidence(*rare)}.")
    if poor("pca_wasserstein"):
        said.append(f"Population structure is not that of real haplotypes {evidence('pca_wasserstein')}.")

    def named(level: str) -> list[str]:
        return [key for key, is_ in found.items() if is_.level == level]

    if not said and (rest := named("poor")):
        said.append(f"Differs from real haplotypes {evidence(*rest)}.")
    if said:
        return " ".join(said)
    if fair := named("fair"):
        said.append(f"Close to real haplotypes, but not as good as they {evidence(*fair)}.")
    unsure = [*named("unknown"), *(key for key in NEEDED if key not in found)]
    if unsure:
        words = ", ".join(texts[key].heading if key in texts else key for key in unsure)
        said.append(f"No fault found at n = {equal_n}, but too little to tell by: {words}.")
    return " ".join(said) or f"Cannot be told from real haplotypes at n = {equal_n}."
