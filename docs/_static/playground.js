// Curves that follow sliders. The formulas are those of tfx_extras, and tested to be.

export function warmupCosine(step, { peak, warmup, hold, decay, end, restarts, m_mul }) {
  if (step < warmup) return (peak * step) / warmup;
  if (step < warmup + hold) return peak;
  const cycle = Math.floor((step - warmup - hold) / decay);
  if (cycle > restarts) return end;
  const x = Math.sin((Math.PI / 2) * (((step - warmup - hold) % decay) / decay)) ** 2;
  return peak * m_mul ** cycle * (1 - x) + end * x;
}

export function focal(logit, { gamma, alpha }) {
  // log(1 + exp(-x)) without overflow
  const surprise = Math.max(-logit, 0) + Math.log1p(Math.exp(-Math.abs(logit)));
  const miss = Math.exp(-Math.max(logit, 0)) /
    (Math.exp(-Math.max(logit, 0)) + Math.exp(-Math.max(-logit, 0)));
  return alpha * miss ** gamma * surprise;
}

const CURVES = {
  schedule: { formula: warmupCosine, from: 0, to: 1000, points: 501, x: "step", y: "learning rate" },
  focal: { formula: focal, from: -4, to: 6, points: 201, x: "logit of a positive class", y: "focal loss" },
};
const WIDTH = 640, HEIGHT = 300, LEFT = 112, BOTTOM = 52, TOP = 12, RIGHT = 26;

function values(curve, options) {
  const { formula, from, to, points } = curve;
  return Array.from({ length: points }, (_, i) => {
    const x = from + ((to - from) * i) / (points - 1);
    return [x, formula(x, options)];
  });
}

function ticks(low, high, count = 5) {
  return Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
}

// The upper limit of an axis: the next of 1, 2, 2.5 and 5 times a power of ten.
export function limit(highest) {
  const power = 10 ** Math.floor(Math.log10(Math.max(highest, 1e-12)));
  return [1, 2, 2.5, 5, 10].map((m) => m * power).find((v) => v >= highest * (1 - 1e-9));
}

function svg(curve, found, top) {
  const across = (x) => LEFT + ((x - curve.from) / (curve.to - curve.from)) * (WIDTH - LEFT - RIGHT);
  const up = (y) => HEIGHT - BOTTOM - (y / top) * (HEIGHT - BOTTOM - TOP);
  const number = (v) => String(Number(v.toPrecision(3)));
  const lines = [
    ...ticks(0, top).map((y) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${up(y)}" y2="${up(y)}"/>` +
      `<text x="${LEFT - 8}" y="${up(y) + 4}" text-anchor="end">${number(y)}</text>`),
    ...ticks(curve.from, curve.to).map((x) =>
      `<text x="${across(x)}" y="${HEIGHT - BOTTOM + 24}" text-anchor="middle">${number(x)}</text>`),
  ];
  const path = found.map(([x, y], i) => `${i ? "L" : "M"}${across(x).toFixed(2)},${up(y).toFixed(2)}`);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${curve.y} against ${curve.x}">${lines.join("")}` +
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">${curve.x}</text>` +
    `<text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${curve.y}</text>` +
    `<svg x="${LEFT}" y="0" width="${WIDTH - LEFT - RIGHT}" height="${HEIGHT - BOTTOM + 2}" ` +
    `viewBox="${LEFT} 0 ${WIDTH - LEFT - RIGHT} ${HEIGHT - BOTTOM + 2}"><path d="${path.join("")}"/></svg></svg>`;
}

function start(place) {
  const curve = CURVES[place.dataset.curve];
  const sliders = [...place.querySelectorAll("input")];
  let top = null;
  const draw = (isScaled) => {
    const options = {};
    for (const slider of sliders) {
      options[slider.name] = Number(slider.value);
      slider.nextElementSibling.textContent = slider.value;
    }
    const found = values(curve, options);
    if (isScaled) top = limit(Math.max(...found.map(([, y]) => y)));
    place.querySelector("figure").innerHTML = svg(curve, found, top);
    place.curve = found; // for the test, which compares it with Python
  };
  // The axes hold still while a slider moves, so that the curve is seen to move.
  for (const slider of sliders) {
    slider.addEventListener("input", () => draw(false));
    slider.addEventListener("change", () => draw(true));
  }
  draw(true);
}

if (typeof document !== "undefined") {
  for (const place of document.querySelectorAll(".playground")) start(place);
}
