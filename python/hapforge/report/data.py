"""What an evaluation found, as plain data: scores, verdicts, and the numbers behind every figure.

`evaluation` fills these; `report` draws them. No field holds anything that grows with haplotypes x haplotypes or
sites x sites. The dataclasses with the numbers of a figure stand beside it, in `report.figures`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

EQUAL_N = "_equal_n"
"""Ending of the scores that are taken at one n for all sets and controls."""

Better = Literal["higher", "lower", "control"]
C = TypeVar("C")


@dataclass(frozen=True)
class Score:
    """One number and how sure it is.

    Attributes
    ----------
    value : float, NaN where it could not be computed (`procedure` says why)
    low, high : float, 95 % interval, NaN where none is defined
    n : int, haplotypes per side (nearest-neighbour scores), sites or pairs it rests on
    procedure : str, one line: formula, subsampling, source
    """

    value: float
    low: float
    high: float
    n: int
    procedure: str


class Rule(NamedTuple):
    """How a score is judged: by how far it lies from that of the real-half control in a direction that is worse.

    Attributes
    ----------
    close : float >= 0, at most so far: as good as real haplotypes
    far : float > close, farther: poor
    below, above : str, what it means to lie below or above the control, a few words; "" where that is no fault
    """

    close: float
    far: float
    below: str
    above: str


class ScoreText(NamedTuple):
    """Words for a score.

    Attributes
    ----------
    heading : str, short
    reading : str, one line on how to read it
    better : "higher", "lower", or "control": the nearer to real half against real half the better
    rule : Rule, None for a score that is no verdict on its own
    twice : bool, whether it is also taken at equal n, under the name that ends in ``_equal_n``
    always : bool, False for a score that is left out where the cohorts have too few sites for it; a note says so
    group : str, heading of the statistic it belongs to; scores of one group stand together
    """

    heading: str
    reading: str
    better: Better
    rule: Rule | None = None
    twice: bool = True
    always: bool = True
    group: str = ""


@dataclass(frozen=True)
class Verdict:
    """A score in words.

    Attributes
    ----------
    level : "good", "fair", "poor"; "unknown" where the score or its control could not be computed
    text : str, one line: the score, its value and what that means
    rule : str, one line: the rule it follows from
    """

    level: Literal["good", "fair", "poor", "unknown"]
    text: str
    rule: str


@dataclass(frozen=True)
class EvaluationData:
    """Everything a report shows. A field that is empty is left out of the report.

    Attributes
    ----------
    sets : names of the synthetic sets, in the user's order
    controls : names of the sets added for comparison ("real half", "holdout", ...)
    scores : {set or control: {score name: Score}}
    score_texts : {score name: ScoreText}, of the scores that were asked for, in the order of the page
    provenance : version, command, seed, inputs with their hashes, date, machine; nested dicts and lists are shown
    notes : remarks and failures a reader must see (dropped sites, a failed statistic ...)
    real_haplotypes, num_sites : shape of the real cohort after matching sites
    num_haplotypes : {set or control: haplotypes}
    descriptions : {set or control: one sentence on what it is}
    verdicts : {set: {score name: Verdict}}
    headlines : {set: one to four sentences: what its scores say together}
    curves : {name: dataclass from `report.figures`}, the numbers of the figures
    published : {model: {score name: value}}, what papers report of a cohort of these sites
    """

    sets: list[str]
    controls: list[str]
    scores: dict[str, dict[str, Score]]
    score_texts: dict[str, ScoreText]
    provenance: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    real_haplotypes: int = 0
    num_sites: int = 0
    num_haplotypes: dict[str, int] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, dict[str, Verdict]] = field(default_factory=dict)
    headlines: dict[str, str] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    published: dict[str, dict[str, float]] = field(default_factory=dict)

    def curve(self, kind: type[C]) -> C | None:
        """The numbers of one kind, None where they were not computed."""
        return next((found for found in self.curves.values() if isinstance(found, kind)), None)
