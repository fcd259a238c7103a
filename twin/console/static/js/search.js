// Where else was this vehicle: answers with their probability and what the building says about each.

import { postForm, postJson } from "./api.js";
import { $, clockOf, failure, make, percent } from "./page.js";

export async function search(twin, plan, { id, file }, goTo) {
  const box = $("search-answer");
  box.replaceChildren(make("p", { class: "note" }, "searching"));
  try {
    let found;
    if (file) {
      const form = new FormData();
      form.append("image", file, file.name || "crop.jpg");
      found = await postForm(`twins/${twin}/search/image`, form);
    } else {
      found = await postJson(`twins/${twin}/search`, { id, top: 20 });
    }
    const hits = found.results.map((hit, index) => ({ ...hit, rank: index + 1 }));
    box.replaceChildren(
      make("p", { class: "note" }, `${hits.length} answers to ${found.query}${found.partial ? "; a part of the store did not answer" : ""}`),
      make("ol", { class: "rows" }, ...hits.map((hit) => shown(hit, goTo))),
    );
    return hits
      .filter((hit) => hit.sighting?.position)
      .map((hit) => ({ rank: hit.rank, x: hit.sighting.position[0], y: hit.sighting.position[1], level: hit.sighting.level ?? plan.levelAt(hit.sighting.position[2]) }));
  } catch (error) {
    box.replaceChildren(failure(error));
    return [];
  }
}

function shown(hit, goTo) {
  const sighting = hit.sighting, probability = hit.probability;
  const where = sighting ? [sighting.level, sighting.camera, clockOf(sighting.time)].filter(Boolean).join(" · ") : "";
  return make(
    "li", {},
    make("button", { type: "button", onclick: () => sighting?.position && goTo(sighting) }, `${hit.rank}. ${hit.id}`, make("small", {}, ` ${where}`)),
    probability === null || probability === undefined ? make("small", {}, `likeness ${hit.score.toFixed(3)}`) : make("meter", { min: 0, max: 1, value: probability, "aria-label": `probability ${percent(probability)}` }),
    probability === null || probability === undefined ? null : make("small", {}, `${percent(probability)} the same`),
    hit.why ? make("p", {}, hit.why) : null,
  );
}
