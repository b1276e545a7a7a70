"""How much a second of waiting weighs: customers without water, floors by class, age, danger."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """Classes of jobs, the gravest first."""

    DANGER = "danger"
    BURST = "burst"
    LEAK = "leak"
    ROUTINE = "routine"


DANGER_WEIGHT = 1e8
"""Danger to people lies above any number of customers."""
FLOOR = {
    Severity.DANGER: DANGER_WEIGHT,
    Severity.BURST: 10.0,
    Severity.LEAK: 3.0,
    Severity.ROUTINE: 1.0,
}
"""Least weight of a class, in customers out."""
LATE = {
    Severity.DANGER: DANGER_WEIGHT,
    Severity.BURST: 600.0,
    Severity.LEAK: 20.0,
    Severity.ROUTINE: 1.0,
}
"""What each second past the limit costs besides, in customers out, however few there are."""
MOST_CUSTOMERS = DANGER_WEIGHT / 10
"""No city has more; above it a number is a mistake, and must not outrank danger."""
CRITICAL_SHARE = 0.5
"""Each critical customer without water adds this share to the weight of all customers out."""
AGEING = 2.0
"""At its limit a job has this many floors more, and past it ever more, by the square of its age."""
MOST_AGE = 100.0
"""Limits beyond which age adds no more: a job forgotten for months is not a danger to people."""


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
        What a second of waiting of this job costs, in customers out. Above 0.
    """
    floor = FLOOR[Severity(severity)]
    out = max(customers, 0.0) * (1 + CRITICAL_SHARE * critical)
    used = max(age_s, 0.0) / limit_s if limit_s > 0 else 1.0
    return min(out, MOST_CUSTOMERS) + floor * (1 + AGEING * min(used, MOST_AGE) ** 2)


def late_weight(severity: Severity | str) -> float:
    """
    Give what each second past a job's limit costs, besides its waiting, in customers out.

    Parameters
    ----------
    severity
        The class of the job.
    """
    return LATE[Severity(severity)]
