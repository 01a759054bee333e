import type { ReactNode } from "react";
import type { Line } from "../../fhir/observations";

const [WIDTH, HEIGHT, EDGE] = [88, 26, 3];

/** The course of a test at a glance; decoration only, the numbers stand beside it. The reference range is shaded. */
export function Sparkline({ lines }: { lines: Line[] }): ReactNode {
  const drawn = lines.filter((line) => line.points.length > 1).slice(0, 3);
  const unit = drawn[0]?.unit;
  const same = drawn.filter((line) => line.unit === unit); // one axis: one unit
  const points = same.flatMap((line) => line.points);
  if (!points.length) return null;
  const times = points.map((point) => point.time);
  const values = points.map((point) => point.value);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const x = (time: number): number => EDGE + ((time - from) / (to - from || 1)) * (WIDTH - 2 * EDGE);
  const y = (value: number): number =>
    most === least ? HEIGHT / 2 : HEIGHT - EDGE - ((value - least) / (most - least)) * (HEIGHT - 2 * EDGE);
  const clamp = (value: number): number => Math.max(0, Math.min(HEIGHT, value));
  const band = same.length === 1 && (same[0]!.low !== undefined || same[0]!.high !== undefined) && most !== least ? same[0]! : undefined;
  const top = band?.high === undefined ? 0 : clamp(y(band.high));
  const bottom = band?.low === undefined ? HEIGHT : clamp(y(band.low));
  return (
    <svg width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" style={{ display: "block" }}>
      {band && bottom > top && <rect x={0} width={WIDTH} y={top} height={bottom - top} fill="var(--band)" />}
      {same.map((line, at) => {
        const last = line.points[line.points.length - 1]!;
        return (
          <g key={line.key} stroke={`var(--plot-${at + 1})`} fill="none" strokeWidth={1.5}>
            <polyline points={line.points.map((point) => `${x(point.time).toFixed(1)},${y(point.value).toFixed(1)}`).join(" ")} strokeLinejoin="round" />
            <circle cx={x(last.time)} cy={y(last.value)} r={2.2} fill={`var(--plot-${at + 1})`} stroke="none" />
          </g>
        );
      })}
    </svg>
  );
}
