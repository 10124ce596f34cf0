// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The charts at the top: clouds by state as a donut, each check as a bar, the most frequent problem first, and the changes.

const RADIUS = 52;
const ROUND = 2 * Math.PI * RADIUS;

const percent = (part, whole) => (whole ? (100 * part) / whole : 0);

/** A percentage that is never rounded to "0 %" or "100 %" unless it is exactly that. */
function share(part, whole) {
  const rounded = Math.round(percent(part, whole));
  if (rounded === 0 && part) return "<1 %";
  return rounded === 100 && part < whole ? ">99 %" : `${rounded} %`;
}

function drawDonut(counts) {
  const total = rows.length;
  let start = 0;
  const arcs = STATES.filter((state) => counts[state]).map((state) => {
    const length = (ROUND * counts[state]) / total;
    const gap = counts[state] === total ? 0 : Math.min(2, length / 2);
    const dashes = `${length - gap} ${ROUND - length + gap}`;
    const arc = drawing("circle", { class: `arc ${state}`, r: RADIUS, "stroke-dasharray": dashes, "stroke-dashoffset": -start });
    start += length;
    return arc;
  });
  const words = STATES.map((state) => `${counts[state]} ${WORDS[state]}`).join(", ");
  byId("donut").append(
    drawing(
      "svg",
      { viewBox: "-64 -64 128 128", role: "img", "aria-label": `Clouds by state: ${words}` },
      drawing("circle", { class: "arc none", r: RADIUS }),
      drawing("g", { transform: "rotate(-90)" }, ...arcs),
      drawing("text", { class: "donut-number", y: 4 }, share(counts.pass, total)),
      drawing("text", { class: "donut-words", y: 22 }, "pass"),
    ),
  );
}

function drawCloudLegend(counts) {
  byId("cloud-legend").append(
    ...STATES.map((state) => {
      const choose = button(
        { class: "legend-item", "data-state": state, "aria-pressed": "false" },
        () => toggleState(state),
        sign(state),
        element("span", {}, WORDS[state]),
        element("b", {}, number.format(counts[state])),
      );
      return element("li", {}, choose);
    }),
  );
}

function drawChanges(counts) {
  const previous = report.previous;
  byId("since").textContent = previous
    ? `Compared with the audit at ${moment(previous.generated_at)}`
    : "No previous report was given, so there is nothing to compare with.";
  if (!previous) return;
  const largest = Math.max(1, ...CHANGES.map((change) => counts[change]));
  byId("changes").append(
    ...CHANGES.map((change) => {
      const bar = drawing(
        "svg",
        { class: "change-bar", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
        drawing("rect", { class: "track", width: 100, height: 4 }),
        drawing("rect", { class: change, width: percent(counts[change], largest), height: 4 }),
      );
      const choose = button(
        { class: "change", "data-change": change, "aria-pressed": "false" },
        () => setFilter("change", change, true),
        element("b", {}, number.format(counts[change])),
        element("span", {}, WORDS[change]),
        bar,
      );
      return element("li", {}, choose);
    }),
  );
}

function checkBar(column) {
  const { known: counts, attention, problem } = column;
  const total = STATUSES.reduce((sum, status) => sum + counts[status], 0);
  let x = 0;
  const parts = STATUSES.filter((status) => counts[status]).map((status) => {
    const width = percent(counts[status], total);
    const part = drawing("rect", { class: status, x, width, height: 10 });
    x += width;
    return part;
  });
  const words = STATUSES.filter((status) => counts[status])
    .map((status) => `${counts[status]} ${WORDS[status]}`)
    .join(", ");
  const bar = drawing("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, ...parts);
  const choose = button(
    { class: "bar", "data-check": column.id, "aria-pressed": "false", title: `${problem}: ${words}` },
    () => setFilter("check", column.id, true),
    element("span", { class: "bar-name" }, problem),
    bar,
    element("b", { class: attention ? "" : "zero" }, attention ? number.format(attention) : "–"),
  );
  return element("li", {}, choose);
}

function drawScorecard() {
  const totals = report.totals;
  drawDonut(totals.clouds);
  drawCloudLegend(totals.clouds);
  drawChanges(totals.changes);
  byId("check-legend").append(
    ...STATUSES.map((status) =>
      element("li", {}, sign(status), element("span", {}, WORDS[status]), element("b", {}, number.format(totals.checks[status]))),
    ),
  );
  const worstFirst = [...columns].sort((one, other) => other.attention - one.attention);
  byId("check-bars").append(...worstFirst.map(checkBar));
}
