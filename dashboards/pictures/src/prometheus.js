// Asks Prometheus, and makes of its answers the frames that Grafana's data source
// makes of them.
import { FieldType, rangeUtil, toDataFrame } from '@grafana/data';

export class Prometheus {
  constructor(url) {
    this.url = url;
  }

  async get(path, params) {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(params)}`);
    const answer = await response.json();
    if (answer.status !== 'success') throw new Error(`${params.query ?? path}: ${answer.error}`);
    if (answer.warnings) throw new Error(`${params.query ?? path}: ${answer.warnings}`);
    return answer.data;
  }

  // labelValues and series are asked for by variables, about the whole range.
  labelValues(label, match, range) {
    return this.get(`label/${label}/values`, { start: range.from, end: range.to, ...(match && { 'match[]': match }) });
  }

  async query(expr, time) {
    return (await this.get('query', { query: expr, time })).result;
  }

  async queryRange(expr, { from, to, step }) {
    // Grafana aligns the range with the step.
    const start = Math.floor(from / step) * step, end = Math.floor(to / step) * step;
    return (await this.get('query_range', { query: expr, start, end, step })).result;
  }
}

// intervals gives what $__interval and $__rate_interval stand for, in seconds, in a
// panel that shows so many points.
export function intervals(range, points, least, scrapeInterval) {
  const low = Math.max(scrapeInterval, least ? rangeUtil.intervalToSeconds(least) : 0);
  const span = { from: { valueOf: () => range.from * 1000 }, to: { valueOf: () => range.to * 1000 } };
  const step = rangeUtil.calculateInterval(span, points, `${low}s`).intervalMs / 1000;
  return { step, rate: Math.max(step + scrapeInterval, 4 * scrapeInterval) };
}

// frames runs a target of a panel. Its expression has no variables left.
export async function frames(prometheus, target, range, step, values) {
  if (target.instant && target.format === 'table') return [tableFrame(target, await prometheus.query(target.expr, range.to), values)];
  const series = target.instant
    ? (await prometheus.query(target.expr, range.to)).map(s => ({ metric: s.metric, values: [s.value] }))
    : await prometheus.queryRange(target.expr, { ...range, step });
  if (target.format === 'table') throw new Error('a table of a range: that is not drawn here');
  return series.map(s => toDataFrame({
    refId: target.refId,
    meta: { type: 'timeseries-multi' },
    fields: [
      { name: 'Time', type: FieldType.time, values: s.values.map(([time]) => time * 1000), config: target.instant ? {} : { interval: step * 1000 } },
      { name: 'Value', type: FieldType.number, labels: s.metric, values: s.values.map(([, value]) => number(value)), config: { displayNameFromDS: legend(target, s.metric) } },
    ],
  }));
}

// tableFrame has a row for each series. values is the name of the last column: only
// a table that is not alone has it named after its query.
function tableFrame(target, series, values) {
  const labels = [...new Set(series.flatMap(s => Object.keys(s.metric)))].sort();
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: series.map(s => s.value[0] * 1000) },
      ...labels.map(name => ({ name, type: FieldType.string, config: { filterable: true }, values: series.map(s => s.metric[name] ?? '') })),
      { name: values, type: FieldType.number, values: series.map(s => number(s.value[1])) },
    ],
  });
}

// number reads a value as Prometheus writes it: "+Inf" is none to JavaScript.
const number = text => (text.endsWith('Inf') ? (text[0] === '-' ? -Infinity : Infinity) : Number(text));

function legend(target, labels) {
  const format = target.legendFormat;
  if (format && format !== '__auto') return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name) => labels[name] ?? '');
  const { __name__: name = '', ...rest } = labels;
  const pairs = Object.entries(rest).map(([label, value]) => `${label}="${value}"`).join(', ');
  return name + (pairs && `{${pairs}}`) || target.expr;
}
