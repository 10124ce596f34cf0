// Copyright (c) 2026, Rayfleet contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The difference between two documents, line by line, side by side.

const CONTEXT = 3;
const LARGEST_TABLE = 9e6;

const linesOf = (document) => (document === null || document === undefined ? [] : JSON.stringify(document, null, 2).split("\n"));

/** Lengths of the longest common subsequences of all suffixes of two lists. */
function commonLengths(left, right) {
  const width = right.length + 1;
  const lengths = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        left[i] === right[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  return (i, j) => lengths[i * width + j];
}

/** Pairs of line numbers, `null` if one side has no such line. Removed and added lines at one position are paired. */
function paired(left, right) {
  const tooLarge = left.length * right.length > LARGEST_TABLE;
  const common = tooLarge ? () => 0 : commonLengths(left, right);
  const pairs = [];
  let removed = [];
  let added = [];
  const flush = () => {
    for (let k = 0; k < Math.max(removed.length, added.length); k += 1) pairs.push([removed[k] ?? null, added[k] ?? null, true]);
    removed = [];
    added = [];
  };
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      flush();
      pairs.push([i++, j++, false]);
    } else if (j >= right.length || (i < left.length && common(i + 1, j) >= common(i, j + 1))) removed.push(i++);
    else added.push(j++);
  }
  flush();
  return pairs;
}

/** A line with the part marked that differs from the other side, if the two lines are similar enough. */
function markedLine(line, other, tag) {
  const whole = [element(tag, { class: "whole" }, line)];
  if (other === null) return whole;
  const limit = Math.min(line.length, other.length);
  let start = 0;
  while (start < limit && line[start] === other[start]) start += 1;
  let end = 0;
  while (end < limit - start && line[line.length - 1 - end] === other[other.length - 1 - end]) end += 1;
  const indentation = line.length - line.trimStart().length;
  if (start + end - indentation < limit * 0.3) return whole;
  return [line.slice(0, start), element(tag, {}, line.slice(start, line.length - end)), line.slice(line.length - end)];
}

function diffRow(left, right, [i, j, differs]) {
  const before = i === null ? null : left[i];
  const after = j === null ? null : right[j];
  const side = (line, other, place, kind, tag) => {
    const content = line === null ? [] : differs ? markedLine(line, other, tag) : [line];
    const look = line === null ? "gap" : differs ? kind : "same";
    return [
      element("td", { class: `line-number ${look}`, "data-line": line === null ? null : place + 1 }),
      element("td", { class: `line ${look}` }, ...content),
    ];
  };
  return element("tr", {}, ...side(before, after, i, "removed", "del"), ...side(after, before, j, "added", "ins"));
}

/** Rows of the table. A long section without differences is folded behind a button. */
function diffRows(left, right) {
  const pairs = paired(left, right);
  const near = pairs.map(() => false);
  pairs.forEach(([, , differs], place) => {
    if (differs) near.fill(true, Math.max(0, place - CONTEXT), Math.min(pairs.length, place + CONTEXT + 1));
  });
  const made = [];
  for (let place = 0; place < pairs.length;) {
    let end = place;
    while (end < pairs.length && !near[end]) end += 1;
    if (end - place > 2) {
      made.push(folded(pairs.slice(place, end), left, right));
      place = end;
    } else made.push(diffRow(left, right, pairs[place++]));
  }
  return made;
}

function folded(pairs, left, right) {
  const row = element("tr", { class: "fold" });
  const unfold = () => row.replaceWith(...pairs.map((pair) => diffRow(left, right, pair)));
  row.append(
    element(
      "td",
      { colspan: 4 },
      button({ class: "plain" }, unfold, `${plural(pairs.length, "unchanged line", "unchanged lines")}`),
    ),
  );
  return row;
}

function diffTable(before, after) {
  const left = linesOf(before);
  const right = linesOf(after);
  const head = (words, lines) =>
    element("th", { scope: "col", colspan: 2 }, words, lines.length ? null : element("em", {}, " (no document)"));
  return element(
    "table",
    { class: "diff" },
    element(
      "colgroup",
      {},
      element("col", { class: "line-number" }),
      element("col"),
      element("col", { class: "line-number" }),
      element("col"),
    ),
    element("thead", {}, element("tr", {}, head("Live", left), head("After converging", right))),
    element("tbody", {}, ...diffRows(left, right)),
  );
}
