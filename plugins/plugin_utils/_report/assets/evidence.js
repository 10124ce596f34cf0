// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The panel of one cloud: its facts, and for each check the reason, the difference and the remedy.

const OVERVIEW = null;

const evidence = { row: null, tabs: [], chosen: OVERVIEW };

function startEvidence() {
  const dialog = byId("evidence");
  byId("evidence-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
  dialog.addEventListener("close", () => {
    if (dialog.open) return; // opened again before the event came
    evidence.row = null;
    writeAddress();
  });
  byId("evidence-checks").addEventListener("keydown", onTabKey);
}

function openEvidence(row, checkId) {
  evidence.row = row;
  byId("evidence-cloud").textContent = row.name;
  const facts = [row.facts.cloud_id, row.account && `account ${row.account}`, row.region];
  byId("evidence-facts").textContent = facts.filter(Boolean).join("  ·  ");
  evidence.tabs = [OVERVIEW, ...worstFirst(row.entry.checks).map((check) => check.id)];
  byId("evidence-checks").replaceChildren(...evidence.tabs.map(tab));
  if (!byId("evidence").open) byId("evidence").showModal();
  choose(evidence.tabs.includes(checkId) ? checkId : OVERVIEW);
}

/** What is wrong first; what somebody accepts as it is weighs as little as what passes. */
function worstFirst(checks) {
  const weight = (check) => STATUSES.indexOf(check.acknowledged ? "pass" : check.status);
  return [...checks].sort((one, other) => weight(one) - weight(other));
}

function tab(id) {
  const check = evidence.row.checks.get(id);
  const kind = check ? check.status : evidence.row.state;
  const words = check ? titleOf(check) : "The cloud";
  const mark = changeMark(check?.change);
  return button(
    {
      class: "tab",
      role: "tab",
      id: `tab-${id}`,
      tabindex: -1,
      "aria-controls": "evidence-panel",
      "aria-label": `${words}: ${WORDS[kind]}`,
    },
    () => choose(id),
    element("span", { class: "with-mark" }, sign(kind), mark),
    element("span", {}, words),
  );
}

function choose(id) {
  for (const made of byId("evidence-checks").children) {
    const chosen = made.id === `tab-${id}`;
    made.setAttribute("aria-selected", String(chosen));
    made.tabIndex = chosen ? 0 : -1;
    if (chosen) {
      made.focus();
      made.scrollIntoView({ block: "nearest" });
    }
  }
  const panel = byId("evidence-panel");
  panel.setAttribute("aria-labelledby", `tab-${id}`);
  panel.replaceChildren(...(id === OVERVIEW ? overview(evidence.row) : details(evidence.row.checks.get(id))));
  panel.scrollTop = 0;
  evidence.chosen = id;
  writeAddress();
}

function onTabKey(event) {
  const current = evidence.tabs.findIndex((id) => byId(`tab-${id}`).getAttribute("aria-selected") === "true");
  const last = evidence.tabs.length - 1;
  const next = { ArrowDown: Math.min(last, current + 1), ArrowUp: Math.max(0, current - 1), Home: 0, End: last }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  choose(evidence.tabs[next]);
}

function details(check) {
  const found = check.evidence || {};
  const parts = [
    element(
      "div",
      { class: "verdict" },
      pill(check.status),
      changeBadge(check.change),
      element("code", { class: "check-id" }, check.id),
    ),
    element("h3", {}, titleOf(check)),
    element("p", { class: "reason" }, check.reason),
    ...acknowledgement(check),
  ];
  parts.push(...fix(check));
  if ("before" in found || "after" in found) parts.push(section("Difference", diffTable(found.before, found.after)));
  const others = Object.entries(found).filter(([key]) => key !== "before" && key !== "after");
  if (others.length) parts.push(section("Evidence", factList(others)));
  return parts;
}

function section(title, ...content) {
  return element("section", {}, element("h4", {}, title), ...content);
}

/** Whether a remedy is a sentence. Otherwise it is a document or a command, which can be copied. */
const isSentence = (text) => /^[A-Z][a-z]* [^\n]*$/.test(text);

/** The command that fixes a finding, if one does, and the remedy in words or as a document. */
function fix({ command, remedy }) {
  return [
    command ? copyable("Command", command, "command") : null,
    remedy && isSentence(remedy) ? section("Remedy", element("p", { class: "remedy" }, remedy)) : null,
    remedy && !isSentence(remedy) ? copyable("Remedy", remedy, "remedy") : null,
  ].filter(Boolean);
}

function copyable(title, text, name) {
  const shown = element("pre", { class: name, tabindex: 0 }, text);
  const copy = button({ class: "copy", "aria-label": `Copy: ${title}` }, () => copyText(text, shown, copy), "Copy");
  return element("section", {}, element("div", { class: "remedy-head" }, element("h4", {}, title), copy), shown);
}

/** Copy text to the clipboard if the browser allows it, else select it for copying. */
async function copyText(text, shown, label) {
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(shown);
    label.textContent = "Selected";
  }
  setTimeout(() => {
    label.textContent = "Copy";
  }, 2000);
}

