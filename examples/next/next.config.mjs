export default {
  turbopack: { root: import.meta.dirname },
  // There is no TypeScript here to check them with: node and Next only strip the types.
  typescript: { ignoreBuildErrors: true },
};
