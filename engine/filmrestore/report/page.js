"use strict";
/* The page's behaviour: wipes, timeline, filters, and the list of rejected fixes. */
const facts = JSON.parse(document.getElementById("facts").textContent);
const byId = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll("#cards article")];
const cardOf = new Map(cards.map((card) => [card.dataset.id, card]));
const rejected = new Set();

/* -- the list of rejected fixes ------------------------------------------------------------- */

function remember() {
  try {
    localStorage.setItem(facts.key, JSON.stringify([...rejected]));
  } catch {
    say("This browser keeps nothing for files: save the list before you close the page.");
  }
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem(facts.key) || "[]");
  } catch {
    return [];
  }
}

function listText() {
  const lines = [`# fixes of ${facts.name} to leave out: ${rejected.size}`, `# ${facts.command}`];
  for (const id of [...rejected].sort(inFrameOrder)) {
    const card = cardOf.get(id);
    lines.push(card ? `${id}  # ${card.dataset.cause}, confidence ${card.dataset.confidence}` : id);
  }
  return lines.join("\n") + "\n";
}

function inFrameOrder(one, other) {
  const frame = (id) => Number(id.slice(0, id.lastIndexOf("-")));
  return frame(one) - frame(other) || (one < other ? -1 : 1);
}

function reject(id, on) {
  if (on) rejected.add(id); else rejected.delete(id);
  for (const rect of document.querySelectorAll(`.wipe rect[data-id="${CSS.escape(id)}"]`)) {
    rect.classList.toggle("rejected", on);
  }
  const card = cardOf.get(id);
  if (!card) return;
  card.classList.toggle("rejected", on);
  card.querySelector(".reject input").checked = on;
}

function show() {
  byId("count").textContent = rejected.size;
  byId("list").value = listText();
  remember();
}

function say(words) {
  byId("said").textContent = words;
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([listText()], { type: "text/plain" }));
  link.download = "rejected.txt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say("Saved as rejected.txt.");
}

async function copy() {
  try {
    await navigator.clipboard.writeText(listText());
  } catch {
    byId("list").select(); // pages from disk may not have the clipboard
    document.execCommand("copy");
  }
  say("Copied.");
}

async function openList(file) {
  const ids = (await file.text()).split("\n").map((line) => line.split("#")[0].trim()).filter(Boolean);
  for (const id of ids) reject(id, true);
  show();
  say(`${ids.length} read from ${file.name}.`);
}

/* -- fixes: filters, order, keyboard --------------------------------------------------------- */

const filters = byId("filters");
let current = null;

function visible() {
  return [...byId("cards").children].filter((card) => !card.hidden);
}

function applyFilters() {
  const wanted = new FormData(filters);
  const [first, last] = [wanted.get("first"), wanted.get("last")];
  let shown = 0;
  for (const card of cards) {
    const { cause, origin, id } = card.dataset;
    const frame = Number(card.dataset.frame);
    card.hidden = Boolean(
      (wanted.get("cause") && cause !== wanted.get("cause")) ||
      (wanted.get("origin") && origin !== wanted.get("origin")) ||
      (first && frame < Number(first)) ||
      (last && frame > Number(last)) ||
      (wanted.get("rejected") && !rejected.has(id)));
    shown += !card.hidden;
  }
  const order = wanted.get("order");
  const sign = order === "frame" ? 1 : -1;
  byId("cards").append(...cards.sort((a, b) => sign * (a.dataset[order] - b.dataset[order])));
  byId("shown").textContent = shown;
}

function select(card, scroll = true) {
  current?.classList.remove("at");
  current = card;
  card?.classList.add("at");
  if (scroll) card?.scrollIntoView({ block: "nearest" });
}

function step(key) {
  const there = visible();
  if (!there.length) return;
  const at = there.indexOf(current);
  if (at < 0) return select(there[0]);
  const columns = getComputedStyle(byId("cards")).gridTemplateColumns.split(" ").length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  select(there[Math.min(there.length - 1, Math.max(0, at + by))]);
}

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA|CANVAS)$/.test(event.target.tagName) && event.target.type !== "checkbox";
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith("Arrow")) {
    event.preventDefault();
    step(event.key);
  } else if (event.key === "r" && current && !event.repeat) {
    reject(current.dataset.id, !rejected.has(current.dataset.id));
    show();
  } else if (event.key === "f") {
    document.body.classList.add("flicking");
  }
});
document.addEventListener("keyup", (event) => {
  if (event.key === "f") document.body.classList.remove("flicking");
});

/* -- wipes ----------------------------------------------------------------------------------- */

function outlines(wipe, frame) {
  const colour = (box) => facts.causes[box.cause];
  wipe.querySelector("svg").innerHTML = (facts.boxes[frame] || []).map((entry) => {
    const [x0, y0, x1, y1] = entry.box;
    const state = rejected.has(entry.id) ? "rejected" : "";
    const words = `${entry.id}: ${entry.cause.replace("_", " ")}; click to reject`;
    return `<rect data-id="${entry.id}" class="${state}" x="${x0 - 4}" y="${y0 - 4}" width="${x1 - x0 + 8}" height="${y1 - y0 + 8}" stroke="${colour(entry)}"><title>${words}</title></rect>`;
  }).join("");
}