const isPlain = (value) => value === null || typeof value !== "object";

function factList(entries) {
  return element(
    "dl",
    { class: "facts" },
    ...entries.flatMap(([name, value]) => [
      element("dt", {}, name.replaceAll("_", " ")),
      element("dd", {}, isPlain(value) ? element("code", {}, value === null ? "none" : String(value)) : jsonBlock(value)),
    ]),
  );
}

function jsonBlock(value) {
  if (!Object.keys(value).length) return element("code", {}, "none");
  if (Array.isArray(value) && value.every(isPlain)) {
    return element("ul", { class: "values" }, ...value.map((item) => element("li", {}, element("code", {}, String(item)))));
  }
  return element("pre", { tabindex: 0 }, JSON.stringify(value, null, 2));
}

function overview(row) {
  const head = [element("div", { class: "verdict" }, pill(row.state)), element("h3", {}, "The cloud")];
  if (row.entry.error) {
    const message = element("pre", { class: "remedy", tabindex: 0 }, row.entry.error);
    return [...head, element("p", { class: "reason" }, "The cloud could not be audited."), section("Error", message)];
  }
  const checks = worstFirst(row.entry.checks);
  const quietOnes = checks.filter((check) => !isOpen(check));
  const counts = STATUSES.map((status) => [status, row.entry.checks.filter((check) => check.status === status).length]);
  const counted = counts
    .filter(([, count]) => count)
    .map(([status, count]) => element("span", { class: "counted" }, sign(status), `${count} ${WORDS[status].toLowerCase()}`));
  const groups = (row.facts.compute_configs || []).flatMap((config) =>
    (config.node_groups || []).map((group) => ({ config, group })),
  );
  return [
    ...head,
    element("p", { class: "verdict" }, ...counted),
    ...checks.filter(isOpen).map(problem),
    ...(quietOnes.length ? [quiet(quietOnes)] : []),
    section("Facts", factList(factsOf(row.facts))),
    ...(groups.length ? [section("Compute configs", nodeGroups(groups))] : []),
  ];
}

/** A finding in short, with its fix; the button leads to its evidence. */
function problem(check) {
  const toDetails = button({ class: "plain" }, () => choose(check.id), "Evidence");
  return element(
    "article",
    { class: "problem" },
    element("div", { class: "verdict" }, pill(check.status), changeBadge(check.change), element("b", {}, titleOf(check)), toDetails),
    element("p", { class: "reason" }, check.reason),
    ...fix(check),
  );
}

/** The checks that need no attention, folded. */
function quiet(checks) {
  return element(
    "details",
    {},
    element("summary", {}, `${plural(checks.length, "check needs", "checks need")} no attention`),
    element("ul", {}, ...checks.map((check) => element("li", {}, sign(check.status), " ", titleOf(check)))),
  );
}

function factsOf(facts) {
  return [
    ["cloud name", facts.cloud_name ?? null],
    ["default role", facts.default_role_arn ?? null],
    ["default role source", facts.default_role_source ?? null],
    ["role", facts.role?.arn ?? null],
    ["role ID", facts.role?.id ?? null],
    ["permissions boundary", facts.role?.permissions_boundary ?? null],
    ["instance profiles", (facts.instance_profiles || []).map((profile) => profile.arn ?? profile.name)],
    ["control-plane role", facts.control_plane_role_arn ?? null],
    ["bucket", facts.bucket?.name ?? null],
    ["bucket region", facts.bucket?.region ?? null],
    ["Cloud IAM mappings", facts.iam_mappings || []],
  ];
}

function nodeGroups(groups) {
  const heads = ["Compute config", "Node group", "Instance profile", "Decided by"];
  return element(
    "table",
    { class: "plain-table" },
    element("thead", {}, element("tr", {}, ...heads.map((words) => element("th", { scope: "col" }, words)))),
    element(
      "tbody",
      {},
      ...groups.map(({ config, group }) =>
        element(
          "tr",
          {},
          element("td", {}, `${config.name}:${config.version}`),
          element("td", {}, String(group.node_group)),
          element("td", {}, element("code", {}, group.instance_profile_arn ?? "none")),
          element("td", {}, String(group.decided_by).replaceAll("_", " ")),
        ),
      ),
    ),
  );
}
