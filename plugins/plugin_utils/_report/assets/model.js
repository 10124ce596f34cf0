// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The model of the page: rows with their search text and sort keys, and the filters.

const STATUSES = ["fail", "unknown", "warn", "pass", "not_applicable"];
const STATES = ["error", ...STATUSES, "not_permitted"];
const CHANGES = ["new", "persisting", "fixed", "gone"];
const WORDS = {
  error: "Error",
  fail: "Fail",
  unknown: "Unknown",
  warn: "Warning",
  pass: "Pass",
  not_applicable: "Not applicable",
  not_permitted: "Not permitted",
  new: "New",
  persisting: "Persisting",
  fixed: "Fixed",
  gone: "Gone",
};
// By what an ID begins with. A group of one column has no heading: it would run into the next one.
const GROUPS = [
  ["authority", ""],
  ["container_", "Role"],
  ["trust_", "Trust"],
  ["role_", "Role"],
  ["permissions_", "Role"],
  ["instance_profile_", "Instance profile"],
  ["control_plane_", "Control plane"],
  ["bucket_", "Bucket"],
  ["compute_config_", "Compute config"],
];
const ACRONYMS = { ec2: "EC2", arn: "ARN", iam: "IAM", s3: "S3" };

const number = new Intl.NumberFormat("en");
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

const plural = (count, one, many) => `${number.format(count)} ${count === 1 ? one : many}`;

/** "2026-11-25T10:21:03Z" in a readable form, in UTC like all times in the report. */
function moment(text) {
  const found = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})/.exec(text || "");
  return found ? `${found[1]} ${found[2]} UTC` : String(text);
}

/** A column's group and label in the head of the table, from its ID: "bucket_region" is "region" under "Bucket". */
function columnOf({ id, title }) {
  const [prefix, group] = GROUPS.find(([start]) => id.startsWith(start)) || ["", "Outcome"];
  const words = id
    .slice(prefix.length)
    .split("_")
    .map((word) => ACRONYMS[word] || word);
  return { id, title, group, label: words.join(" ").trim() || id };
}

function rowOf(entry) {
  const facts = entry.cloud || {};
  const checks = new Map(entry.checks.map((check) => [check.id, check]));
  const searched = [
    entry.name,
    facts.cloud_name,
    facts.cloud_id,
    facts.account_id,
    facts.region,
    facts.default_role_arn,
    facts.bucket?.name,
    facts.role?.arn,
    entry.error,
    ...entry.checks.filter((check) => isFinding(check.status)).map((check) => check.reason),
  ];
  return {
    entry,
    facts,
    checks,
    name: entry.name,
    state: entry.state,
    account: facts.account_id || "",
    region: facts.region || "",
    haystack: searched.filter(Boolean).join("\n").toLowerCase(),
  };
}

/** How often a check has each status, acknowledged findings left out, and the title of the worst. */
function problemOf(id) {
  const found = rows.map((row) => row.checks.get(id)).filter((check) => check && !check.acknowledged);
  const known = Object.fromEntries(STATUSES.map((status) => [status, 0]));
  for (const check of found) known[check.status] += 1;
  const worst = found.find((check) => check.status === STATUSES.find((status) => known[status]));
  return { known, attention: known.fail + known.warn + known.unknown, problem: worst ? titleOf(worst) : titleOf({ id }) };
}

/** Whether a check needs attention. */
const isFinding = (status) => status === "fail" || status === "warn" || status === "unknown";

/** Whether a check counts as a finding: not where somebody accepts it as it is. */
const isOpen = (check) => isFinding(check.status) && !check.acknowledged;

/** A check has a title of its own where that is not the one of its column, which is true where it passes. */
const titleOf = (check) => check.title ?? columns.find((column) => column.id === check.id)?.title ?? check.id;

const needsAttention = (row) => row.state === "error" || isFinding(row.state);

const report = JSON.parse(byId("report").textContent);
const columns = report.columns.map(columnOf);
const rows = report.clouds.map(rowOf);
for (const column of columns) Object.assign(column, problemOf(column.id));

const NO_FILTERS = { text: "", account: "", region: "", check: "", change: "" };
const filters = { ...NO_FILTERS, states: new Set() };
const order = { by: "state", descending: false };

function matches(row, words) {
  if (filters.states.size && !filters.states.has(row.state)) return false;
  if (filters.account && row.account !== filters.account) return false;
  if (filters.region && row.region !== filters.region) return false;
  if ((filters.check || filters.change) && !row.entry.checks.some(matchesCheck)) return false;
  return words.every((word) => row.haystack.includes(word));
}

/** Whether a check matches the filters of check and change. A check with a change is, or was, a finding. */
function matchesCheck(check) {
  if (filters.check && check.id !== filters.check) return false;
  return filters.change ? check.change === filters.change : isOpen(check);
}

/** The sort order of rows: the worst first, names with numbers in numeric order. */
function comparison() {
  if (order.by === "state") return (one, other) => STATES.indexOf(one.state) - STATES.indexOf(other.state);
  if (["name", "account", "region"].includes(order.by)) return (one, other) => collator.compare(one[order.by], other[order.by]);
  const rank = (row) => (row.checks.has(order.by) ? STATUSES.indexOf(row.checks.get(order.by).status) : STATUSES.length);
  return (one, other) => rank(one) - rank(other);
}

/** The rows that match the filters, sorted. */
function chosenRows() {
  const words = filters.text.toLowerCase().split(/\s+/).filter(Boolean);
  const compare = comparison();
  const direction = order.descending ? -1 : 1;
  return rows
    .filter((row) => matches(row, words))
    .sort((one, other) => direction * compare(one, other) || collator.compare(one.name, other.name));
}
