// What is known of how good the twin is, and reports that were put beside it.

import { get, picture } from "./api.js";
import { $, failure, make, metres, table } from "./page.js";

export async function showReports(twin) {
  const pane = $("pane-reports");
  pane.replaceChildren(make("p", { class: "note" }, "loading"));
  try {
    const [detail, { reports }] = await Promise.all([get(`twins/${twin}`), get(`twins/${twin}/reports`)]);
    pane.replaceChildren(make("h2", {}, `Twin ${detail.name}`), table(facts(detail)), make("h2", {}, "Reports"), list(twin, reports));
  } catch (error) {
    pane.replaceChildren(failure(error));
  }
}

function facts(detail) {
  const rows = [["version", detail.version]];
  if (detail.created) rows.push(["made", new Date(detail.created).toLocaleString()]);
  if (detail.frame) rows.push(["tied by", detail.frame.aligned_by.join(", ") || "nothing: its own frame"]);
  const quality = detail.quality;
  if (quality) {
    rows.push(["photos placed", String(quality.images.placed)], ["landmarks", String(quality.landmarks.count)]);
    const { images, localized, position_error_m: error } = quality.left_out;
    rows.push(["left out in turn", `${localized} of ${images} found again`]);
    if (error) rows.push(["their error", `median ${metres(error.median)}, worst ${metres(error.max)}`]);
  }
  return rows;
}

function list(twin, reports) {
  if (!reports.length) return make("p", { class: "note" }, "None. Pages written with --report are shown here when the service is started with --reports FOLDER.");
  // Fetched with the key and opened as it is; the page's own policy lets no script of it run.
  const open = async (name) => {
    const page = URL.createObjectURL(await picture(`twins/${twin}/reports/${encodeURIComponent(name)}`));
    window.open(page, "_blank", "noopener");
    setTimeout(() => URL.revokeObjectURL(page), 60000);
  };
  const link = (name) => make("button", { type: "button", onclick: () => open(name) }, name);
  return make("ul", { class: "rows" }, ...reports.map(({ name }) => make("li", {}, link(name))));
}
