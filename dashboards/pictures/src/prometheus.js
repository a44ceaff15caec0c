// Queries Prometheus and converts the results to data frames in the same way as the data source of Grafana.
import { FieldType, rangeUtil, toDataFrame } from '@grafana/data';

export class Prometheus {
  constructor(url) {
    this.url = url;
  }

  async get(path, params) {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(params)}`);
    const result = await response.json();
    if (result.status !== 'success') throw new Error(`${params.query ?? path}: ${result.error}`);
    if (result.warnings) throw new Error(`${params.query ?? path}: ${result.warnings}`);
    return result.data;
  }

  // labelValues returns the values of a label in the time range. Variables use it.
  labelValues(label, match, range) {
    return this.get(`label/${label}/values`, { start: range.from, end: range.to, ...(match && { 'match[]': match }) });
  }

  async query(expr, time) {
    return (await this.get('query', { query: expr, time })).result;
  }

  async queryRange(expr, { from, to, step }) {
    // Grafana aligns the range to multiples of the step.
    const start = Math.floor(from / step) * step,
      end = Math.floor(to / step) * step;
    return (await this.get('query_range', { query: expr, start, end, step })).result;
  }
}

// intervals returns the values of $__interval (step) and $__rate_interval (rate) in seconds. maxPoints is the maximum
// number of data points of the panel, and minInterval is its minimum interval, such as "1m", or undefined.
export function intervals(range, maxPoints, minInterval, scrapeInterval) {
  const low = Math.max(scrapeInterval, minInterval ? rangeUtil.intervalToSeconds(minInterval) : 0);
  const span = { from: { valueOf: () => range.from * 1000 }, to: { valueOf: () => range.to * 1000 } };
  const step = rangeUtil.calculateInterval(span, maxPoints, `${low}s`).intervalMs / 1000;
  return { step, rate: Math.max(step + scrapeInterval, 4 * scrapeInterval) };
}

// frames runs the query of a target and returns its data frames. The variables in the expression have been replaced.
export async function frames(prometheus, target, range, step, valueColumn) {
  if (target.instant && target.format === 'table')
    return [tableFrame(target, await prometheus.query(target.expr, range.to), valueColumn)];
  const series = target.instant
    ? (await prometheus.query(target.expr, range.to)).map(s => ({ metric: s.metric, values: [s.value] }))
    : await prometheus.queryRange(target.expr, { ...range, step });
  if (target.format === 'table') throw new Error('range query in table format: not supported');
  return series.map(s =>
    toDataFrame({
      refId: target.refId,
      meta: { type: 'timeseries-multi' },
      fields: [
        {
          name: 'Time',
          type: FieldType.time,
          values: s.values.map(([time]) => time * 1000),
          config: target.instant ? {} : { interval: step * 1000 },
        },
        {
          name: 'Value',
          type: FieldType.number,
          labels: s.metric,
          values: s.values.map(([, value]) => parseValue(value)),
          config: { displayNameFromDS: seriesName(target, s.metric) },
        },
      ],
    }),
  );
}

// tableFrame returns a frame with one row per series. valueColumn is the name of the last column.
function tableFrame(target, series, valueColumn) {
  const labels = [...new Set(series.flatMap(s => Object.keys(s.metric)))].sort();
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: series.map(s => s.value[0] * 1000) },
      ...labels.map(name => ({
        name,
        type: FieldType.string,
        config: { filterable: true },
        values: series.map(s => s.metric[name] ?? ''),
      })),
      { name: valueColumn, type: FieldType.number, values: series.map(s => parseValue(s.value[1])) },
    ],
  });
}

// parseValue parses a sample value of Prometheus. JavaScript cannot parse "+Inf".
const parseValue = text => (text.endsWith('Inf') ? (text[0] === '-' ? -Infinity : Infinity) : Number(text));

// seriesName returns the display name of a series.
function seriesName(target, labels) {
  const format = target.legendFormat;
  if (format && format !== '__auto') return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name) => labels[name] ?? '');
  const { __name__: name = '', ...rest } = labels;
  const pairs = Object.entries(rest)
    .map(([label, value]) => `${label}="${value}"`)
    .join(', ');
  return name + (pairs && `{${pairs}}`) || target.expr;
}
