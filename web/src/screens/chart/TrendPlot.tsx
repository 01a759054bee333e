import { useEffect, useRef, type ReactNode } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { testName } from "../../fhir/codes";
import { formatDate, type Language } from "../../fhir/dates";
import type { Line } from "../../fhir/observations";

/** Values by time for uPlot: one shared, sorted axis of seconds, null where a line has no value. */
export function aligned(lines: Line[]): uPlot.AlignedData {
  const times = [...new Set(lines.flatMap((line) => line.points.map((point) => point.time)))].sort((a, b) => a - b);
  const at = new Map(times.map((time, index) => [time, index]));
  const columns = lines.map((line) => {
    const column: (number | null)[] = times.map(() => null);
    for (const point of line.points) column[at.get(point.time)!] = point.value;
    return column;
  });
  return [times.map((time) => time / 1000), ...columns];
}

const HEIGHT = 260;

interface Plot {
  lines: Line[];
  name: string;
  dateLabel: string;
  language: Language;
  dark: boolean; // colours are read from the page's tokens: drawn anew when the scheme changes
}

/** Lines of one unit over time; loaded only when a trend is opened. */
export default function TrendPlot({ lines, name, dateLabel, language, dark }: Plot): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const css = getComputedStyle(document.documentElement);
    const token = (key: string): string => css.getPropertyValue(key).trim();
    const day = (seconds: number): string => formatDate(new Date(seconds * 1000).toISOString().slice(0, 10), language) ?? "";
    const axis: uPlot.Axis = { stroke: token("--ink-2"), grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line") } };
    const band = lines.length === 1 ? lines[0] : undefined;
    const shade = (u: uPlot): void => {
      if (!band || (band.low === undefined && band.high === undefined)) return;
      const clip = (value: number): number => Math.max(u.bbox.top, Math.min(u.bbox.top + u.bbox.height, value));
      const top = band.high === undefined ? u.bbox.top : clip(u.valToPos(band.high, "y", true));
      const bottom = band.low === undefined ? u.bbox.top + u.bbox.height : clip(u.valToPos(band.low, "y", true));
      u.ctx.save();
      u.ctx.fillStyle = token("--band");
      u.ctx.fillRect(u.bbox.left, top, u.bbox.width, Math.max(0, bottom - top));
      u.ctx.restore();
    };
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        hooks: { drawClear: [shade] },
        scales: { y: { range: (_u, low, high) => padded(low, high, band) } },
        axes: [
          { ...axis, values: (_u, splits) => tickLabels(splits, language), space: 64 },
          { ...axis, size: 56 },
        ],
        series: [
          { label: dateLabel, value: (_u, seconds) => (seconds == null ? "–" : day(seconds)) },
          ...lines.map((line, index) => ({
            label: (line.code && testName(line.code, language)) ?? name,
            stroke: token(`--plot-${(index % 3) + 1}`),
            width: 1.75,
            dash: index > 2 ? [6, 4] : undefined,
            spanGaps: true,
            points: { show: true, size: 6 },
            value: (_u: uPlot, value: number | null) => (value == null ? "–" : `${Number(value.toPrecision(6))} ${line.unit ?? ""}`),
          })),
        ],
      },
      aligned(lines),
      element,
    );
    const watch = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [lines, name, dateLabel, language, dark]);
  return <div ref={place} style={{ minHeight: HEIGHT, minWidth: 0 }} />;
}

// Beyond this many times the values' own spread, the far end of the reference range would flatten the curve.
const FLATTENED = 12;

/** Room above and below; the near end of the reference range always in sight, the far end where it costs little. */
export function padded(low: number, high: number, band: Pick<Line, "low" | "high"> | undefined): [number, number] {
  let [least, most] = [low, high];
  const ends = [band?.low, band?.high].filter((end) => end !== undefined);
  const away = (end: number): number => Math.max(low - end, end - high, 0);
  ends.sort((a, b) => away(a) - away(b));
  ends.forEach((end, at) => {
    if (at > 0 && high > low && away(end) > FLATTENED * (high - low)) return;
    [least, most] = [Math.min(least, end), Math.max(most, end)];
  });
  const room = (most - least || Math.abs(most) || 1) * 0.1;
  return [least - room, most + room];
}

function tickLabels(splits: number[], language: Language): string[] {
  const step = splits.length > 1 ? splits[1]! - splits[0]! : 0;
  const iso = splits.map((seconds) => new Date(seconds * 1000).toISOString());
  if (step >= 300 * 86_400) return iso.map((text) => text.slice(0, 4));
  if (step >= 27 * 86_400) return iso.map((text) => (language === "zh" ? text.slice(0, 7) : (formatDate(text.slice(0, 7), language) ?? "")));
  if (step >= 86_400) return iso.map((text) => (language === "zh" ? text.slice(5, 10) : (formatDate(text.slice(0, 10), language) ?? "").replace(/ \d{4}$/, "")));
  return iso.map((text) => text.slice(11, 16));
}
