# Sources to JavaScript.
FROM node:24-slim AS build
WORKDIR /curfew
COPY package.json package-lock.json tsconfig.base.json ./
COPY packages packages
COPY web web
COPY LICENSE ./
COPY tools/build.ts tools/assets.ts tools/build-pages.ts tools/bundle-client.ts tools/
COPY tools/build tools/build
RUN npm ci --ignore-scripts && node tools/build.ts

# What runs, without development packages. Nothing of ours needs an install script.
FROM node:24-slim AS dependencies
WORKDIR /curfew
COPY package.json package-lock.json ./
COPY packages/protocol/package.json packages/protocol/
COPY packages/server/package.json packages/server/
COPY packages/verifier/package.json packages/verifier/
RUN npm ci --omit=dev --ignore-scripts --workspace @curfew/server

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000 CURFEW_DATA=/data
WORKDIR /curfew
COPY --from=dependencies /curfew ./
COPY --from=build /curfew/packages packages
RUN mkdir -m 700 /data && chown node:node /data \
  && chmod +x packages/server/dist/main.js && ln -s /curfew/packages/server/dist/main.js /usr/local/bin/curfew
# Without DATABASE_URL the sessions are here: they outlive the container only in a volume.
VOLUME /data
USER node
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "packages/server/dist/main.js", "serve"]
