// The floor plan, made ready to draw: for each level paths in site metres, stalls with their middles, and its extent.

export class Plan {
  constructor(collection) {
    const of = (element) => collection.features.filter((feature) => feature.properties.element === element);
    this.levels = of("level")
      .map((feature) => ({ ...feature.properties, outline: feature.geometry }))
      .sort((a, b) => a.elevation - b.elevation);
    this.byLevel = new Map(this.levels.map((level) => [level.id, emptyLevel(level)]));
    this.stalls = new Map();
    for (const feature of collection.features) {
      const { element, level } = feature.properties;
      const here = this.byLevel.get(level);
      if (element === "stall" && here) {
        const stall = { id: feature.properties.id, level, ring: feature.geometry.coordinates[0] };
        stall.middle = middle(stall.ring);
        stall.across = Math.hypot(stall.ring[1][0] - stall.ring[0][0], stall.ring[1][1] - stall.ring[0][1]);
        stall.path = path(feature.geometry);
        here.stalls.push(stall);
        this.stalls.set(stall.id, stall);
      } else if (here && here[`${element}s`]) {
        const width = element === "lane" ? feature.properties.width : feature.properties.thickness;
        here[`${element}s`].push({ ...feature.properties, path: path(feature.geometry), width });
      } else if (element === "ramp") {
        for (const id of [feature.properties.from, feature.properties.to]) {
          const named = `to ${feature.properties.from === id ? feature.properties.to : feature.properties.from}`;
          const ring = feature.geometry.coordinates[0];
          this.byLevel.get(id)?.ramps.push({ path: path(feature.geometry), named, middle: middle(ring) });
        }
      }
    }
  }

  // For a twin without a plan: one level with nothing on it, to draw photos and cameras on.
  static empty() {
    const ring = [[-20, -20], [20, -20], [20, 20], [-20, 20], [-20, -20]];
    const properties = { element: "level", id: "no plan", elevation: -1000 };
    return new Plan({ features: [{ properties, geometry: { type: "Polygon", coordinates: [ring] } }] });
  }

  bounds(level) {
    return extent(this.byLevel.get(level).outline.coordinates.flat());
  }

  // Which level a height belongs to: the highest floor at most half a metre above it.
  levelAt(z) {
    return this.levels.filter((level) => level.elevation <= z + 0.5).at(-1)?.id ?? null;
  }
}

function emptyLevel(level) {
  return {
    outline: level.outline, floor: path(level.outline), stalls: [], lanes: [], walls: [], pillars: [], zones: [], gates: [],
    ramps: [], exclusions: [],
  };
}

function path(geometry) {
  const made = new Path2D();
  const lines = geometry.type === "Polygon" ? geometry.coordinates : geometry.type === "LineString" ? [geometry.coordinates] : [];
  for (const line of lines) {
    line.forEach(([x, y], index) => (index ? made.lineTo(x, y) : made.moveTo(x, y)));
    if (geometry.type === "Polygon") made.closePath();
  }
  return made;
}

function middle(ring) {
  const corners = ring.slice(0, -1);
  return [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length);
}

export function extent(points) {
  const xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
