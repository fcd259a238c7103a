// The console: one twin at a time, live or replayed; what is clicked, dropped or typed.

import { follow, get, Refused, setKey } from "./api.js";
import { showCameras, showCounts, showEvents, showObjects } from "./now.js";
import { $, clockOf, make, tabs } from "./page.js";
import { locate } from "./photo.js";
import { Plan } from "./plan.js";
import { Replay } from "./replay.js";
import { showReports } from "./reports.js";
import { search } from "./search.js";
import { showVehicle } from "./vehicle.js";
import { View } from "./view.js";
import { World } from "./world.js";

const PANEL_MS = 1000, CAMERAS_MS = 5000;
const live = new World();
const state = {
  twin: null, plan: null, level: null, cameras: [], states: [], chosen: null, path: [], photo: null, hits: [], replay: null, time: null, playing: false, first: null,
  stop: null, pane: "tab-now", stillness: 0, stalls: live.stalls,
};
const view = new View($("plan"), scene, choose);
const openPane = tabs($("tabs"), (id) => {
  state.pane = id;
  if (id === "tab-reports" && state.twin) showReports(state.twin);
});
window.tiepoint = { state, view, live }; // for tests and for the curious

function scene() {
  const world = state.replay ? state.replay.world : live;
  const time = state.replay ? state.time : live.now();
  return {
    time, objects: world.at(time), stalls: state.stalls, cameras: state.cameras, chosen: state.chosen, path: state.path, photo: state.photo,
    hits: state.hits, stillness: state.replay ? `r${Math.floor(state.time)}` : state.stillness,
  };
}

async function start() {
  try {
    const { twins } = await get("twins");
    if (!twins.length) return say("off", "no twin is served");
    $("twin").replaceChildren(...twins.map((twin) => make("option", { value: twin.name }, twin.name)));
    const wanted = new URLSearchParams(location.search).get("twin");
    await openTwin(twins.some((twin) => twin.name === wanted) ? wanted : twins[0].name);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return $("key-dialog").showModal();
    say("off", error.message);
    if (!(error instanceof Refused)) setTimeout(start, 3000); // the service is not there yet
  }
}

async function openTwin(name) {
  state.stop?.();
  live.clear();
  Object.assign(state, { twin: name, plan: null, chosen: null, path: [], photo: null, hits: [], replay: null, cameras: [], states: [], stalls: live.stalls });
  $("twin").value = name;
  try {
    const summary = await get(`twins/${name}`);
    state.plan = summary.has_plan ? new Plan(await get(`twins/${name}/plan`)) : Plan.empty();
    const levels = [...state.plan.levels].reverse();
    $("levels").replaceChildren(...levels.map((level) => make("button", { type: "button", value: level.id, title: level.name || level.id, onclick: () => showLevel(level.id) }, level.id)));
    $("photo-level").replaceChildren(make("option", { value: "" }, "any"), ...levels.map((level) => make("option", { value: level.id }, level.id)));
    showLevel(levels[levels.length - 1].id);
  } catch (error) {
    say("off", error.message);
  }
  state.stop = follow(`twins/${name}/live`, {
    message: heard,
    state: (kind, detail) => (kind === "on" ? say("on", "live") : kind === "waiting" ? say("wait", "reconnecting") : say("off", detail)),
    opened: (isFirst) => isFirst && present(name),
  });
  refreshCameras();
}

// What is there already; the stream goes on from before it was asked, so that nothing falls between.
async function present(name) {
  try {
    const [{ tracks }, { stalls }, { rows }] = await Promise.all([
      get(`twins/${name}/tracks`, { within_s: 60 }), get(`twins/${name}/occupancy`), get(`twins/${name}/tracks/history`, { limit: 1 }),
    ]);
    if (name !== state.twin) return;
    for (const row of tracks) live.track(row);
    for (const row of stalls) heard("occupancy", row);
    state.first = rows.length ? rows[0].time : null;
    $("time").disabled = $("play").disabled = state.first === null;
    refreshPanel();
  } catch (error) {
    say("off", error.message);
  }
}

