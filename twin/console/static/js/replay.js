// Going back in time: rows of history fetched in windows around the time that is looked at.

import { get } from "./api.js";
import { World } from "./world.js";

const BEFORE_S = 50; // rows of what stands come every few seconds; so much before a time says who was there
const AHEAD_S = 40;
const DAY_S = 86400; // a stall that did not change for a day is not known in a replay
const PAGE = 5000, PAGES = 8;

export class Replay {
  constructor(twin) {
    this.twin = twin;
    this.world = new World();
    this.from = null;
    this.to = null;
    this.loading = null;
  }

  // The world around a time; asks for more where it is not known yet.
  async at(time) {
    if (this.from !== null && time >= this.from + BEFORE_S - 1 && time <= this.to - 5) return this.world;
    if (!this.loading) {
      this.loading = this.load(time).finally(() => {
        this.loading = null;
      });
    }
    await this.loading;
    return this.world;
  }

  async load(time) {
    const since = time - BEFORE_S, until = time + AHEAD_S, world = new World();
    const rows = await this.pages("tracks/history", { since, until });
    rows.sort((a, b) => a.time - b.time);
    for (const row of rows) world.track(row);
    const stalls = await this.pages("occupancy/history", { since: time - DAY_S, until });
    this.changes = stalls.sort((a, b) => a.time - b.time);
    const events = await this.pages("events", { since: time - 600, until });
    for (const event of events) world.event(event);
    [this.world, this.from, this.to] = [world, since, until];
  }

  async pages(path, asked) {
    const all = [];
    let after = 0;
    for (let page = 0; page < PAGES; page += 1) {
      const { rows, next } = await get(`twins/${this.twin}/${path}`, { ...asked, after, limit: PAGE });
      all.push(...rows);
      if (next === null) break;
      after = next;
    }
    return all;
  }

  // The last that was said of each stall up to a time.
  stallsAt(time) {
    const stalls = new Map();
    for (const row of this.changes || []) if (row.time <= time) stalls.set(row.stall, row);
    return stalls;
  }
}
