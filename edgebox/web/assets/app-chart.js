// Charts: bars of what the API says, drawn by uPlot. The same numbers stand in a table beside them.
"use strict";

const asked = new Map(); // address → its answer: charts of one page share it

function fetched(address) {
  if (!asked.has(address)) asked.set(address, fetch(address, { headers: { accept: "application/json" } }).then((answer) => answer.json()));
  return asked.get(address);
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// `14:00` → 14:00; a date → 11-18, or of a month only its day.
function short(label, count) {
  if (label.length !== 10) return label;
  return count > 7 ? String(Number(label.slice(8))) : label.slice(5);
}

function draw(box, bars) {
  const values = bars.map((bar) => bar[box.dataset.value] / Number(box.dataset.divisor || 1));
  const labels = bars.map((bar) => short(bar.label, bars.length));
  const numbers = new Intl.NumberFormat(document.documentElement.lang);
  const line = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const options = {
    width: box.clientWidth,
    height: 220,
    cursor: { y: false, points: { show: false }, drag: { x: false } },
    scales: { x: { time: false, range: [-0.6, labels.length - 0.4] }, y: { range: (chart, low, high) => [0, (high || 1) * 1.08] } },
    axes: [
      { ...line, grid: { show: false }, incrs: [1, 2, 3, 4, 6, 7, 12], space: labels[0] && labels[0].length > 2 ? 46 : 26, values: (chart, at) => at.map((place) => labels[place] || "") },
      { ...line, size: (chart, texts) => 16 + 7 * Math.max(1, ...(texts || []).map((text) => text.length)), space: 44, values: (chart, at) => at.map((value) => (box.dataset.whole && !Number.isInteger(value) ? "" : numbers.format(value))) },
    ],
    series: [
      { label: box.dataset.when, value: (chart, place) => (place === null ? "–" : labels[place]) },
      { label: box.dataset.title, value: (chart, value) => (value === null ? "–" : numbers.format(value)), fill: colour("--accent"), stroke: colour("--accent"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 44], radius: 0.15 }) },
    ],
  };
  box.replaceChildren();
  const chart = new uPlot(options, [labels.map((label, place) => place), values], box);
  new ResizeObserver(() => { if (Math.abs(chart.width - box.clientWidth) > 1) chart.setSize({ width: box.clientWidth, height: 220 }); }).observe(box);
}

for (const box of document.querySelectorAll(".chart[data-src]")) {
  fetched(box.dataset.src).then((answer) => draw(box, answer.bars), () => box.remove());
}
