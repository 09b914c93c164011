import { forecastPlot } from "../../src/cli/forecast-plot.js";

const points = [
  { tenor: "P1M", mean: 1, lower: 0, upper: 2 },
  { tenor: "P1Y", mean: 7.5, lower: 5, upper: 15 },
];

test("draws the quoted curve beside the forecast on its interval", () => {
  const plot = forecastPlot(
    points,
    new Map([
      ["P1M", 3],
      ["P1Y", null],
    ]),
    80,
  );
  expect(plot.split("\n")).toEqual([
    "15.0 ┤          ┬",
    "14.0 ┤          │",
    "13.0 ┤          │",
    "12.0 ┤          │",
    "11.0 ┤          │",
    "10.0 ┤          │",
    " 9.0 ┤          │",
    " 8.0 ┤          ●",
    " 7.0 ┤          │",
    " 6.0 ┤          │",
    " 5.0 ┤          ┴",
    " 4.0 ┤",
    " 3.0 ┤  ○",
    " 2.0 ┤   ┬",
    " 1.0 ┤   ●",
    " 0.0 ┤   ┴",
    "     └──────────────",
    "       P1M    P1Y",
  ]);
});

test("thins out the labels of a long curve and keeps to the width", () => {
  const long = Array.from({ length: 36 }, (_, i) => ({ tenor: `M${i + 1}`, mean: 60, lower: 55, upper: 65 }));
  const lines = forecastPlot(long, new Map(), 80).split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines.at(-1)).toMatch(/^ +M1 +M3 +M5 /);
});

test("draws a flat curve", () => {
  const flat = [{ tenor: "P1Y", mean: 4, lower: 4, upper: 4 }];
  expect(forecastPlot(flat, new Map([["P1Y", 4]]), 80)).toContain("○●");
});
