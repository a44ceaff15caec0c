// Bundles the page that shoot.js opens in the browser.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/main.jsx'],
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  splitting: true, // keeps unused parts, such as code editors, out of the main bundle
  minify: true,
  jsx: 'automatic',
  target: 'esnext',
  loader: { '.ttf': 'file' },
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
});
