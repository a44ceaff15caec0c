// A panel: runs its queries and transformations, applies its field configuration, and renders it in its frame.
import { Component, useEffect, useState } from 'react';
import { applyFieldOverrides, dateTime, getFieldDisplayValuesProxy, transformDataFrame } from '@grafana/data';
import { PanelChrome } from '@grafana/ui';
import { firstValueFrom } from 'rxjs';
import { fieldConfig, fieldRegistry } from './grafana.js';
import { frames, intervals } from './prometheus.js';
import { builtInVariables, interpolate } from './variables.js';
import { Visualization, options } from './visualizations.jsx';

// loadPanel loads the data of a panel with the given width.
async function loadPanel(panel, page, width) {
  const { prometheus, range, scrapeInterval, variables, theme } = page;
  const targets = (panel.targets ?? []).filter(t => !t.hide);
  const tables = targets.filter(t => t.instant && t.format === 'table').length;
  const results = await Promise.all(
    targets.map(target => {
      const { step, rate } = intervals(
        range,
        panel.maxDataPoints ?? width,
        target.interval ?? panel.interval,
        scrapeInterval,
      );
      const length = range.to - range.from;
      const scope = {
        ...variables,
        ...builtInVariables({
          __interval: `${step}s`,
          __interval_ms: step * 1000,
          __rate_interval: `${rate}s`,
          __range: `${length}s`,
          __range_s: length,
          __range_ms: length * 1000,
        }),
      };
      const expr = interpolate(target.expr, scope);
      if (/\$[a-z_]|\$\{/i.test(expr)) throw new Error(`query ${target.refId}: unknown variable in ${expr}`);
      return frames(
        prometheus,
        { ...target, expr, legendFormat: interpolate(target.legendFormat, variables) },
        range,
        step,
        tables > 1 ? `Value #${target.refId}` : 'Value',
      );
    }),
  );
  const replace = replacer(variables, range);
  let data = results.flat();
  const transformations = (panel.transformations ?? []).filter(t => !t.disabled);
  if (transformations.length > 0)
    data = await firstValueFrom(transformDataFrame(transformations, data, { interpolate: replace }));
  const field = fieldConfig(panel);
  data = applyFieldOverrides({
    data,
    fieldConfig: field,
    fieldConfigRegistry: fieldRegistry(panel.type),
    replaceVariables: replace,
    theme,
    timeZone: 'utc',
  });
  return { data, field, options: options(panel), interpolate: replace };
}

// replacer returns a function that replaces variables in titles and links, including the variables of the rendered
// value, such as ${__value.text}.
const replacer = (variables, range) => (text, scope) => {
  const { frame, field, rowIndex, calculatedValue } = scope?.__dataContext?.value ?? {};
  const named = interpolate(text, variables, 'raw')
    .replace(/\$\{__url_time_range\}|\$__url_time_range/g, `from=${range.from * 1000}&to=${range.to * 1000}`)
    .replace(
      /\$\{__all_variables\}|\$__all_variables/g,
      Object.keys(variables)
        .map(name => interpolate(`\${${name}:queryparam}`, variables))
        .join('&'),
    );
  if (!field) return named;
  const value = calculatedValue ?? field.display?.(field.values[rowIndex]);
  return named.replace(/\$\{__(data|field|value)\.?([^}:]*)(?::(\w+))?\}/g, (whole, object, path, format) => {
    const text = {
      data: () => getFieldDisplayValuesProxy({ frame, rowIndex })[/^fields(?:\.|\[")(.*?)(?:"\])?$/.exec(path)?.[1]],
      field: () => (path === 'name' ? field.name : field.labels?.[path.replace('labels.', '')]),
      value: () => (path === 'text' ? value?.text : (value?.numeric ?? value)),
    }[object]();
    if (text === undefined) return whole;
    return format === 'percentencode' ? encodeURIComponent(text) : String(text);
  });
};

// ErrorBoundary shows the error of a panel that cannot be rendered. The other panels are not affected.
class ErrorBoundary extends Component {
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
    loadPanel(panel, page, width).then(
      loaded => set({ name: 'drawn', ...loaded }),
      error => set({ name: 'error', error: String(error) }),
    );
  }, []);
  const range = {
    from: dateTime(page.range.from * 1000),
    to: dateTime(page.range.to * 1000),
    raw: { from: page.from, to: 'now' },
  };
  return (
    <section
      data-panel={panel.id}
      data-type={panel.type}
      data-state={state.name}
      data-title={panel.title}
      data-rows={state.data?.reduce((sum, frame) => sum + frame.length, 0)}
    >
      <PanelChrome
        title={interpolate(panel.title, page.variables, 'text')}
        description={panel.description}
        width={width}
        height={height}
        statusMessage={state.error}
        displayMode={panel.transparent ? 'transparent' : 'default'}
      >
        {(innerWidth, innerHeight) => (
          <div data-content style={{ width: innerWidth, height: innerHeight }}>
            <ErrorBoundary>
              {state.name === 'error' && <div data-error>{state.error}</div>}
              {state.name === 'drawn' && (
                <Visualization
                  type={panel.type}
                  {...state}
                  theme={page.theme}
                  range={range}
                  noValue={panel.fieldConfig?.defaults?.noValue}
                  width={innerWidth}
                  height={innerHeight}
                />
              )}
            </ErrorBoundary>
          </div>
        )}
      </PanelChrome>
    </section>
  );
}
