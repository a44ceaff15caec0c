// The variables of a dashboard: what they are when it is opened, and how they are
// put into queries, titles and links.

const all = '$__all';
const special = /[\\^$*+?.()|[\]{}]/g;

// load finds the values, one variable after the other: a query may use those before.
// given has values that are not what the dashboard would begin with, by name.
export async function load(list = [], prometheus, range, given = {}) {
  const variables = {};
  for (const v of list) {
    const saved = [given[v.name] ?? v.current?.value ?? []].flat();
    variables[v.name] = { label: v.label || v.name, hidden: v.hide === 2, ...(await value(v, saved, variables, prometheus, range)) };
  }
  return variables;
}

async function value(v, saved, variables, prometheus, range) {
  switch (v.type) {
    case 'datasource':
      return { values: ['prometheus'], text: 'Prometheus' };
    case 'constant':
    case 'textbox':
      return { values: [v.query], text: v.query };
    case 'custom':
    case 'interval':
      return choose(v, saved, v.query.split(',').map(option => ({ text: option.trim(), value: option.trim() })));
    case 'query':
      return choose(v, saved, await options(v, variables, prometheus, range));
    default:
      throw new Error(`variable ${v.name}: the type ${v.type} is not known here`);
  }
}

// options runs the query of a variable.
async function options(v, variables, prometheus, range) {
  const query = expand(v.query?.query ?? v.query, variables).trim();
  const found = await ask(query, prometheus, range);
  if (!found) throw new Error(`variable ${v.name}: the query ${query} is not known here`);
  if (!v.regex) return found.map(option => ({ text: option, value: option }));
  const regex = new RegExp(v.regex.replace(/^\/|\/$/g, ''));
  return found.map(option => regex.exec(option)).filter(match => match).map(match => {
    const { text = match[1] ?? match[0], value = text } = match.groups ?? {};
    return { text, value };
  });
}

async function ask(query, prometheus, range) {
  const [, match, label] = /^label_values\((?:([\s\S]+),\s*)?(\w+)\)$/.exec(query) ?? [];
  if (label) return prometheus.labelValues(label, match, range);
  const [, expr] = /^query_result\(([\s\S]+)\)$/.exec(query) ?? [];
  if (!expr) return undefined;
  return (await prometheus.query(expr, range.to)).map(({ metric: { __name__ = '', ...labels }, value: [time, value] }) => (
    `${__name__}{${Object.entries(labels).map(([name, text]) => `${name}="${text}"`).join(',')}} ${value} ${time * 1000}`));
}

// choose takes what the dashboard was saved with, if there still is such an option,
// else all or the first.
function choose(v, saved, found) {
  const kept = found.filter(option => saved.includes(option.value));
  if (kept.length === 0 && v.includeAll && (saved.includes(all) || v.multi)) {
    return { values: found.map(option => option.value), whole: v.allValue, text: 'All', many: true };
  }
  const chosen = kept.length > 0 ? kept : found.slice(0, 1);
  return { values: chosen.map(option => option.value), text: chosen.map(option => option.text).join(' + '), many: v.multi };
}

const formats = {
  raw: v => v.values.join(','),
  csv: v => v.values.join(','),
  pipe: v => v.values.join('|'),
  text: v => v.text,
  regex: v => group(v.values.map(value => value.replace(special, '\\$&'))),
  queryparam: (v, name) => v.values.map(value => `var-${name}=${encodeURIComponent(value)}`).join('&'),
  percentencode: v => encodeURIComponent(v.values.join(',')),
  // As the data source does: escaped for a regular expression within a string.
  prometheus: v => (v.many ? group(v.values.map(value => value.replace(special, '\\\\$&'))) : v.values.join('')),
};

const group = values => (values.length === 1 ? values[0] : `(${values.join('|')})`);

// expand puts the variables into a text. What it does not know stays: the fields of
// a data link are filled in by who draws them.
export function expand(text, variables, format = 'prometheus') {
  return text?.replace(/\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)\]\]/g, (whole, plain, braced, own, square) => {
    const name = plain ?? braced ?? square, v = variables[name];
    if (!v) return whole;
    if (v.whole && own !== 'text' && own !== 'queryparam') return v.whole;
    return formats[own ?? format](v, name);
  });
}

// builtIn makes variables of what every query can use.
export function builtIn(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { values: [String(value)], text: String(value) }]));
}
