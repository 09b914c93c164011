import { InvalidInputError } from "../../src/shared/errors.js";
import { parseCurveCsv } from "../../src/shared/curve-csv.js";

function refusal(text: string): InvalidInputError {
  try {
    parseCurveCsv(text);
  } catch (error) {
    if (error instanceof InvalidInputError) return error;
    throw error;
  }
  throw new Error("the file was accepted");
}

test("reads the official Treasury layout, newest first, blanks as null", () => {
  const curve = parseCurveCsv(
    [
      "Date,1 Mo,2 Mo,3 Mo,10 Yr,30 Yr",
      "12/31/2024,4.4,4.39,4.37,4.58,4.78",
      "10/11/2010,,,,,",
      "01/02/1990,,,7.83,7.94,8",
    ].join("\n"),
  );
  expect(curve.kind).toBe("YIELD");
  expect(curve.tenors).toEqual(["P1M", "P2M", "P3M", "P10Y", "P30Y"]);
  expect(curve.snapshots.map(({ date }) => date)).toEqual(["1990-01-02", "2010-10-11", "2024-12-31"]);
  expect(curve.snapshots[0]!.points.map(({ value }) => value)).toEqual([null, null, 7.83, 7.94, 8]);
  expect(curve.snapshots[1]!.points.every(({ value }) => value === null)).toBe(true);
  expect(curve.snapshots[2]!.points[3]).toEqual({ tenor: "P10Y", value: 4.58 });
});

test("reads two-digit years, the 4-month column and the six-week rate of newer files", () => {
  const curve = parseCurveCsv(
    'Date,"1 Mo","1.5 Month","4 Mo","1 Yr"\n12/31/24,4.4,,4.32,4.16\n1/3/90,,,,7.85\n2/29/00,,,,6.2\n',
  );
  expect(curve.tenors).toEqual(["P1M", "P6W", "P4M", "P1Y"]);
  expect(curve.snapshots.map(({ date }) => date)).toEqual(["1990-01-03", "2000-02-29", "2024-12-31"]);
});

test("reads settlements by contract position, negative prices included", () => {
  const curve = parseCurveCsv("date,CL01,CL02,CL36\n2020-04-20,-37.63,20.43,\n2020-04-21,10.01,11.57,35.1\n");
  expect(curve).toEqual({
    kind: "FORWARD",
    tenors: ["M1", "M2", "M36"],
    snapshots: [
      {
        date: "2020-04-20",
        points: [
          { tenor: "M1", value: -37.63 },
          { tenor: "M2", value: 20.43 },
          { tenor: "M36", value: null },
        ],
      },
      {
        date: "2020-04-21",
        points: [
          { tenor: "M1", value: 10.01 },
          { tenor: "M2", value: 11.57 },
          { tenor: "M36", value: 35.1 },
        ],
      },
    ],
  });
});

test("reads our own layouts", () => {
  expect(parseCurveCsv("date,P1M,P1Y6M,P10Y\n2024-01-02,1,2e0,.5")).toMatchObject({
    kind: "YIELD",
    tenors: ["P1M", "P1Y6M", "P10Y"],
    snapshots: [{ points: [{ value: 1 }, { value: 2 }, { value: 0.5 }] }],
  });
  expect(parseCurveCsv("date,M1,M2\n2024-01-02,1,2")).toMatchObject({
    kind: "FORWARD",
    tenors: ["M1", "M2"],
  });
});

test("copes with a byte-order mark, CRLF, quoted cells and blank lines", () => {
  const curve = parseCurveCsv(
    '\uFEFF"Date","1 Mo","1 Yr"\r\n"01/02/1990"," 7.5 ",""\r\n\r\n01/03/1990,7.6,8\r\n\r\n',
  );
  expect(curve.snapshots).toEqual([
    {
      date: "1990-01-02",
      points: [
        { tenor: "P1M", value: 7.5 },
        { tenor: "P1Y", value: null },
      ],
    },
    {
      date: "1990-01-03",
      points: [
        { tenor: "P1M", value: 7.6 },
        { tenor: "P1Y", value: 8 },
      ],
    },
  ]);
});

test("names line and column of every bad cell, date and row at once", () => {
  const error = refusal(
    [
      "Date,1 Mo,1 Yr",
      "01/02/1990,7.5,eight",
      "02/30/1990,7.5,8",
      "01/04/1990,7.5",
      "01/02/1990,NaN,8",
      "01/05/1990,1e999,8",
      "3 Jan 1990,1,2",
    ].join("\n"),
  );
  expect(error.code).toBe("INVALID_INPUT");
  expect(error.field).toBe("line 2, column 1 Yr");
  expect(error.message.split("\n")).toEqual([
    'line 2, column 1 Yr: "eight" is no number',
    'line 3, column Date: "02/30/1990" is no date (YYYY-MM-DD, MM/DD/YYYY or M/D/YY)',
    "line 4: 2 cells, but the header has 3",
    "line 5, column Date: 1990-01-02 is already on line 2",
    'line 5, column 1 Mo: "NaN" is no number',
    'line 6, column 1 Mo: "1e999" is no number',
    'line 7, column Date: "3 Jan 1990" is no date (YYYY-MM-DD, MM/DD/YYYY or M/D/YY)',
  ]);
});

test("shows the first twenty problems and counts the rest", () => {
  const rows = Array.from({ length: 25 }, (_, i) => `2024-01-${String(i + 1).padStart(2, "0")},x`);
  const lines = refusal(["date,P1M", ...rows].join("\n")).message.split("\n");
  expect(lines).toHaveLength(21);
  expect(lines[20]).toBe("and 5 more");
});

test.each([
  ["", "line 1: the file is empty"],
  ["Date,1 Mo\n", "line 2: no row follows the header"],
  ["Date\n2024-01-02", "line 1: no column follows the date"],
  ["Day,1 Mo\n01/02/1990,1", "line 1, column Day: the first column must be Date"],
  ["Date,1 Mo,1 Mo\n01/02/1990,1,1", "line 1, column 1 Mo: the tenor P1M occurs twice"],
  ["date,CL01,CL1\n2024-01-02,1,1", "line 1, column CL1: the tenor M1 occurs twice"],
  [
    "date,CL01,NG02\n2024-01-02,1,1",
    "line 1, column NG02: another contract than CL01; one file holds one curve",
  ],
  ["Date,Price\n1997-01-07,3.82", "line 1, column Price: no tenor"],
  ["Date,2.5 Month\n01/02/1990,1", "line 1, column 2.5 Month: no tenor"],
  ["date,P\n2024-01-02,1", "line 1, column P: no tenor"],
  ['Date,1 Mo\n01/02/1990,"1', "line 2: a quoted cell must end"],
  ['Date,1 Mo\n01/02/1990,"1"2', "line 2: a quoted cell must end"],
])("refuses %j", (text, message) => {
  expect(refusal(text).message).toContain(message);
});
