"""How much a minute of waiting weighs: customers without water, floors by class, age, danger."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """Classes of jobs, the gravest first."""

    DANGER = "danger"
    BURST = "burst"
    LEAK = "leak"
    ROUTINE = "routine"


FLOOR = {Severity.DANGER: 1e9, Severity.BURST: 30.0, Severity.LEAK: 6.0, Severity.ROUTINE: 1.0}
"""Least weight of a class, in customers out. Danger to people lies above any number of them."""
MOST_CUSTOMERS = 1e8
"""No city has more; above it a number is a mistake, and must not outrank danger."""
CRITICAL_FACTOR = 0.5
"""Each critical customer without water adds this share to the weight of all customers out."""
AGEING = 2.0
"""At its limit a job weighs this many floors more; past it ever more, by the square of its age."""


def job_weight(
    customers: float, critical: int, severity: Severity | str, age_s: float, limit_s: float
) -> float:
    """
    Weigh the waiting of a job.

    Parameters
    ----------
    customers
        Customers without water now, or expected to be.
    critical
        How many of them are critical, as hospitals and dialysis at home are.
    severity
        The class of the job.
    age_s
        Seconds since it was reported.
    limit_s
        Seconds from the report until a crew must have arrived; inf for no limit.

    Returns
    -------
    float
        Customers out that a second of waiting of this job is worth. Above 0.
    """
    floor = FLOOR[Severity(severity)]
    out = min(max(customers, 0.0) * (1 + CRITICAL_FACTOR * critical), MOST_CUSTOMERS)
    used = max(age_s, 0.0) / limit_s if limit_s > 0 else 1.0
    return out + floor * (1 + AGEING * used * used)
