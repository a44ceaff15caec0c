// A state timeline is not among what Grafana publishes: its application draws it. This
// is a stand-in, which says so. Names, colours and texts of the fields are Grafana's.
import { getFieldDisplayName } from '@grafana/data';
import { Empty } from './empty.jsx';

const axis = 24;

export function Timeline({ data, options, theme, width, height, range, noValue }) {
  const frames = data.filter(frame => frame.length > 0);
  if (frames.length === 0) return <Empty text={noValue} />;
  const lane = (height - axis) / frames.length;
  const from = range.from.valueOf(), to = range.to.valueOf();
  const x = time => ((time - from) / (to - from)) * width;
  return (
    <svg data-stand-in={frames.length} width={width} height={height} style={{ display: 'block', fontSize: 12 }}>
      {frames.map((frame, i) => {
        const [time, field] = frame.fields;
        return (
          <g key={i} transform={`translate(0 ${i * lane})`}>
            {spans(time, field).map(({ start, end, value }) => (
              <rect key={start} x={x(start)} width={x(end) - x(start)} y={18} height={(lane - 18) * options.rowHeight} fill={field.display(value).color} />
            ))}
            <text y={13} fill={theme.colors.text.primary}>{getFieldDisplayName(field, frame, frames)}</text>
          </g>
        );
      })}
      <text x={width} y={height - 6} textAnchor="end" fill={theme.colors.text.secondary}>a stand-in for Grafana's state timeline</text>
    </svg>
  );
}

// spans joins what follows upon each other with the same value.
function spans(time, field) {
  const found = [];
  time.values.forEach((at, i) => {
    const last = found.at(-1), value = field.values[i], end = at + time.config.interval;
    if (last && last.value === value && last.end >= at) last.end = end;
    else found.push({ start: at, end, value });
  });
  return found;
}