function heard(kind, row) {
  if (kind === "track") live.track(row);
  else if (kind === "event") live.event(row);
  else if (kind === "occupancy") {
    live.occupancy(row);
    state.stillness += 1;
  } else if (kind === "gap") {
    live.clear();
    state.stalls = live.stalls;
    present(state.twin);
  }
  if (kind === "track" && state.first === null) {
    state.first = row.time;
    $("time").disabled = $("play").disabled = false;
  }
}

function say(kind, words) {
  $("lamp").className = { on: "on", off: "off", wait: "" }[kind];
  if ($("status-text").textContent !== words) $("status-text").textContent = words;
}

function showLevel(id) {
  state.level = id;
  for (const button of $("levels").children) button.setAttribute("aria-pressed", String(button.value === id));
  view.show(state.plan, id);
  $("plan").setAttribute("aria-label", `Plan of level ${id}; arrows move it, plus and minus zoom; what is on it is listed under Now`);
}

async function refreshCameras() {
  const name = state.twin;
  if (!name || document.hidden) return;
  try {
    const [{ cameras }, { footprints }] = await Promise.all([get(`twins/${name}/cameras`), get(`twins/${name}/footprints`)]);
    if (name !== state.twin) return;
    state.states = cameras;
    state.cameras = cameras.map(({ camera, status }) => {
      const { x, y, towards, ring, level } = footprints[camera.id];
      const footprint = ring ? new Path2D() : null;
      ring?.forEach(([px, py], index) => (index ? footprint.lineTo(px, py) : footprint.moveTo(px, py)));
      footprint?.closePath();
      return { id: camera.id, level: level ?? camera.level, status, at: [x, y], towards, footprint };
    });
    state.stillness += 1;
    showCameras(cameras, (id) => {
      const camera = state.cameras.find((each) => each.id === id);
      if (camera.level !== state.level && state.plan.byLevel.has(camera.level)) showLevel(camera.level);
      view.goTo(...camera.at);
    });
  } catch {
    // the lamp tells whether the service is there
  }
}

function refreshPanel() {
  if (document.hidden) return;
  const { objects, time } = scene();
  showClock(time);
  if (state.pane === "tab-now") {
    showCounts(objects, state.stalls);
    showObjects(objects, state.chosen, choose);
    showEvents(state.replay ? state.replay.world.events : live.events, choose);
  }
  if (state.chosen !== null && !state.replay) state.path = live.path(state.chosen, null);
}

function showClock(time) {
  $("clock").textContent = clockOf(time);
  if (state.first === null || live.newest === null) return;
  $("time").min = state.first;
  $("time").max = live.newest;
  if (!state.replay) $("time").value = live.newest;
  $("time").setAttribute("aria-valuetext", clockOf(time));
}

async function choose(id) {
  state.chosen = id;
  state.path = [];
  if (id === null) return;
  const thing = scene().objects.find((each) => each.id === id);
  if (thing?.row.level && thing.row.level !== state.level && state.plan.byLevel.has(thing.row.level)) showLevel(thing.row.level);
  openPane("tab-object");
  const rows = await showVehicle(state.twin, id, (sighting) => ask({ id: sighting }));
  if (state.chosen === id) state.path = rows;
}

async function ask(query) {
  openPane("tab-search");
  if (query.id) $("search-id").value = query.id;
  state.hits = await search(state.twin, state.plan, query, (sighting) => {
    const level = sighting.level ?? state.plan.levelAt(sighting.position[2]);
    if (level !== state.level && state.plan.byLevel.has(level)) showLevel(level);
    view.goTo(sighting.position[0], sighting.position[1]);
  });
}

async function place(file) {
  if (!file || !state.plan) return;
  openPane("tab-photo");
  state.photo = null;
  state.photo = await locate(state.twin, file, state.plan);
  if (!state.photo?.at) return;
  if (state.photo.on && state.photo.on !== state.level) showLevel(state.photo.on);
  const away = ([x, y]) => Math.hypot(x - state.photo.at[0], y - state.photo.at[1]);
  const near = [...(state.photo.landmarks || [])].sort((a, b) => away(a) - away(b));
  view.showAll([state.photo.at, ...near.slice(0, Math.ceil(0.7 * near.length))]);
}

