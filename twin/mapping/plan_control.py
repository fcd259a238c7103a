"""A plan of a frame of its own brought into site by control points: the same places, named alike, in both."""

import numpy as np

from geometry import (
    ControlPoints,
    DegenerateError,
    FloorPlan,
    InputError,
    PlanFit,
    fit_plan_to_control,
    nearest_known,
    transform_plan,
)


def plan_by_control(plan: FloorPlan, in_plan: ControlPoints, in_site: ControlPoints) -> tuple[FloorPlan, PlanFit]:
    """Return the plan in site, and how the control points fitted; ``in_plan`` are those of ``in_site`` that it shows.

    Raises ``InputError`` for names that the site's have not, and as ``fit_plan_to_control``, by the points' names.
    """
    row_of = {name: row for row, name in enumerate(in_site.names)}
    for name in in_plan.names:
        if name not in row_of:
            raise InputError(
                f"control point '{name}' of the plan is not one of the site's",
                remedy=nearest_known(name, in_site.names),
            )
    if len(in_plan.names) < 2:
        raise DegenerateError(
            f"{len(in_plan.names)} control points leave the plan's heading open", remedy="Give two far apart."
        )
    rows = [row_of[name] for name in in_plan.names]
    sigma = np.hypot(in_plan.sigma_m, in_site.sigma_m[rows])
    try:
        fit = fit_plan_to_control(in_plan.positions, in_site.positions[rows], sigma)
    except InputError as error:
        raise InputError(error.what, where=", ".join(in_plan.names), remedy=error.remedy) from error
    return transform_plan(plan, fit.site_from_plan), fit
