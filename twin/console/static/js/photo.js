// Where was this photo taken: the answer in words, the photo with what was matched in it, and what the plan draws.

import { postForm } from "./api.js";
import { $, failure, make, metres, percent, table } from "./page.js";

export async function locate(twin, file, plan) {
  const box = $("photo-answer");
  box.replaceChildren(make("p", { class: "note" }, `looking at ${file.name}`));
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const form = new FormData();
    form.append("images", file, file.name || "photo.jpg");
    form.append("matches", "true");
    const focal = Number($("photo-focal").value);
    if (focal > 0) {
      form.append("model", "SIMPLE_PINHOLE");
      form.append("width", bitmap.width);
      form.append("height", bitmap.height);
      form.append("params", `${focal} ${bitmap.width / 2} ${bitmap.height / 2}`);
    }
    if ($("photo-level").value) form.append("level", $("photo-level").value);
    const { localizations: [answer] } = await postForm(`twins/${twin}/localize`, form);
    box.replaceChildren(told(answer), seen(bitmap, answer));
    return drawn(answer, plan);
  } catch (error) {
    box.replaceChildren(failure(error));
    return null;
  }
}

function told(answer) {
  const answerBox = make("div", { class: "answer" });
  if (answer.status === "ok") {
    const rows = [
      ["where", [answer.level, answer.zone, answer.stall].filter(Boolean).join(", ") || "no known level"],
      ["position", `${answer.position.map((value) => value.toFixed(2)).join(", ")} m`],
      ["sigma", `${metres(answer.position_sigma_m)}, ${answer.rotation_sigma_deg.toFixed(2)}°`],
      ["landmarks", String(answer.inliers)],
      ["took", `${answer.seconds.toFixed(2)} s`],
    ];
    if (answer.geopose) rows.splice(2, 0, ["on Earth", `${answer.geopose.position.lat.toFixed(6)}, ${answer.geopose.position.lon.toFixed(6)}`]);
    answerBox.append(
      make("strong", { class: "good" }, "Found"), ` with confidence ${percent(answer.confidence)}`,
      make("meter", { min: 0, max: 1, value: answer.confidence, "aria-label": "confidence" }), table(rows),
    );
  } else {
    answerBox.append(make("strong", { class: "warn" }, "Not placed"), make("p", {}, `${answer.reason}.`));
    const coarse = answer.coarse || [];
    if (coarse.length) {
      answerBox.append(
        make("p", { class: "note" }, "It could be at one of these, drawn as circles:"),
        make("ol", { class: "rows" }, ...coarse.map((place) => make("li", {}, `${place.level || "?"} near ${place.position.slice(0, 2).map((value) => value.toFixed(1)).join(", ")} m`, make("small", {}, ` ${percent(place.probability)}`)))),
      );
    }
  }
  return answerBox;
}

// The photo with the features that agree with the pose.
function seen(bitmap, answer) {
  const canvas = make("canvas", { class: "picture", role: "img" });
  const scale = Math.min(1, 1000 / bitmap.width);
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  const g = canvas.getContext("2d"), matches = answer.matches || [];
  g.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  g.strokeStyle = "#6fd19b";
  g.lineWidth = 2;
  for (const { pixel: [u, v] } of matches) {
    g.beginPath();
    g.arc(u * scale, v * scale, 4, 0, 7);
    g.stroke();
  }
  canvas.setAttribute("aria-label", matches.length ? `The photo with ${matches.length} landmarks marked` : "The photo");
  return canvas;
}

function drawn(answer, plan) {
  const coarse = answer.status === "ok" ? [] : (answer.coarse || []).map((place) => ({ ...place, level: place.level ?? plan.levelAt(place.position[2] - 1.5) }));
  if (answer.status !== "ok") return { coarse, level: null, at: coarse[0]?.position ?? null, on: coarse[0]?.level ?? null };
  const [x, y, z, w] = answer.quat_xyzw;
  const ahead = [2 * (x * z + w * y), 2 * (y * z - w * x)], length = Math.hypot(...ahead) || 1;
  const level = answer.level ?? plan.levelAt(answer.position[2] - 1.5);
  return {
    coarse, level, position: answer.position.slice(0, 2), covariance: answer.position_covariance, towards: ahead.map((value) => value / length),
    landmarks: (answer.matches || []).map((match) => match.point), at: answer.position, on: level,
  };
}
