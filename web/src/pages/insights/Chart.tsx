import { useElementSize } from "@mantine/hooks";
import { useId } from "react";
import { type Column, Table } from "../../parts/Table";
import { shownLabels, ticks } from "./scale";

/** Values in the order of the labels; `look` names its colour. */
export type Series = { name: string; look: number; values: number[] };

type Props = {
  title: string;
  /** Of the pieces along the axis. */
  labels: string[];
  /** What stands over the labels in the table. */
  head: string;
  series: Series[];
  words: (value: number) => string;
  /** Bars on top of each other, or a line for each. */
  kind?: "bars" | "lines";
};

const HEIGHT = 220;
const EDGE = { right: 8, top: 12, bottom: 28 };
/** About the width of a letter on an axis. */
const LETTER = 7;
/** Beyond that, points would hide their line. */
const POINTS_MAX = 60;
const LABEL_WIDTH = 76;

/** A picture, and beside it the same as a table. */
export function Chart({ title, labels, head, series, words, kind = "bars" }: Props) {
  const { ref, width } = useElementSize<HTMLDivElement>();
  const id = useId();
  const rows = labels.map((label, index) => ({ label, index }));
  const columns: Column<(typeof rows)[number]>[] = [
    { name: head, cell: ({ label }) => label },
    ...series.map(({ name, values }) => ({
      name,
      cell: ({ index }: { index: number }) => words(values[index] ?? 0),
      isNumber: true,
    })),
  ];
  const sums = series.map(({ name, values }) => `${name}: ${words(values.reduce((a, b) => a + b, 0))}`);
  return (
    <figure className="chart panel" aria-labelledby={id}>
      <figcaption id={id}>{title}</figcaption>
      <ul className="legend" aria-hidden="true">
        {series.map(({ name, look }) => (
          <li key={name}>
            <svg width="12" height="12" aria-hidden="true">
              <rect className={`series-${look % 6}`} width="12" height="12" rx="2" />
            </svg>
            {name}
          </li>
        ))}
      </ul>
      <div ref={ref} className="canvas">
        {width > 0 && (
          <svg width={width} height={HEIGHT} role="img" aria-label={`${title}. ${sums.join(", ")}.`}>
            <Picture {...{ labels, series, words, kind, width }} />
          </svg>
        )}
      </div>
      <details>
        <summary>As a table</summary>
        <Table label={title} rows={rows} columns={columns} keyOf={({ index }) => index} />
      </details>
    </figure>
  );
}

type Picture = Required<Pick<Props, "labels" | "series" | "words" | "kind">> & { width: number };

function Picture({ labels, series, words, kind, width }: Picture) {
  const count = labels.length;
  const heights = labels.map((_, index) =>
    kind === "bars"
      ? series.reduce((sum, { values }) => sum + Math.max(0, values[index] ?? 0), 0)
      : Math.max(0, ...series.map(({ values }) => values[index] ?? 0)),
  );
  const scale = ticks(Math.max(0, ...heights));
  const top = scale.at(-1) ?? 1;
  const left = 14 + LETTER * Math.max(...scale.map((value) => words(value).length));
  const [inner, tall] = [width - left - EDGE.right, HEIGHT - EDGE.top - EDGE.bottom];
  const x = (index: number) => left + (inner * (index + 0.5)) / count;
  const y = (value: number) => EDGE.top + tall * (1 - Math.max(0, value) / top);
  const shown = shownLabels(count, inner / LABEL_WIDTH);
  const bar = Math.max(1, Math.min(48, (inner / count) * 0.72));
  return (
    <>
      {scale.map((value) => (
        <g key={value}>
          <line className="grid" x1={left} x2={width - EDGE.right} y1={y(value)} y2={y(value)} />
          <text className="axis" x={left - 8} y={y(value)} textAnchor="end" dominantBaseline="middle">
            {words(value)}
          </text>
        </g>
      ))}
      {labels.map(
        (label, index) =>
          shown.has(index) && (
            <text key={label} className="axis" x={x(index)} y={HEIGHT - 8} textAnchor="middle">
              {label}
            </text>
          ),
      )}
      {kind === "lines" && count === 1 ? (
        // One point is no line.
        <Beside {...{ labels, series, words }} width={bar} x={x(0)} y={y} />
      ) : kind === "lines" ? (
        series.map(({ name, look, values }) => (
          <g key={name} className={`series-${look % 6}`}>
            <polyline
              className="line"
              points={values.map((value, index) => `${x(index)},${y(value)}`).join(" ")}
            />
            {count <= POINTS_MAX &&
              values.map((value, index) => (
                <circle key={labels[index]} cx={x(index)} cy={y(value)} r="3.5">
                  <title>{`${labels[index]}, ${name}: ${words(value)}`}</title>
                </circle>
              ))}
          </g>
        ))
      ) : (
        labels.map((label, index) => (
          <g key={label}>
            {series.map(({ name, look, values }, of) => {
              const value = Math.max(0, values[index] ?? 0);
              const below = series
                .slice(0, of)
                .reduce((sum, one) => sum + Math.max(0, one.values[index] ?? 0), 0);
              return value === 0 ? null : (
                <rect
                  key={name}
                  className={`series-${look % 6}`}
                  x={x(index) - bar / 2}
                  width={bar}
                  y={y(below + value)}
                  height={Math.max(1, y(below) - y(below + value))}
                >
                  <title>{`${label}, ${name}: ${words(value)}`}</title>
                </rect>
              );
            })}
          </g>
        ))
      )}
    </>
  );
}

type Beside = Pick<Picture, "labels" | "series" | "words" | "width"> & {
  x: number;
  y: (value: number) => number;
};

/** A bar for each, side by side. */
function Beside({ labels, series, words, width, x, y }: Beside) {
  return series.map(({ name, look, values: [value = 0] }, of) => (
    <rect
      key={name}
      className={`series-${look % 6}`}
      x={x + (of - series.length / 2) * (width + 4) + 2}
      width={width}
      y={y(value)}
      height={Math.max(1, y(0) - y(value))}
    >
      <title>{`${labels[0]}, ${name}: ${words(value)}`}</title>
    </rect>
  ));
}
