"use strict";
// Draws the charts of the page from the data that stands in it. Text goes to the canvas, never into the document.
(function () {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const themes = {
    light: {
      ink: "#1b1f24", soft: "#57606a", grid: "#d8dee4", paper: "#ffffff",
      series: ["#0b5fa5", "#c4500c", "#2a7f62", "#7b4ba0", "#8a6d00", "#a03060"],
    },
    dark: {
      ink: "#e6edf3", soft: "#a5b0bb", grid: "#3a434d", paper: "#14181d",
      series: ["#6cb2f0", "#f4975a", "#63c7a2", "#c39be6", "#d9bd4f", "#ef86b0"],
    },
  };
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const print = window.matchMedia("print");
  const drawn = [];

  const number = (value, digits) => Number(value).toLocaleString("en-US", { maximumSignificantDigits: digits });
  const figure = (value, unit, digits) => {
    if (value === null || value === undefined) return "not known";
    if (unit === "USD") return "$" + number(value, digits);
    if (unit === "%") return Number(value).toFixed(digits > 3 ? 1 : 0) + " %";
    return number(value, digits) + (unit === "s" ? " s" : "");
  };
  // The same run has the same colour in every chart; what was computed has that of its run.
  const color = (theme, chart, index) => {
    if (chart.kind !== "line") return theme.series[index % theme.series.length];
    const measured = chart.series.slice(0, index + 1).filter((series) => !series.computed).length;
    return theme.series[Math.max(0, measured - 1) % theme.series.length];
  };

  function datasets(chart, theme) {
    return chart.series.map((series, index) => {
      const own = color(theme, chart, index);
      const common = { label: series.name, data: series.values, borderColor: own, backgroundColor: own };
      if (chart.kind !== "line") return { ...common, borderWidth: 0, maxBarThickness: 48 };
      const few = series.values.length < 2;
      return {
        ...common, borderWidth: 2, borderDash: series.computed ? [6, 4] : [], pointRadius: few ? 4 : 0,
        pointHitRadius: 8, spanGaps: false, tension: 0,
      };
    });
  }

  function options(chart, theme) {
    const lying = chart.kind === "shares";
    const ticks = { color: theme.soft, font: { size: 12 } };
    const values = {
      beginAtZero: true, stacked: lying, max: lying ? 100 : undefined, grid: { color: theme.grid },
      ticks: {
        ...ticks, callback: (value) => figure(value, chart.unit, 3),
        precision: chart.unit === "turns" ? 0 : undefined,
      },
    };
    const places = {
      stacked: lying, grid: { display: false },
      title: { display: chart.kind === "line", text: chart.axis, color: theme.soft },
      ticks: {
        ...ticks, autoSkip: !lying, maxRotation: 60,
        callback(value) {
          const text = this.getLabelForValue(value);
          return text.length > 22 ? text.slice(0, 21) + "…" : text;
        },
      },
    };
    return {
      animation: false, responsive: true, maintainAspectRatio: false, indexAxis: lying ? "y" : "x",
      interaction: { mode: "index", axis: lying ? "y" : "x", intersect: false },
      scales: lying ? { x: values, y: places } : { x: places, y: values },
      plugins: {
        legend: {
          display: true, position: "bottom",
          labels: {
            color: theme.ink, boxWidth: 14, font: { size: 12 },
            usePointStyle: chart.kind === "line", pointStyle: "line", pointStyleWidth: 30,
            generateLabels(of) {
              const items = Chart.defaults.plugins.legend.labels.generateLabels(of);
              for (const item of items) item.lineDash = of.data.datasets[item.datasetIndex].borderDash || [];
              return items;
            },
          },
        },
        tooltip: {
          callbacks: { label: (item) => ` ${item.dataset.label}: ${figure(item.raw, chart.unit, 6)}` },
        },
        // The label stands in the picture itself, so that it stays there when somebody copies it.
        title: {
          display: chart.simulated, text: "simulated models", color: theme.ink, align: "start",
          font: { size: 12, weight: "bold" }, padding: { bottom: 12 },
        },
      },
    };
  }

  function theme() {
    return themes[dark.matches && !print.matches ? "dark" : "light"];
  }

  function draw(colors) {
    for (const { chart, instance } of drawn) {
      instance.data.datasets = datasets(chart, colors);
      instance.options = options(chart, colors);
      instance.update("none");
    }
  }

  for (const chart of charts) {
    const canvas = document.getElementById("plot-" + chart.id);
    const instance = new Chart(canvas, {
      type: chart.kind === "line" ? "line" : "bar",
      data: { labels: chart.labels, datasets: datasets(chart, theme()) },
      options: options(chart, theme()),
    });
    drawn.push({ chart, instance });
  }

  // On paper: light colours, and the width of a page.
  window.addEventListener("beforeprint", () => {
    draw(themes.light);
    for (const { instance, chart } of drawn) instance.resize(680, chart.kind === "shares" ? 150 : 235);
  });
  window.addEventListener("afterprint", () => {
    draw(theme());
    for (const { instance } of drawn) instance.resize();
  });
  dark.addEventListener("change", () => draw(theme()));
  document.documentElement.dataset.drawn = String(drawn.length);
})();
