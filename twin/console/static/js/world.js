// What is known at one time: tracks, stalls, events. It forgets what is long gone, so that it does not grow.

const GONE_S = 8; // a moving track that was not heard of for so long is not drawn
const STANDING_GONE_S = 45; // one that stands has a row every few seconds only
const FORGOTTEN_S = 120;
const EVENTS_KEPT = 200;
const PATH_KEPT = 400;
const JUST_COME_S = 1; // whose first row is so little ahead is shown there already
const DELAY_S = 0.4; // drawn so much later than heard, so that positions can be interpolated

export class World {
  constructor() {
    this.clear();
  }

  clear() {
    this.tracks = new Map();
    this.stalls = new Map();
    this.events = [];
    this.newest = null; // epoch seconds of the newest row
    this.heard = 0; // performance.now() when it came
    this.changes = 0;
  }

  track(row) {
    this.changes += 1;
    if (this.newest === null || row.time > this.newest) {
      this.newest = row.time;
      this.heard = performance.now();
    }
    let known = this.tracks.get(row.track);
    if (!known) this.tracks.set(row.track, (known = { id: row.track, rows: [] }));
    const rows = known.rows;
    const last = rows[rows.length - 1];
    if (last && row.time <= last.time) return; // said before, as after a break
    rows.push(row);
    if (rows.length > PATH_KEPT) rows.splice(0, rows.length - PATH_KEPT);
    if (this.changes % 512 === 0) this.forget();
  }

  occupancy(row) {
    const known = this.stalls.get(row.stall);
    if (!known || known.time <= row.time) this.stalls.set(row.stall, row);
    this.changes += 1;
  }

  event(row) {
    this.events.unshift(row);
    if (this.events.length > EVENTS_KEPT) this.events.length = EVENTS_KEPT;
    this.changes += 1;
  }

  forget() {
    for (const [id, known] of this.tracks) {
      if (known.rows[known.rows.length - 1].time < this.newest - FORGOTTEN_S) this.tracks.delete(id);
    }
  }

  // The time to draw: that of the newest row, going on with the clock until the next comes.
  now() {
    if (this.newest === null) return null;
    return this.newest - DELAY_S + Math.min((performance.now() - this.heard) / 1000, DELAY_S);
  }

  // Where tracks are at a time, each {id, row, x, y, vx, vy}: between the rows around it.
  at(time) {
    const found = [];
    if (time === null) return found;
    for (const known of this.tracks.values()) {
      const rows = known.rows;
      let after = rows.length;
      while (after > 0 && rows[after - 1].time > time) after -= 1;
      if (after === 0 && rows[0].time - time > JUST_COME_S) continue;
      after = Math.max(after, 1);
      const before = rows[after - 1], next = rows[after];
      const speed = Math.hypot(...(before.velocity || [0, 0]).slice(0, 2));
      if (!next && time - before.time > (speed > 0.3 ? GONE_S : STANDING_GONE_S)) continue;
      let [x, y] = before.position;
      if (next && next.level === before.level && next.time - before.time < 10) {
        const share = Math.max(time - before.time, 0) / (next.time - before.time);
        x += share * (next.position[0] - x);
        y += share * (next.position[1] - y);
      }
      found.push({ id: known.id, row: before, x, y, speed });
    }
    return found;
  }

  path(id, until) {
    const known = this.tracks.get(id);
    return known ? known.rows.filter((row) => until === null || row.time <= until) : [];
  }
}

export const isPerson = (kind) => kind === "person" || kind === "pedestrian";

// Half axes and turn of the ellipse that holds 90 % of a normal distribution with covariance [[a, b], [b, c]].
export function ellipse(covariance) {
  const [[a, b], [, c]] = covariance;
  const middle = (a + c) / 2, half = Math.hypot((a - c) / 2, b);
  const root = 2.1460; // of chi squared with two degrees of freedom at 0.9
  return {
    major: root * Math.sqrt(Math.max(middle + half, 0)),
    minor: root * Math.sqrt(Math.max(middle - half, 0)),
    turn: 0.5 * Math.atan2(2 * b, a - c),
  };
}
