// The judgments: unpacks the data of the page, and shows those that fit.
(() => {
  const source = document.getElementById("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const PAGE = 12;
  const NONE = 0xffff;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const words = (text) => {
    const view = new DataView(bytes(text).buffer);
    return Uint16Array.from({ length: view.byteLength / 2 }, (_, at) => view.getUint16(2 * at, true));
  };
  const types = bytes(data.type);
  const shown = words(data.shown);
  const width = data.longest;
  const credit = data.credit.map(bytes);
  const strata = data.stratum ? bytes(data.stratum) : null;
  const start = [0];
  for (const type of types) start.push(start.at(-1) + data.types[type].comparisons.length);
  const creditOf = (model, at) => ((credit[model][at >> 2] >> (2 * (at & 3))) & 3) / 2;
  // Multiples of 1/2, which stay exact.
  const sum = (model, trial) => {
    let total = 0;
    for (let at = start[trial]; at < start[trial + 1]; at += 1) total += creditOf(model, at);
    return total;
  };
  const predicted = data.models.map((_, model) => Float32Array.from(types, (_type, trial) => sum(model, trial)));
  const share = (model, trial) => predicted[model][trial] / (start[trial + 1] - start[trial]);
  const mean = (trial) => predicted.reduce((total, own) => total + own[trial], 0) / (start[trial + 1] - start[trial]);
  // A fixed order that looks random: a multiplicative hash of the position.
  const shuffled = (trial) => Math.imul(trial + 1, 2654435761) >>> 0;

  const form = document.getElementById("choose");
  const list = document.getElementById("judgments");
  const more = document.getElementById("more");
  const fields = form.elements;
  const label = (model) => data.models[model].join(", ");
  const option = (text, value) => new Option(text, value);
  data.models.forEach((_, model) => {
    fields.a.append(option(label(model), model));
    fields.b.append(option(label(model), model));
  });
  fields.b.value = String(data.models.length - 1);
  data.types.forEach((type, at) => fields.type.append(option(type.name, at)));
  (data.strata ?? []).forEach((name, at) => fields.stratum.append(option(`with comparisons: ${name}`, at)));
  if (!data.strata) fields.stratum.parentElement.hidden = true;
  if (data.types.length < 2) fields.type.parentElement.hidden = true;

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  };
  const place = (trial, at) => shown[trial * width + at];
  const image = (number, marks, className) => {
    const item = element("li", className);
    const name = data.images[number];
    if (data.thumbnails?.[number]) {
      const drawn = element("img");
      drawn.src = `data:image/webp;base64,${data.thumbnails[number]}`;
      drawn.alt = name;
      drawn.loading = "lazy";
      item.title = name;
      item.append(drawn);
    } else {
      item.append(name);
    }
    item.append(...marks);
    return item;
  };
  const selection = (type, at) => {
    if (at > type.selected) return "";
    if (!type.query) return "selected as the odd one";
    return type.word === "rank" ? `selected: choice ${at}` : "selected";
  };
  // The places that a model finds nearer than the selected one, in the comparisons of the first selection.
  const nearer = (model, trial, type) => {
    const found = new Set();
    type.comparisons.forEach(([, near, far], at) => {
      if (creditOf(model, start[trial] + at) < 0.5 && (type.query ? near === 1 : true)) {
        found.add(type.query ? far : near);
      }
    });
    return found;
  };
  const judgment = (trial, a, b) => {
    const type = data.types[types[trial]];
    const item = element("li");
    const says = (model) => {
      const count = type.comparisons.length;
      return `${label(model)} predicts ${predicted[model][trial]} of ${count}`;
    };
    item.append(element("p", "quiet", `${type.name}. ${says(a)}${a === b ? "" : `; ${says(b)}`}.`));
    const row = element("ul", "display");
    if (type.query) row.append(image(place(trial, 0), [element("span", "mark", "query")], "query"));
    const marked = [...new Set([a, b])].map((model) => [model === a ? "A" : "B", nearer(model, trial, type)]);
    for (let at = 1; at <= type.references; at += 1) {
      if (place(trial, at) === NONE) continue;
      const text = selection(type, at);
      const marks = text ? [element("span", "mark", text)] : [];
      const who = marked.filter(([, found]) => found.has(at)).map(([name]) => name);
      if (who.length && type.query) marks.push(element("span", "nearer", `nearer for ${who.join(" and ")}`));
      row.append(image(place(trial, at), marks, text ? "selected" : ""));
    }
    item.append(row);
    return item;
  };

  let found = [];
  const show = (count) => {
    const from = list.children.length;
    const [a, b] = [Number(fields.a.value), Number(fields.b.value)];
    list.append(...found.slice(from, from + count).map((trial) => judgment(trial, a, b)));
    more.hidden = list.children.length >= found.length;
  };
  const apply = () => {
    const [a, b] = [Number(fields.a.value), Number(fields.b.value)];
    const [type, stratum, outcome] = [fields.type.value, fields.stratum.value, fields.outcome.value];
    const fits = {
      "": () => true,
      all: (trial) => share(a, trial) === 1,
      half: (trial) => share(a, trial) < 0.5,
      none: (trial) => share(a, trial) === 0,
    }[outcome];
    const key = {
      random: shuffled,
      easy: (trial) => -mean(trial),
      hard: mean,
      apart: (trial) => -Math.abs(share(a, trial) - share(b, trial)),
      better: (trial) => share(b, trial) - share(a, trial),
    }[fields.order.value];
    found = Array.from(types.keys()).filter((trial) => fits(trial)
      && (type === "" || types[trial] === Number(type))
      && (stratum === "" || (strata[trial] >> Number(stratum)) & 1));
    found.sort((one, two) => key(one) - key(two) || shuffled(one) - shuffled(two));
    fields.count.textContent = `${found.length.toLocaleString("en")} judgments`;
    list.replaceChildren();
    show(PAGE);
  };
  more.addEventListener("click", () => {
    const next = list.children.length;
    show(PAGE);
    const item = list.children[next];
    if (item) {
      item.tabIndex = -1;
      item.focus();
    }
  });
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
})();
