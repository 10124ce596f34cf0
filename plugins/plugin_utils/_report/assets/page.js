// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The page's script: filters that are kept in the address, what needs no attention, copying and printing. Everything else is markup.
// Text becomes text nodes only, so that no value of the report is ever parsed as markup.
(() => {
  "use strict";

  const MANY = 500;
  const SEARCH_DELAY = 150; // milliseconds
  const PAPER_ROWS = 300; // browsers cannot lay out thousands of opened rows
  const PAPER_FINDINGS = 200;
  const SELECTS = ["account", "region", "check", "change", "start", "order"];
  const WORDS = { fail: "Fail", unknown: "Unknown", warn: "Warning", pass: "Pass", not_applicable: "Not applicable" };

  const byId = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en");
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const plural = (count, one, many) => `${number.format(count)} ${count === 1 ? one : many}`;

  const clouds = [...byId("clouds").children].map((row, place) => ({ ...row.dataset, marks: row.dataset.marks.split(" "), row, place }));
  const filters = { text: "" };
  const states = new Set();
  let opened = { cloud: "", finding: "" };
  let data = null;
  let searching = 0;

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // --- filters

  function matches(cloud, words) {
    if (states.size && !states.has(cloud.state)) return false;
    if (["account", "region", "start"].some((name) => filters[name] && filters[name] !== cloud[name])) return false;
    if (!hasMark(cloud.marks)) return false;
    if (!words.length) return true;
    cloud.haystack ??= [cloud.search, ...textsOf(cloud.row)].join("\n").toLowerCase();
    return words.every((word) => cloud.haystack.includes(word));
  }

  const SEARCHED = ":scope > summary, .error, .finding > .reason, .finding h4";
  const textsOf = (row) => [...row.querySelectorAll(SEARCHED)].map((on) => on.textContent);

  /** A check and a change are filters of the same finding. */
  function hasMark(marks) {
    const { check, change } = filters;
    if (check) return marks.includes(change ? `${check}:${change}` : check);
    return !change || marks.some((mark) => mark.endsWith(`:${change}`));
  }

  function update() {
    for (const name of ["text", ...SELECTS]) byId(name).value = filters[name];
    for (const chip of document.querySelectorAll("[data-chip]")) chip.setAttribute("aria-pressed", states.has(chip.dataset.chip));
    for (const link of document.querySelectorAll(".overview a")) markCurrent(link);
    const words = filters.text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const cloud of clouds) {
      const isShown = matches(cloud, words);
      if (cloud.row.hidden === isShown) cloud.row.hidden = !isShown;
      shown += isShown;
    }
    const isFiltered = states.size > 0 || Object.entries(filters).some(([name, value]) => value && name !== "order");
    const all = plural(clouds.length, "cloud", "clouds");
    byId("shown").textContent = isFiltered ? `${number.format(shown)} of ${all}` : all;
    byId("reset").disabled = !isFiltered;
    byId("nothing").hidden = shown > 0;
    writeAddress();
  }

  function markCurrent(link) {
    const said = [...new URLSearchParams(link.hash.slice(1))];
    if (said.every(([name, value]) => filters[name] === value)) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }

  function sort() {
    const by = filters.order;
    const byText = (one, other) => collator.compare(one[by], other[by]) || collator.compare(one.name, other.name);
    const byPlace = (one, other) => one.place - other.place; // as the page came: the worst first
    byId("clouds").append(...[...clouds].sort(by ? byText : byPlace).map((cloud) => cloud.row));
  }

  function setFilter(name, value) {
    clearTimeout(searching);
    filters[name] = value;
    if (name === "order") sort();
    update();
  }

  /** Search at once among few clouds; among many, when the typing pauses. */
  function search(text) {
    filters.text = text;
    clearTimeout(searching);
    if (clouds.length <= MANY) update();
    else searching = setTimeout(update, SEARCH_DELAY);
  }

  function reset() {
    states.clear();
    for (const name of ["text", "account", "region", "check", "change", "start"]) filters[name] = "";
    update();
  }

  // --- address: the filters and the open cloud, so that what is seen can be linked

  function writeAddress() {
    const said = Object.entries({ ...filters, states: [...states].join(), ...opened }).filter(([, value]) => value);
    history.replaceState(null, "", `#${new URLSearchParams(said)}`);
  }

  /** Filter, and open, what the address says; what it says wrong is left out. */
  function readAddress() {
    const said = new URLSearchParams(location.hash.slice(1));
    const order = filters.order;
    filters.text = said.get("text") ?? "";
    for (const name of SELECTS) {
      byId(name).value = said.get(name) ?? "";
      filters[name] = byId(name).value; // empty if there is no such choice
    }
    states.clear();
    const chosen = (said.get("states") ?? "").split(",");
    for (const { dataset } of document.querySelectorAll("[data-chip]")) if (chosen.includes(dataset.chip)) states.add(dataset.chip);
    if (filters.order !== (order ?? "")) sort();
    const cloud = clouds.find((one) => one.name === said.get("cloud"));
    opened = { cloud: cloud?.name ?? "", finding: said.get("finding") ?? "" };
    if (!cloud) opened.finding = "";
    update();
    if (cloud) open(cloud, opened.finding);
  }

  function open(cloud, finding) {
    cloud.row.hidden = false;
    cloud.row.open = true;
    fill(cloud);
    const found = cloud.row.querySelector(`[data-check="${CSS.escape(finding)}"]`);
    for (let on = found?.closest("details"); on; on = on.parentElement.closest("details")) on.open = true;
    document.querySelector(".linked")?.classList.remove("linked");
    found?.classList.add("linked");
    const toIt = () => (found ?? cloud.row).scrollIntoView({ block: "start" });
    toIt();
    requestAnimationFrame(toIt); // the rows that came into view have their heights now
  }

  // --- an open cloud

  function onToggle(event) {
    const cloud = event.target.matches(".cloud:not(.for-paper)") && clouds.find((one) => one.row === event.target);
    if (!cloud) return;
    if (cloud.row.open) {
      fill(cloud);
      if (opened.cloud !== cloud.name) opened = { cloud: cloud.name, finding: "" };
    } else if (opened.cloud === cloud.name) opened = { cloud: "", finding: "" };
    writeAddress();
  }

  /** Add what needs no attention to an open row. */
  function fill(cloud) {
    if (cloud.isFilled) return;
    cloud.isFilled = true;
    data ??= JSON.parse(byId("report").textContent);
    const { facts, groups, checks } = data.clouds[cloud.place];
    const body = cloud.row.lastChild;
    if (checks.length) body.append(folded(`${plural(checks.length, "check needs", "checks need")} no attention`, ...checks.map(quiet)));
    const known = Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, shown(value))]);
    const parts = known.length ? [element("dl", { class: "facts" }, ...known)] : [];
    if (groups.length) parts.push(nodeGroups(groups));
    if (parts.length) body.append(folded("Facts of the cloud", ...parts));
  }

  const folded = (words, ...content) => element("details", { class: "quiet" }, element("summary", {}, words), ...content);

  function quiet(check) {
    const status = check.status ?? "pass";
    const sign = element("span", { class: `sign ${status}`, role: "img", "aria-label": WORDS[status] });
    const badge = check.change ? [element("span", { class: `badge ${check.change}` }, check.change)] : [];
    const accepted = check.acknowledged;
    return element(
      "details",
      { "data-check": check.id },
      element("summary", {}, sign, check.title ?? data.titles[check.id], ...badge),
      element("p", { class: "reason" }, check.reason ?? ""),
      ...(accepted ? [element("p", {}, `Acknowledged until ${accepted.until}: ${accepted.reason}`)] : []),
      ...(check.evidence ? [shown(check.evidence)] : []),
    );
  }

  const shown = (value) =>
    typeof value === "object" ? element("pre", { tabindex: 0 }, JSON.stringify(value, null, 2)) : element("code", {}, String(value));

  function nodeGroups(groups) {
    const row = (kind, texts) => element("tr", {}, ...texts.map((text) => element(kind, {}, String(text ?? "none"))));
    return element(
      "table",
      { class: "plain-table" },
      element("thead", {}, row("th", ["Compute config", "Node group", "Instance profile", "Decided by"])),
      element("tbody", {}, ...groups.map((group) => row("td", group))),
    );
  }

  // --- links, copying, keys, printing

  /** A link of the page adds its filter to those that are set, or takes it away. */
  function follow(link) {
    const said = new URLSearchParams(location.hash.slice(1));
    const isCurrent = link.getAttribute("aria-current") === "true";
    for (const [name, value] of new URLSearchParams(link.hash.slice(1))) {
      if (isCurrent) said.delete(name);
      else said.set(name, value);
    }
    history.replaceState(null, "", `#${said}`);
    readAddress();
    if (!said.get("finding") && !isCurrent) byId("fleet").scrollIntoView({ block: "start" });
  }

  /** Copy text to the clipboard if the browser allows it, else select it for copying. */
  async function copy(button) {
    const text = button.closest(".copyable").querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
    setTimeout(() => {
      button.textContent = "Copy";
    }, 2000);
  }

  function onClick(event) {
    const on = event.target.closest("a, button");
    if (!on) return;
    if (on.matches("a") && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      follow(on);
    } else if (on.matches(".copy")) copy(on);
    else if (on.dataset.chip) {
      if (!states.delete(on.dataset.chip)) states.add(on.dataset.chip);
      update();
    }
  }

  function onKey(event) {
    if (event.key !== "/" || event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    byId("text").focus();
  }

  /** Open the rows with findings, as many as paper can have, and say how many are left out. */
  function beforePrint() {
    const chosen = [...byId("clouds").children].filter((row) => !row.hidden);
    let room = PAPER_FINDINGS;
    let left = 0;
    for (const [place, row] of chosen.entries()) {
      const findings = row.querySelectorAll(".finding, .error").length;
      row.classList.toggle("left-out", place >= PAPER_ROWS);
      if (place >= PAPER_ROWS || findings > room) left += findings;
      else if (findings && !row.open) {
        row.classList.add("for-paper");
        row.open = true;
      }
      room -= findings > room ? 0 : findings;
    }
    const more = Math.max(0, chosen.length - PAPER_ROWS);
    const notes = [
      left && `${plural(left, "more finding is", "more findings are")} in report.json.`,
      more && `${plural(more, "more cloud is", "more clouds are")} in report.json.`,
    ];
    byId("left-out").textContent = notes.filter(Boolean).join(" ");
    byId("left-out").hidden = !left && !more;
  }

  function afterPrint() {
    for (const row of document.querySelectorAll(".for-paper")) row.open = false;
    for (const row of document.querySelectorAll(".cloud")) row.classList.remove("for-paper", "left-out");
    byId("left-out").hidden = true;
  }

  document.body.classList.add("scripted");
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.addEventListener("toggle", onToggle, true);
  byId("text").addEventListener("input", (event) => search(event.target.value));
  for (const name of SELECTS) byId(name).addEventListener("change", (event) => setFilter(name, event.target.value));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", (event) => {
    event.preventDefault();
    reset();
  });
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  addEventListener("hashchange", readAddress);
  readAddress();
})();
