/** The authority on port 8000 (`npm start`), and the page: `npx vite examples/browser-react` */
import { defineConfig } from 'vite';

const authority = process.env['AUTHORITY'] ?? 'http://localhost:8000';

export default defineConfig({
  // Pages and API on one origin, as they would be behind a proxy in production.
  server: { proxy: { '/v1': { target: authority, ws: true } } },
  resolve: { conditions: ['curfew-source', 'module', 'browser', 'development|production'] },
  optimizeDeps: { include: ['react', 'react/jsx-dev-runtime', 'react-dom/client'] },
});
