"use strict";
// Tables and figures are complete without this script: it sorts, filters and reads values.
(() => {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const rmse = (scaled) => (scaled / 1e4).toFixed(4).replace(/^0/, "");
  const made = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  // The values of a line, which are stored as differences; null where there is none.
  const summed = (differences) => {
    let sum = 0;
    return differences.map((each) => each === null ? null : sum += each);
  };
  const printing = matchMedia("print");

  // Sorting: ascending, descending, then the order of the report. Rows without a value come last.
  for (const table of all("table.sortable")) {
    const bodies = all("tbody", table);
    const home = bodies.map((body) => all("tr", body));
    const heads = all("th[data-sort]", table);
    const columns = columnsOf(table);
    for (const head of heads) {
      const button = made("button", { type: "button", className: "sort" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        sortBy(head, now === "ascending" ? "descending" : now === "descending" ? null : "ascending");
      });
    }
    const sortBy = (head, order) => {
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      bodies.forEach((body, place) => body.append(...home[place]));
      if (!order) return;
      head.setAttribute("aria-sort", order);
      const column = columns.get(head);
      const rows = home.flat().filter((row) => !row.classList.contains("group"));
      const sorted = rows.map((row) => [keyOf(row.cells[column], head.dataset.sort), row]);
      sorted.sort(([a], [b]) => compare(a, b, order === "ascending" ? 1 : -1));
      bodies.forEach((body) => body.replaceChildren());
      bodies[0].append(...sorted.map(([, row]) => row));
    };
    table.sortBy = sortBy;
  }

  // The column of each head, which may span rows and columns.
  function columnsOf(table) {
    const columns = new Map(), taken = [];
    all("thead tr", table).forEach((row, line) => {
      let column = 0;
      for (const head of row.cells) {
        while (taken[line]?.[column]) column += 1;
        columns.set(head, column);
        for (let down = 0; down < head.rowSpan; down += 1) {
          taken[line + down] ??= [];
          for (let right = 0; right < head.colSpan; right += 1) taken[line + down][column + right] = true;
        }
        column += head.colSpan;
      }
    });
    return columns;
  }

  function keyOf(cell, kind) {
    const value = cell.dataset.value ?? cell.textContent.trim();
    if (value === "") return null;
    return kind === "number" ? Number(value) : value.toLowerCase();
  }

  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    return a < b ? -sign : a > b ? sign : 0;
  }

  // Table 1: one protocol or all, some data sets, some rows. In print everything is shown.
  const form = document.querySelector("form[data-for]");
  if (form) {
    const table = document.getElementById(form.dataset.for);
    const cells = all("[data-column]", table);
    const rows = all("tbody tr:not(.group)", table);
    const groups = all("tbody tr.group", table);
    const members = groups.map((row) => rows.filter((each) => each.parentElement === row.parentElement));
    const status = form.querySelector("[role=status]");
    const show = () => {
      const chosen = form.elements.protocol.value;
      const sets = new Set(all("[name=data]:checked", form).map((box) => box.value));
      const everything = printing.matches;
      const column = (cell) => everything || (sets.has(cell.dataset.set) &&
        (chosen === "all" || ["published", chosen].includes(cell.dataset.column)));
      cells.forEach((cell) => { cell.hidden = !column(cell); });
      for (const head of all("th.set", table)) {
        const shown = all("thead [data-column]", table)
          .filter((each) => each.dataset.set === head.dataset.set && !each.hidden).length;
        head.hidden = shown === 0;
        head.colSpan = Math.max(shown, 1);
      }
      const shown = all("thead [data-column]", table).filter((each) => !each.hidden).length;
      groups.forEach((row) => { row.cells[0].colSpan = 2 + shown; });
      const name = form.elements.model.value.trim().toLowerCase(), side = form.elements.side.value;
      const kept = rows.filter((row) => {
        const fits = row.dataset.model.toLowerCase().includes(name) && (!side || row.dataset.side === side);
        row.hidden = !fits && !everything;
        return fits;
      });
      const sorted = table.querySelector("[aria-sort]");
      groups.forEach((row, place) => { row.hidden = members[place].every((each) => each.hidden); });
      if (sorted?.hidden) {
        const same = all("thead [data-column]", table)
          .find((each) => each.dataset.set === sorted.dataset.set && each.dataset.column === chosen && !each.hidden);
        table.sortBy(same ?? sorted, same ? sorted.getAttribute("aria-sort") : null);
      }
      status.textContent = `${kept.length} of ${rows.length} models`;
    };
    form.addEventListener("input", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    printing.addEventListener("change", show);
    form.hidden = false;
    show();
  }

  // Values of a chart: by pointer, or with the arrow keys on the slider below it.
  for (const [key, chart] of Object.entries(data.charts)) {
    const lines = chart.lines.map((line) => ({
      label: line.label, values: summed(line.values), seeds: line.seeds.map(summed),
    }));
    const figure = document.getElementById(key);
    const drawing = figure.querySelector("svg.drawing");
    const label = `Values of ${drawing.querySelector("title").textContent}`;
    const slider = made("input", { type: "range", min: 0, max: chart.at.length - 1, value: chart.at.length - 1 });
    const output = made("output");
    const name = made("label", {}, slider, "Values: point at the figure, or move the slider");
    slider.setAttribute("aria-label", label);
    // As wide as the plot above it, with half the width of its thumb on either side.
    const width = drawing.viewBox.baseVal.width, [start, end] = [chart.at[0], chart.at.at(-1)];
    slider.style.marginLeft = `calc(${100 * start / width}% - 8px)`;
    slider.style.width = `calc(${100 * (end - start) / width}% + 16px)`;
    drawing.after(made("div", { className: "reader" }, name, output));
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cursor.setAttribute("class", "cursor");
    const box = drawing.querySelector(".plot");
    const top = Number(box.getAttribute("y")), bottom = top + Number(box.getAttribute("height"));
    const read = () => {
      const at = Number(slider.value);
      const parts = lines.filter((line) => line.values[at] !== null);
      const text = (line) => `${line.label} ${rmse(line.values[at])}`;
      const seeds = (line) => line.seeds.length ? ` (${line.seeds.map((values) => rmse(values[at])).join(" ")})` : "";
      output.replaceChildren(made("strong", {}, chart.names[at]), ...parts.map((line) =>
        made("span", {}, text(line), made("span", { className: "seeds" }, seeds(line)))));
      slider.setAttribute("aria-valuetext", `${chart.names[at]}: ${parts.map(text).join(", ")}`);
      cursor.setAttribute("d", `M${chart.at[at]} ${top}V${bottom}`);
    };
    slider.addEventListener("input", () => { if (!cursor.parentNode) drawing.append(cursor); read(); });
    drawing.addEventListener("pointermove", (event) => {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse()).x;
      let nearest = 0;
      chart.at.forEach((x, at) => { if (Math.abs(x - place) < Math.abs(chart.at[nearest] - place)) nearest = at; });
      slider.value = nearest;
      slider.dispatchEvent(new Event("input"));
    });
    read();
  }

  // Figures of which one choice is shown. In print all of them are.
  for (const chooser of all("form[data-choose]")) {
    const section = chooser.closest("section");
    const choices = all(".choice", section);
    const names = [...new Set([...chooser.elements].map((each) => each.name).filter(Boolean))];
    const choose = () => {
      for (const each of choices) {
        each.hidden = names.some((name) => each.dataset[name] !== chooser.elements[name].value);
      }
      const none = choices.every((each) => each.hidden);
      chooser.querySelector("[role=status]").textContent = none ? "No run of this choice has a figure." : "";
    };
    chooser.addEventListener("input", choose);
    chooser.addEventListener("submit", (event) => event.preventDefault());
    chooser.hidden = false;
    if (chooser.dataset.choose === "one") section.querySelector(".charts").classList.add("single");
    choose();
  }

  // Long lists start closed, and are open in print.
  const lists = all("details");
  let before = [];
  lists.forEach((each) => { each.open = false; });
  printing.addEventListener("change", () => {
    if (printing.matches) before = lists.map((each) => each.open);
    lists.forEach((each, place) => { each.open = printing.matches || before[place]; });
  });

  // The section in view is marked in the navigation.
  const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  all("main > section").forEach((section) => seen.observe(section));
})();
