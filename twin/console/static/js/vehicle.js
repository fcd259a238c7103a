// The pane of one track: where it is, how sure, its timeline, and its crops.

import { get, picture } from "./api.js";
import { $, clockOf, failure, make, metres, table } from "./page.js";
import { ellipse } from "./world.js";

const HISTORY_ROWS = 5000, HISTORY_PAGES = 20, CROPS = 8;
let shownFor = null;

export async function showVehicle(twin, id, search) {
  const pane = $("pane-object");
  shownFor = id;
  pane.replaceChildren(make("p", { class: "note" }, "loading"));
  try {
    const rows = await historyOf(twin, id);
    if (shownFor !== id) return [];
    if (!rows.length) {
      pane.replaceChildren(make("p", { class: "note" }, `Nothing is kept of ${id}.`));
      return [];
    }
    const last = rows[rows.length - 1], first = rows[0];
    const facts = [
      ["class", last.class],
      ["seen", `${clockOf(first.time)} to ${clockOf(last.time)}`],
      ["where", [last.level, last.zone, last.stall].filter(Boolean).join(", ") || "no known level"],
      ["position", `${last.position.map((value) => value.toFixed(2)).join(", ")} m`],
    ];
    if (last.position_covariance) {
      const { major, minor } = ellipse(last.position_covariance);
      facts.push(["90 % ellipse", `${metres(major)} by ${metres(minor)}`]);
    }
    if (last.velocity) facts.push(["speed", `${(3.6 * Math.hypot(last.velocity[0], last.velocity[1])).toFixed(1)} km/h`]);
    const cameras = [...new Set((last.observations || []).map((each) => each.camera))];
    if (cameras.length) facts.push(["seen by", cameras.join(", ")]);
    const stays = staysOf(rows);
    pane.replaceChildren(
      make("h2", {}, `${last.class} ${id}`), table(facts), make("h2", {}, "Timeline"), timeline(stays, first.time, last.time),
      make("ol", { class: "rows" }, ...stays.map((stay) => make("li", {}, `${clockOf(stay.from)} ${stay.where}`, make("small", {}, ` ${lasting(stay.to - stay.from)}`)))),
      make("h2", {}, "Crops"), make("div", { class: "crops", id: "crops" }, make("p", { class: "note" }, "none stored")),
    );
    showCrops(twin, id, search);
    return rows;
  } catch (error) {
    if (shownFor === id) pane.replaceChildren(failure(error));
    return [];
  }
}

async function historyOf(twin, id) {
  const all = [];
  let after = 0;
  for (let page = 0; page < HISTORY_PAGES && after !== null; page += 1) {
    const { rows, next } = await get(`twins/${twin}/tracks/history`, { track: id, after, limit: HISTORY_ROWS });
    all.push(...rows);
    after = next;
  }
  return all;
}

// Runs of rows in one stall, or on one level while moving.
export function staysOf(rows) {
  const stays = [];
  for (const row of rows) {
    const where = row.stall ? `stall ${row.stall}` : row.level ? `driving on ${row.level}` : "between levels";
    const last = stays[stays.length - 1];
    if (last && last.where === where) last.to = row.time;
    else stays.push({ where, from: row.time, to: row.time, parked: Boolean(row.stall) });
  }
  return stays;
}

const lasting = (seconds) => (seconds < 90 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`);

function timeline(stays, from, to) {
  const wide = 320, svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${wide} 40`);
  svg.setAttribute("class", "timeline");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", stays.map((stay) => `${stay.where} from ${clockOf(stay.from)}`).join(", "));
  const along = (time) => ((time - from) / Math.max(to - from, 1)) * wide;
  for (const stay of stays) {
    const bar = document.createElementNS(svg.namespaceURI, "rect");
    const place = { x: along(stay.from), y: stay.parked ? 8 : 16, width: Math.max(along(stay.to) - along(stay.from), 2), height: stay.parked ? 24 : 8 };
    for (const [name, value] of Object.entries(place)) bar.setAttribute(name, value);
    bar.style.fill = stay.parked ? "var(--taken)" : "var(--accent)";
    svg.append(bar);
  }
  return svg;
}

async function showCrops(twin, id, search) {
  try {
    const { sightings } = await get(`twins/${twin}/sightings`, { track: id, limit: CROPS });
    const images = [];
    for (const sighting of sightings) {
      const name = `${sighting.camera} ${clockOf(sighting.time)}`;
      const ask = make("button", { type: "button", onclick: () => search(sighting.id) }, `like ${name}`);
      if (sighting.has_image) {
        const blob = await picture(`twins/${twin}/sightings/${encodeURIComponent(sighting.id)}/image`);
        images.push(make("img", { src: URL.createObjectURL(blob), alt: `seen by ${name}`, onload: (event) => URL.revokeObjectURL(event.target.src) }));
      }
      images.push(ask);
    }
    if (images.length && shownFor === id) $("crops").replaceChildren(...images);
  } catch {
    // a twin without a store of sightings has none
  }
}
