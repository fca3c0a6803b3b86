"""What artificial genomes are good for: classifiers that are trained on them. torch is imported where it is needed."""

from hapforge.downstream.recovery import CLASSIFIERS, Estimate, Run, Utility, utility

__all__ = ["CLASSIFIERS", "Estimate", "Run", "Utility", "utility"]
