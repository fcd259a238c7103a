"""Where people can walk on a level."""

import shapely

from scenes.building.slabs import floor_area
from scenes.facility import Facility, Level
from scenes.plan import obstacle_polygon, pillar_polygon, wall_polygon

HEADROOM_M = 2.0


def free_space(facility: Facility, level: Level) -> shapely.Polygon | shapely.MultiPolygon:
    """Return the floor less ramps, walls that begin below 2 m, pillars and obstacles; stalls are free."""
    taken = [wall_polygon(wall) for wall in facility.walls if wall.level == level.id and wall.base < HEADROOM_M]
    taken += [pillar_polygon(pillar) for pillar in facility.pillars if pillar.level == level.id]
    taken += [obstacle_polygon(obstacle) for obstacle in facility.obstacles if obstacle.level == level.id]
    return shapely.difference(floor_area(facility, level), shapely.union_all(taken))
