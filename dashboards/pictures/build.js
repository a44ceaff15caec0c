// Bundles the page that shoot.js opens.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/main.jsx'],
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  splitting: true, // what the page never loads, such as code editors, stays apart
  minify: true,
  jsx: 'automatic',
  target: 'esnext',
  loader: { '.ttf': 'file' },
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
});
