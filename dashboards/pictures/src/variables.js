// The variables of a dashboard: their values when the dashboard is opened, and their interpolation in queries, titles
// and links.

const all = '$__all';
const special = /[\\^$*+?.()|[\]{}]/g;

// loadVariables returns the variables by name. The query of a variable can use the variables before it. overrides has
// values by name that replace those in the dashboard.
export async function loadVariables(list = [], prometheus, range, overrides = {}) {
  const variables = {};
  for (const v of list) {
    const saved = [overrides[v.name] ?? v.current?.value ?? []].flat();
    variables[v.name] = {
      label: v.label || v.name,
      hidden: v.hide === 2,
      ...(await resolve(v, saved, variables, prometheus, range)),
    };
  }
  return variables;
}

// resolve returns the values of a variable. saved are the values that the dashboard was saved with.
async function resolve(v, saved, variables, prometheus, range) {
  switch (v.type) {
    case 'datasource':
      return { values: ['prometheus'], text: 'Prometheus' };
    case 'constant':
    case 'textbox':
      return { values: [v.query], text: v.query };
    case 'custom':
    case 'interval':
      return select(
        v,
        saved,
        v.query.split(',').map(option => ({ text: option.trim(), value: option.trim() })),
      );
    case 'query':
      return select(v, saved, await options(v, variables, prometheus, range));
    default:
      throw new Error(`variable ${v.name}: type ${v.type} not supported`);
  }
}

// options runs the query of a variable and returns its options.
async function options(v, variables, prometheus, range) {
  const query = interpolate(v.query?.query ?? v.query, variables).trim();
  const found = await runQuery(query, prometheus, range);
  if (!found) throw new Error(`variable ${v.name}: query ${query} not supported`);
  if (!v.regex) return found.map(option => ({ text: option, value: option }));
  const regex = new RegExp(v.regex.replace(/^\/|\/$/g, ''));
  return found
    .map(option => regex.exec(option))
    .filter(match => match)
    .map(match => {
      const { text = match[1] ?? match[0], value = text } = match.groups ?? {};
      return { text, value };
    });
}

// runQuery returns undefined if the type of the query is not supported.
async function runQuery(query, prometheus, range) {
  const [, match, label] = /^label_values\((?:([\s\S]+),\s*)?(\w+)\)$/.exec(query) ?? [];
  if (label) return prometheus.labelValues(label, match, range);
  const [, expr] = /^query_result\(([\s\S]+)\)$/.exec(query) ?? [];
  if (!expr) return undefined;
  return (await prometheus.query(expr, range.to)).map(
    ({ metric: { __name__ = '', ...labels }, value: [time, value] }) =>
      `${__name__}{${Object.entries(labels)
        .map(([name, text]) => `${name}="${text}"`)
        .join(',')}} ${value} ${time * 1000}`,
  );
}

// select selects the saved values that are still available, else all or the first.
function select(v, saved, found) {
  const kept = found.filter(option => saved.includes(option.value));
  if (kept.length === 0 && v.includeAll && (saved.includes(all) || v.multi)) {
    return { values: found.map(option => option.value), whole: v.allValue, text: 'All', many: true };
  }
  const selected = kept.length > 0 ? kept : found.slice(0, 1);
  return {
    values: selected.map(option => option.value),
    text: selected.map(option => option.text).join(' + '),
    many: v.multi,
  };
}

const formats = {
  raw: v => v.values.join(','),
  csv: v => v.values.join(','),
  pipe: v => v.values.join('|'),
  text: v => v.text,
  regex: v => group(v.values.map(value => value.replace(special, '\\$&'))),
  queryparam: (v, name) => v.values.map(value => `var-${name}=${encodeURIComponent(value)}`).join('&'),
  percentencode: v => encodeURIComponent(v.values.join(',')),
  // Escaped for a regular expression in a PromQL string, as by the data source.
  prometheus: v => (v.many ? group(v.values.map(value => value.replace(special, '\\\\$&'))) : v.values.join('')),
};

const group = values => (values.length === 1 ? values[0] : `(${values.join('|')})`);

// interpolate replaces the variables in a text. It leaves unknown variables unchanged, such as the fields of data
// links, which are replaced when the link is rendered.
export function interpolate(text, variables, format = 'prometheus') {
  return text?.replace(/\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)\]\]/g, (whole, plain, braced, own, square) => {
    const name = plain ?? braced ?? square,
      v = variables[name];
    if (!v) return whole;
    if (v.whole && own !== 'text' && own !== 'queryparam') return v.whole;
    return formats[own ?? format](v, name);
  });
}

// builtInVariables converts values by name to variables.
export function builtInVariables(values) {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { values: [String(value)], text: String(value) }]),
  );
}
