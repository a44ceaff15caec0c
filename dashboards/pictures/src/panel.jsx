// A panel: its queries, transformations and field configuration, drawn in its frame.
import { Component, useEffect, useState } from 'react';
import { applyFieldOverrides, dateTime, getFieldDisplayValuesProxy, transformDataFrame } from '@grafana/data';
import { PanelChrome } from '@grafana/ui';
import { firstValueFrom } from 'rxjs';
import { fieldConfig, fieldRegistry } from './grafana.js';
import { frames, intervals } from './prometheus.js';
import { builtIn, expand } from './variables.js';
import { Visualisation, options } from './visualisations.jsx';

// load gives what the panel shows in that width.
async function load(panel, page, width) {
  const { prometheus, range, scrapeInterval, variables, theme } = page;
  const targets = (panel.targets ?? []).filter(t => !t.hide);
  const tables = targets.filter(t => t.instant && t.format === 'table').length;
  const results = await Promise.all(targets.map(target => {
    const { step, rate } = intervals(range, panel.maxDataPoints ?? width, target.interval ?? panel.interval, scrapeInterval);
    const length = range.to - range.from;
    const scope = { ...variables, ...builtIn({
      __interval: `${step}s`, __interval_ms: step * 1000, __rate_interval: `${rate}s`, __range: `${length}s`, __range_s: length, __range_ms: length * 1000,
    }) };
    const expr = expand(target.expr, scope);
    if (/\$[a-z_]|\$\{/i.test(expr)) throw new Error(`${target.refId} has a variable that there is not: ${expr}`);
    return frames(prometheus, { ...target, expr, legendFormat: expand(target.legendFormat, variables) }, range, step, tables > 1 ? `Value #${target.refId}` : 'Value');
  }));
  const replace = replacer(variables, range);
  let data = results.flat();
  const transformations = (panel.transformations ?? []).filter(t => !t.disabled);
  if (transformations.length > 0) data = await firstValueFrom(transformDataFrame(transformations, data, { interpolate: replace }));
  const field = fieldConfig(panel);
  data = applyFieldOverrides({ data, fieldConfig: field, fieldConfigRegistry: fieldRegistry(panel.type), replaceVariables: replace, theme, timeZone: 'utc' });
  return { data, field, options: options(panel), expand: replace };
}

// replacer puts variables into titles and links, and what is said of the value that
// is drawn.
const replacer = (variables, range) => (text, scope) => {
  const { frame, field, rowIndex, calculatedValue } = scope?.__dataContext?.value ?? {};
  const named = expand(text, variables, 'raw')
    .replace(/\$\{__url_time_range\}|\$__url_time_range/g, `from=${range.from * 1000}&to=${range.to * 1000}`)
    .replace(/\$\{__all_variables\}|\$__all_variables/g, Object.keys(variables).map(name => expand(`\${${name}:queryparam}`, variables)).join('&'));
  if (!field) return named;
  const value = calculatedValue ?? field.display?.(field.values[rowIndex]);
  return named.replace(/\$\{__(data|field|value)\.?([^}:]*)(?::(\w+))?\}/g, (whole, about, path, format) => {
    const text = {
      data: () => getFieldDisplayValuesProxy({ frame, rowIndex })[/^fields(?:\.|\[")(.*?)(?:"\])?$/.exec(path)?.[1]],
      field: () => (path === 'name' ? field.name : field.labels?.[path.replace('labels.', '')]),
      value: () => (path === 'text' ? value?.text : value?.numeric ?? value),
    }[about]();
    if (text === undefined) return whole;
    return format === 'percentencode' ? encodeURIComponent(text) : String(text);
  });
};

// Boundary keeps a panel that cannot be drawn from taking the page with it.
class Boundary extends Component {
  state = {};

  static getDerivedStateFromError(error) {
    return { error };
  }

  render() {
    return this.state.error ? <div data-error>{String(this.state.error.stack)}</div> : this.props.children;
  }
}

export function Panel({ panel, page, width, height }) {
  const [state, set] = useState({ name: 'loading' });
  useEffect(() => {
    load(panel, page, width).then(loaded => set({ name: 'drawn', ...loaded }), error => set({ name: 'error', error: String(error) }));
  }, []);
  const range = { from: dateTime(page.range.from * 1000), to: dateTime(page.range.to * 1000), raw: { from: page.from, to: 'now' } };
  return (
    <section data-panel={panel.id} data-type={panel.type} data-state={state.name} data-title={panel.title}
      data-rows={state.data?.reduce((sum, frame) => sum + frame.length, 0)}>
      <PanelChrome title={expand(panel.title, page.variables, 'text')} description={panel.description} width={width} height={height}
        statusMessage={state.error} displayMode={panel.transparent ? 'transparent' : 'default'}>
        {(innerWidth, innerHeight) => (
          <div data-content style={{ width: innerWidth, height: innerHeight }}>
            <Boundary>
              {state.name === 'error' && <div data-error>{state.error}</div>}
              {state.name === 'drawn' && <Visualisation type={panel.type} {...state} theme={page.theme} range={range}
                noValue={panel.fieldConfig?.defaults?.noValue} width={innerWidth} height={innerHeight} />}
            </Boundary>
          </div>
        )}
      </PanelChrome>
    </section>
  );
}