function setUpShot(section) {
  const wipe = section.querySelector(".wipe");
  if (!wipe) return;
  const range = section.querySelector("input[type=range]");
  const move = (share) => {
    const at = Math.min(1, Math.max(0, share));
    wipe.style.setProperty("--at", `${100 * at}%`);
    range.value = Math.round(1000 * at);
  };
  const follow = (event) => {
    const place = wipe.getBoundingClientRect();
    move((event.clientX - place.left) / place.width);
  };
  wipe.addEventListener("pointerdown", (event) => {
    const id = event.target.dataset.id;
    if (id) {
      reject(id, !rejected.has(id));
      show();
      return;
    }
    wipe.setPointerCapture(event.pointerId);
    follow(event);
  });
  wipe.addEventListener("pointermove", (event) => wipe.hasPointerCapture(event.pointerId) && follow(event));
  range.addEventListener("input", () => move(range.value / 1000));
  section.querySelector(".outlines").addEventListener("change", (event) => {
    wipe.classList.toggle("outlined", event.target.checked);
  });
  const choose = (column) => {
    for (const other of section.querySelectorAll(".column")) other.classList.toggle("chosen", other === column);
    const frame = column.dataset.frame;
    wipe.dataset.frame = frame;
    for (const kind of ["before", "after"]) {
      wipe.querySelector(`img.${kind}`).src = column.querySelector(`img.${kind}`).src;
    }
    section.querySelector(".which").textContent = `frame ${frame}`;
    outlines(wipe, frame);
  };
  for (const column of section.querySelectorAll(".column")) column.addEventListener("click", () => choose(column));
  choose(section.querySelector(".column.chosen"));
}

/* -- timeline -------------------------------------------------------------------------------- */

const canvas = byId("timeline");
const total = (bin) => Object.values(bin.causes).reduce((sum, value) => sum + value, 0);

function drawTimeline() {
  const bins = facts.timeline;
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  const most = Math.max(1, ...bins.map(total));
  bins.forEach((bin, index) => {
    const left = Math.round(width * index / bins.length);
    const right = Math.round(width * (index + 1) / bins.length);
    const gap = right - left > 4 ? 1 : 0;
    let foot = height;
    for (const [cause, colour] of Object.entries(facts.causes)) {
      const tall = (bin.causes[cause] || 0) / most * (height - 22 * scale);
      pen.fillStyle = colour;
      pen.fillRect(left, foot - tall, right - left - gap, tall);
      foot -= tall;
    }
  });
  pen.fillStyle = "#9c9c9c";
  pen.font = `${14 * scale}px system-ui, sans-serif`;
  pen.fillText(`most: ${most >= 10 ? Math.round(most) : most.toFixed(1)} fixes a frame`, 8 * scale, 17 * scale);
}

function binAt(event) {
  const place = canvas.getBoundingClientRect();
  const index = Math.floor((event.clientX - place.left) / place.width * facts.timeline.length);
  return facts.timeline[Math.min(facts.timeline.length - 1, Math.max(0, index))];
}

const framesOf = (bin) => bin.first === bin.last ? `frame ${bin.first}` : `frames ${bin.first} to ${bin.last}`;

canvas.addEventListener("pointermove", (event) => {
  const bin = binAt(event);
  if (!bin) return;
  const parts = Object.entries(bin.causes).sort((a, b) => b[1] - a[1]);
  const words = parts.map(([cause, count]) => `${cause.replace("_", " ")} ${count}`).join(", ");
  byId("timeline-words").textContent = `${framesOf(bin)}: ${words || "no fixes"}`;
});
canvas.addEventListener("click", (event) => {
  const bin = binAt(event);
  if (!bin) return;
  filters.elements.first.value = bin.first;
  filters.elements.last.value = bin.last;
  applyFilters();
  say(`Only the fixes of ${framesOf(bin)}.`);
  byId("fixes-title").scrollIntoView();
});
window.addEventListener("resize", drawTimeline);

/* -- begin ----------------------------------------------------------------------------------- */

byId("command").textContent = facts.command;
byId("save").addEventListener("click", save);
byId("copy").addEventListener("click", copy);
byId("clear").addEventListener("click", () => {
  for (const id of [...rejected]) reject(id, false);
  show();
});
byId("open").addEventListener("change", (event) => {
  if (event.target.files[0]) openList(event.target.files[0]);
  event.target.value = "";
});
filters.addEventListener("input", applyFilters);
filters.addEventListener("reset", () => setTimeout(applyFilters));
byId("cards").addEventListener("change", (event) => {
  const card = event.target.closest("article");
  reject(card.dataset.id, event.target.checked);
  select(card, false);
  show();
});
byId("cards").addEventListener("click", (event) => {
  const card = event.target.closest("article");
  if (card) select(card, false);
});
for (const section of document.querySelectorAll(".shot")) setUpShot(section);
for (const id of recall()) reject(id, true);
show();
drawTimeline();
