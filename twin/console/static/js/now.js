// The first pane: how much is there, who, what happened, and how the cameras are.

import { $, clockOf, make } from "./page.js";
import { isPerson } from "./world.js";

const EVENTS_SHOWN = 40, OBJECTS_SHOWN = 60;
const WORDS = {
  ok: "sees", silent: "silent", never: "not heard of yet", moved: "moved", defocused: "out of focus", covered: "covered", dirty: "dirty", frozen: "frozen",
};

export function showCounts(objects, stalls) {
  const known = [...stalls.values()];
  const taken = known.filter((stall) => stall.p_occupied >= 0.5).length;
  const people = objects.filter((thing) => isPerson(thing.row.class)).length;
  const counts = [["vehicles", objects.length - people], ["people", people], ["taken", taken], ["free", known.length - taken]];
  $("counts").replaceChildren(...counts.map(([name, count]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(count)))));
}

export function showObjects(objects, chosen, choose) {
  const held = document.activeElement?.dataset?.track;
  const shown = [...objects].sort((a, b) => b.speed - a.speed || a.id - b.id).slice(0, OBJECTS_SHOWN);
  const rows = shown.map(({ id, row, speed }) => {
    const where = [row.level, row.stall || row.zone].filter(Boolean).join(", ");
    const button = make("button", { type: "button", "data-track": String(id), onclick: () => choose(id) }, `${row.class} ${id}`, make("small", {}, ` ${where}${speed > 0.3 ? ` · ${(speed * 3.6).toFixed(0)} km/h` : ""}`));
    if (id === chosen) button.setAttribute("aria-current", "true");
    return make("li", {}, button);
  });
  if (objects.length > shown.length) rows.push(make("li", { class: "note" }, `and ${objects.length - shown.length} more`));
  if (!rows.length) rows.push(make("li", { class: "note" }, "nobody"));
  $("objects").replaceChildren(...rows);
  if (held) $("objects").querySelector(`[data-track="${CSS.escape(held)}"]`)?.focus();
}

export function showEvents(events, choose) {
  const rows = events.slice(0, EVENTS_SHOWN).map((event) => {
    const place = event.where || {}, where = place.stall || place.gate || place.zone || place.lane || place.level;
    const words = `${clockOf(event.time)} ${event.kind.replaceAll("_", " ")}${where ? `, ${where}` : ""}`;
    const sure = event.confidence === null || event.confidence === undefined ? "" : ` ${(100 * event.confidence).toFixed(0)} %`;
    if (event.track === null || event.track === undefined) return make("li", {}, words, make("small", {}, sure));
    return make("li", {}, make("button", { type: "button", onclick: () => choose(event.track) }, words, make("small", {}, ` ${event.track}${sure}`)));
  });
  $("events").replaceChildren(...(rows.length ? rows : [make("li", { class: "note" }, "none yet")]));
}

export function showCameras(states, goTo) {
  const rows = states.map(({ camera, status, rate_hz }) => {
    const tone = status === "ok" ? "good" : status === "never" ? "warn" : "bad";
    const rate = rate_hz ? ` · ${rate_hz.toFixed(1)} frames/s` : "";
    return make("li", {}, make("button", { type: "button", onclick: () => goTo(camera.id) }, camera.id, make("small", { class: tone }, ` ${WORDS[status] || status}`), make("small", {}, rate)));
  });
  $("cameras").replaceChildren(...(rows.length ? rows : [make("li", { class: "note" }, "this twin has no fixed cameras")]));
}
