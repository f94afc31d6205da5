/** The authority on port 8000 (`npm start`), and the page: `npx vite examples/browser-vue` */
import { defineConfig } from 'vite';

const authority = process.env['AUTHORITY'] ?? 'http://localhost:8000';

export default defineConfig({
  // Pages and API on one origin, as they would be behind a proxy in production.
  server: { proxy: { '/v1': { target: authority, ws: true } } },
  resolve: {
    conditions: ['curfew-source', 'module', 'browser', 'development|production'],
    // The build that reads templates out of the page; with @vitejs/plugin-vue and .vue files the usual one will do.
    alias: { vue: 'vue/dist/vue.esm-bundler.js' },
  },
  define: {
    __VUE_OPTIONS_API__: true,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
  },
});