async function goBackTo(time) {
  state.replay ??= new Replay(state.twin);
  state.time = time;
  $("live").setAttribute("aria-pressed", "false");
  const replay = state.replay;
  await replay.at(time);
  if (replay === state.replay) state.stalls = replay.stallsAt(state.time);
}

function goLive() {
  Object.assign(state, { replay: null, time: null, playing: false, stalls: live.stalls });
  state.stillness += 1;
  $("live").setAttribute("aria-pressed", "true");
  showPlay();
}

function showPlay() {
  $("play").textContent = state.playing ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
}

function togglePlay() {
  if (state.first === null) return;
  if (!state.replay) goBackTo(Math.max(state.first, live.newest - 60));
  state.playing = !state.playing;
  showPlay();
}

let tickedAt = performance.now();
setInterval(() => {
  const now = performance.now(), passed = (now - tickedAt) / 1000;
  tickedAt = now;
  if (!state.replay || !state.playing || state.replay.loading) return;
  const time = state.time + passed * Number($("speed").value);
  if (time >= live.newest - 1) return goLive();
  $("time").value = time;
  goBackTo(time);
}, 50);
setInterval(refreshPanel, PANEL_MS);
setInterval(refreshCameras, CAMERAS_MS);

$("twin").addEventListener("change", (event) => openTwin(event.target.value));
$("time").addEventListener("input", (event) => goBackTo(Number(event.target.value)).then(refreshPanel));
$("live").addEventListener("click", goLive);
$("play").addEventListener("click", togglePlay);
$("zoom-in").addEventListener("click", () => view.zoom(1.4));
$("zoom-out").addEventListener("click", () => view.zoom(1 / 1.4));
$("fit").addEventListener("click", () => view.fit());
$("help-button").addEventListener("click", () => $("help").showModal());
$("photo-file").addEventListener("change", (event) => place(event.target.files[0]));
$("photo-form").addEventListener("submit", (event) => event.preventDefault());
$("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const file = $("search-file").files[0], id = $("search-id").value.trim();
  if (file || id) ask(file ? { file } : { id });
});
$("key-form").addEventListener("submit", () => {
  setKey($("key").value.trim());
  $("key").value = "";
  start();
});

const darkness = matchMedia("(prefers-color-scheme: dark)");
darkness.addEventListener("change", () => view.readColours());
$("theme").addEventListener("click", () => {
  const isDark = (document.documentElement.dataset.theme || (darkness.matches ? "dark" : "light")) === "dark";
  document.documentElement.dataset.theme = isDark ? "light" : "dark";
  view.readColours();
});

let dragged = 0;
const isFile = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
document.addEventListener("dragenter", (event) => {
  if (isFile(event)) $("drop-hint").hidden = ++dragged < 1;
});
document.addEventListener("dragleave", (event) => {
  if (isFile(event)) $("drop-hint").hidden = --dragged < 1;
});
document.addEventListener("dragover", (event) => isFile(event) && event.preventDefault());
document.addEventListener("drop", (event) => {
  if (!isFile(event)) return;
  event.preventDefault();
  dragged = 0;
  $("drop-hint").hidden = true;
  place(event.dataTransfer.files[0]);
});

function stepLevel(by) {
  const ids = state.plan.levels.map((level) => level.id), next = ids[ids.indexOf(state.level) + by];
  if (next) showLevel(next);
}

function stepObject(by) {
  const ids = scene().objects.filter((thing) => thing.row.level === state.level).map((thing) => thing.id).sort((a, b) => a - b);
  if (ids.length) choose(ids[(ids.indexOf(state.chosen) + by + ids.length) % ids.length]);
}

const KEYS = {
  "+": () => view.zoom(1.25), "=": () => view.zoom(1.25), "-": () => view.zoom(0.8), 0: () => view.fit(), "[": () => stepLevel(-1), "]": () => stepLevel(1),
  n: () => stepObject(1), p: () => stepObject(-1), l: goLive, f: () => $("photo-file").click(), "?": () => $("help").showModal(),
  "/": () => { openPane("tab-search"); $("search-id").focus(); },
};
const MOVES = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog") || !state.plan) return;
  if (event.key === " " && !event.target.closest("button, summary")) togglePlay();
  else if (MOVES[event.key] && event.target === $("plan")) view.pan(...MOVES[event.key]);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});

start();
