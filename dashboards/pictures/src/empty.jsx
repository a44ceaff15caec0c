// Empty is the message that Grafana shows instead of a graph or a table without data.
export const Empty = ({ text }) => (
  <div style={{ display: 'flex', height: '100%', alignItems: 'center', justifyContent: 'center', textAlign: 'center' }}>
    {text ?? 'No data'}
  </div>
);
