// The plan on its canvas: what stands still is drawn once and kept, what moves is drawn over it, at most 30 times a second.

import { extent } from "./plan.js";
import { ellipse, isPerson } from "./world.js";

const FRAME_MS = 1000 / 30;
const PICK_PX = 16;
const LABEL_PX_PER_M = 14; // stalls are named where there is room
const MOST_RAYS = 60;

export class View {
  // scene(): {time, objects, stalls, cameras, chosen, path, photo, hits} to draw; picked(thing): what was clicked.
  constructor(canvas, scene, picked) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.scene = scene;
    this.picked = picked;
    this.plan = null;
    this.level = null;
    this.centre = [0, 0];
    this.scale = 10;
    this.base = document.createElement("canvas");
    this.frames = 0;
    this.drawnAt = 0;
    this.readColours();
    this.listen();
    new ResizeObserver(() => this.resize()).observe(canvas);
    requestAnimationFrame((now) => this.loop(now));
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["ground", "surface", "ink", "quiet", "accent", "floor", "wall", "lane", "stall-edge", "free", "taken", "unsure",
      "vehicle", "person", "camera", "found", "label", "bad", "warn"];
    this.colour = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.isStale = true;
  }

  show(plan, level) {
    const isNew = plan !== this.plan || !this.level;
    this.plan = plan;
    this.level = level;
    this.isStale = true;
    if (isNew) this.fit();
  }

  fit() {
    if (!this.plan) return;
    const [x1, y1, x2, y2] = this.plan.bounds(this.level);
    this.centre = [(x1 + x2) / 2, (y1 + y2) / 2];
    this.scale = 0.92 * Math.min(this.width / Math.max(x2 - x1, 1), this.height / Math.max(y2 - y1, 1));
    this.wasFitted = true;
    this.isStale = true;
  }

  goTo(x, y) {
    this.centre = [x, y];
    this.scale = Math.max(this.scale, 18);
    this.wasFitted = false;
    this.isStale = true;
  }

  // Show all of some points, with a margin.
  showAll(points) {
    const [x1, y1, x2, y2] = extent(points);
    this.centre = [(x1 + x2) / 2, (y1 + y2) / 2];
    this.scale = Math.min(Math.max(0.8 * Math.min(this.width / Math.max(x2 - x1, 8), this.height / Math.max(y2 - y1, 8)), 1), 60);
    this.wasFitted = false;
    this.isStale = true;
  }

  zoom(by, at = [this.width / 2, this.height / 2]) {
    const before = this.site(at);
    this.scale = Math.min(Math.max(this.scale * by, 0.5), 400);
    const after = this.site(at);
    this.centre = [this.centre[0] + before[0] - after[0], this.centre[1] + before[1] - after[1]];
    this.wasFitted = false;
    this.isStale = true;
  }

  pan(dx, dy) {
    this.centre = [this.centre[0] - dx / this.scale, this.centre[1] + dy / this.scale];
    this.wasFitted = false;
    this.isStale = true;
  }

  site([px, py]) {
    return [this.centre[0] + (px - this.width / 2) / this.scale, this.centre[1] - (py - this.height / 2) / this.scale];
  }

  pixel(x, y) {
    return [(x - this.centre[0]) * this.scale + this.width / 2, this.height / 2 - (y - this.centre[1]) * this.scale];
  }

  resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.ratio = ratio;
    for (const each of [this.canvas, this.base]) {
      each.width = Math.max(1, Math.round(this.width * ratio));
      each.height = Math.max(1, Math.round(this.height * ratio));
    }
    if (this.wasFitted !== false) this.fit();
    this.isStale = true;
  }

  loop(now) {
    if (now - this.drawnAt >= FRAME_MS - 2 && !document.hidden) {
      this.drawnAt = now;
      this.draw();
    }
    requestAnimationFrame((next) => this.loop(next));
  }

  draw() {
    if (!this.plan || !this.width) return;
    const scene = this.scene();
    if (this.isStale || scene.stillness !== this.stillness) {
      this.stillness = scene.stillness;
      this.drawBase(scene);
      this.isStale = false;
    }
    const g = this.context;
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.drawImage(this.base, 0, 0);
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    if (scene.photo) this.drawPhoto(g, scene.photo);
    this.drawHits(g, scene.hits);
    if (scene.path.length > 1) this.drawPath(g, scene.path);
    for (const thing of scene.objects) if (thing.row.level === this.level || !thing.row.level) this.drawObject(g, thing, scene.chosen);
    this.frames += 1;
  }

  inSite(g) {
    const s = this.scale * this.ratio;
    g.setTransform(s, 0, 0, -s, (this.width / 2) * this.ratio - this.centre[0] * s, (this.height / 2) * this.ratio + this.centre[1] * s);
  }

  drawBase(scene) {
    const g = this.base.getContext("2d", { alpha: false }), c = this.colour, here = this.plan.byLevel.get(this.level);
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.fillStyle = c.ground;
    g.fillRect(0, 0, this.base.width, this.base.height);
    this.inSite(g);
    const px = 1 / this.scale;
    g.fillStyle = c.floor;
    g.fill(here.floor, "evenodd");
    g.lineCap = "round";
    g.strokeStyle = c.lane;
    for (const lane of here.lanes) {
      g.lineWidth = lane.width;
      g.stroke(lane.path);
    }
    for (const ramp of here.ramps) {
      g.fillStyle = c.lane;
      g.fill(ramp.path);
    }
    g.lineCap = "butt";
    for (const stall of here.stalls) {
      const known = scene.stalls.get(stall.id);
      g.fillStyle = !known || Math.abs(known.p_occupied - 0.5) < 0.2 ? c.unsure : known.p_occupied > 0.5 ? c.taken : c.free;
      g.fill(stall.path);
      g.strokeStyle = c["stall-edge"];
      g.lineWidth = 1.2 * px;
      g.stroke(stall.path);
    }
    for (const zone of here.zones) {
      g.strokeStyle = c.quiet;
      g.setLineDash([6 * px, 4 * px]);
      g.lineWidth = px;
      g.stroke(zone.path);
      g.setLineDash([]);
    }
    g.fillStyle = c.wall;
    for (const each of [...here.pillars, ...here.exclusions]) g.fill(each.path);
    g.strokeStyle = c.wall;
    for (const wall of here.walls) {
      g.lineWidth = Math.max(wall.width, 2 * px);
      g.stroke(wall.path);
    }
    g.strokeStyle = c.bad;
    g.lineWidth = 3 * px;
    for (const gate of here.gates) g.stroke(gate.path);
    for (const camera of scene.cameras) if (camera.level === this.level) this.drawCamera(g, camera, px);
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.drawLabels(g, here, scene);
  }

  drawLabels(g, here, scene) {
    g.font = "11px system-ui, sans-serif";
    g.textAlign = "center";
    g.textBaseline = "middle";
    g.fillStyle = this.colour.label;
    for (const stall of here.stalls) {
      const [x, y] = this.pixel(...stall.middle);
      const isTaken = scene.stalls.get(stall.id)?.p_occupied >= 0.7;
      if (this.scale > LABEL_PX_PER_M) g.fillText(this.fitting(g, stall), x, y);
      else if (isTaken && this.scale > 3) g.fillRect(x - 1.5, y - 1.5, 3, 3); // not by colour alone
    }
    for (const ramp of here.ramps) if (this.scale > 5) g.fillText(ramp.named, ...this.pixel(...ramp.middle));
  }

  // A stall's name, or its last part where the whole is wider than the stall.
  fitting(g, stall) {
    const wide = stall.across * this.scale - 4;
    return g.measureText(stall.id).width <= wide ? stall.id : stall.id.split("-").at(-1);
  }

  drawCamera(g, camera, px) {
    const isWell = camera.status === "ok";
    g.strokeStyle = g.fillStyle = isWell ? this.colour.camera : this.colour.bad;
    if (camera.footprint) {
      g.globalAlpha = 0.1;
      g.fill(camera.footprint);
      g.globalAlpha = 0.55;
      g.lineWidth = px;
      g.setLineDash(isWell ? [] : [4 * px, 3 * px]);
      g.stroke(camera.footprint);
      g.setLineDash([]);
      g.globalAlpha = 1;
    }
    const [x, y] = camera.at, [dx, dy] = camera.towards;
    g.beginPath();
    g.arc(x, y, 5 * px, 0, 7);
    g.fill();
    g.lineWidth = 2.5 * px;
    g.beginPath();
    g.moveTo(x, y);
    g.lineTo(x + 14 * px * dx, y + 14 * px * dy);
    g.stroke();
  }

  drawObject(g, { id, row, x, y, speed }, chosen) {
    const person = isPerson(row.class), [px, py] = this.pixel(x, y), isChosen = id === chosen;
    g.fillStyle = g.strokeStyle = person ? this.colour.person : this.colour.vehicle;
    if (row.position_covariance) {
      const { major, minor, turn } = ellipse(row.position_covariance);
      g.globalAlpha = 0.22;
      g.beginPath();
      g.ellipse(px, py, Math.max(major * this.scale, 1), Math.max(minor * this.scale, 1), -turn, 0, 7);
      g.fill();
      g.globalAlpha = 0.9;
      g.lineWidth = 1;
      g.stroke();
      g.globalAlpha = 1;
    }
    if (!person && row.size && row.heading !== null && row.heading !== undefined && this.scale > 3) {
      const [length, wide] = row.size;
      g.save();
      g.translate(px, py);
      g.rotate(-row.heading);
      g.globalAlpha = 0.75;
      g.beginPath();
      g.roundRect((-length / 2) * this.scale, (-wide / 2) * this.scale, length * this.scale, wide * this.scale, 0.3 * this.scale);
      g.fill();
      g.restore();
    } else {
      g.beginPath();
      g.arc(px, py, person ? 4 : 6, 0, 7);
      g.fill();
    }
    if (row.velocity && speed > 0.3) {
      g.lineWidth = 2;
      g.beginPath();
      g.moveTo(px, py);
      g.lineTo(px + row.velocity[0] * this.scale, py - row.velocity[1] * this.scale);
      g.stroke();
    }
    if (isChosen) {
      g.strokeStyle = this.colour.ink;
      g.lineWidth = 2;
      g.beginPath();
      g.arc(px, py, 13, 0, 7);
      g.stroke();
    }
  }

  drawPath(g, rows) {
    g.strokeStyle = this.colour.accent;
    g.lineWidth = 2;
    g.beginPath();
    let before = null;
    for (const row of rows) {
      const at = this.pixel(row.position[0], row.position[1]);
      if (row.level === this.level || !row.level) before === this.level || !row.level ? g.lineTo(...at) : g.moveTo(...at);
      before = row.level;
    }
    g.stroke();
  }

  drawPhoto(g, photo) {
    if (photo.level && photo.level !== this.level) return;
    g.strokeStyle = g.fillStyle = this.colour.found;
    if (photo.position) {
      const [px, py] = this.pixel(...photo.position);
      g.globalAlpha = 0.35;
      g.lineWidth = 1;
      const every = Math.ceil(photo.landmarks.length / MOST_RAYS);
      photo.landmarks.forEach(([x, y], index) => {
        if (index % every) return;
        g.beginPath();
        g.moveTo(px, py);
        g.lineTo(...this.pixel(x, y));
        g.stroke();
      });
      g.globalAlpha = 1;
      for (const [x, y] of photo.landmarks) {
        const [lx, ly] = this.pixel(x, y);
        g.fillRect(lx - 1.5, ly - 1.5, 3, 3);
      }
      const { major, minor, turn } = ellipse(photo.covariance);
      g.lineWidth = 2;
      g.beginPath();
      g.ellipse(px, py, Math.max(major * this.scale, 5), Math.max(minor * this.scale, 5), -turn, 0, 7);
      g.stroke();
      const [dx, dy] = photo.towards, side = 0.35;
      g.beginPath();
      g.moveTo(px, py);
      g.lineTo(px + 34 * (dx - side * dy), py - 34 * (dy + side * dx));
      g.lineTo(px + 34 * (dx + side * dy), py - 34 * (dy - side * dx));
      g.closePath();
      g.globalAlpha = 0.6;
      g.fill();
      g.globalAlpha = 1;
    }
    for (const place of photo.coarse) {
      if (place.level && place.level !== this.level) continue;
      const [px, py] = this.pixel(place.position[0], place.position[1]);
      g.setLineDash([5, 4]);
      g.lineWidth = 2;
      g.strokeStyle = this.colour.warn;
      g.beginPath();
      g.arc(px, py, Math.max(place.radius_m * this.scale, 8), 0, 7);
      g.stroke();
      g.setLineDash([]);
    }
  }

  drawHits(g, hits) {
    g.font = "bold 11px system-ui, sans-serif";
    g.textAlign = "center";
    g.textBaseline = "middle";
    for (const hit of hits) {
      if (hit.level && hit.level !== this.level) continue;
      const [px, py] = this.pixel(hit.x, hit.y);
      g.fillStyle = this.colour.accent;
      g.beginPath();
      g.arc(px, py, 9, 0, 7);
      g.fill();
      g.fillStyle = this.colour.surface;
      g.fillText(String(hit.rank), px, py);
    }
  }

  pick([px, py]) {
    let best = null, nearest = PICK_PX;
    for (const { id, row, x, y } of this.scene().objects) {
      if (row.level && row.level !== this.level) continue;
      const [ox, oy] = this.pixel(x, y), away = Math.hypot(ox - px, oy - py);
      const reach = row.size ? Math.max(nearest, (row.size[1] / 2) * this.scale) : nearest;
      if (away < reach && (best === null || away < best.away)) best = { id, away };
    }
    return best && best.id;
  }

  listen() {
    const touches = new Map();
    let moved = 0;
    const at = (event) => [event.offsetX, event.offsetY];
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      touches.set(event.pointerId, at(event));
      moved = 0;
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const before = touches.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      if (touches.size === 1) {
        this.pan(now[0] - before[0], now[1] - before[1]);
      } else {
        const other = [...touches].find(([id]) => id !== event.pointerId)[1];
        const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
        this.zoom(apart(now, other) / Math.max(apart(before, other), 1), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
      }
      moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      touches.set(event.pointerId, now);
    });
    this.canvas.addEventListener("pointerup", (event) => {
      if (touches.delete(event.pointerId) && moved < 5) this.picked(this.pick(at(event)));
    });
    this.canvas.addEventListener("pointercancel", (event) => touches.delete(event.pointerId));
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * 0.0015), at(event));
    }, { passive: false });
  }
}
