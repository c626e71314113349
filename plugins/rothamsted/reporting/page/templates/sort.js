"use strict";
// Sorts a table by the column whose heading is pressed: rising, falling, and back to the order it came in.
// Numbers by data-value, with all their digits; what has no value stays last. Without this script the tables read
// the same.
for (const table of document.querySelectorAll("table.data")) {
  const body = table.tBodies[0];
  const original = Array.from(body.rows);
  const headings = Array.from(table.tHead.rows[0].cells);
  if (original.length < 2) continue;
  const valueOf = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const compare = (column, isNumeric, sign) => (a, b) => {
    const [x, y] = [valueOf(a, column), valueOf(b, column)];
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * (isNumeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true }));
  };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" };
      const order = next[heading.getAttribute("aria-sort")];
      for (const other of headings) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", order);
      const sign = order === "descending" ? -1 : 1;
      const rows = original.slice();
      if (order !== "none") rows.sort(compare(column, heading.dataset.sort === "number", sign));
      body.append(...rows);
    });
  });
}
// What is folded away is printed too.
const folded = Array.from(document.querySelectorAll("details"));
addEventListener("beforeprint", () => folded.forEach((one) => { one.dataset.was = one.open ? "open" : ""; one.open = true; }));
addEventListener("afterprint", () => folded.forEach((one) => { one.open = one.dataset.was === "open"; }));
