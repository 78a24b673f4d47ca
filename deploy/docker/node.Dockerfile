# Hub and agent: Node 24 runs the TypeScript as it is; there is no build step. Targets: hub, agent, and (last) any program.
FROM node:24-bookworm-slim AS base
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json ./
COPY libs ./libs
COPY services ./services
COPY migrations ./migrations
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
  && mkdir /data && chown node:node /data \
  && install -d -o 65532 node_modules/.cache/agent \
  && ln -s /app/services/agent/bin/hansa-ask.mjs /usr/local/bin/hansa-ask
COPY deploy/compose ./deploy/compose

FROM base AS hub
USER 65532
ENTRYPOINT ["node", "services/hub/src/main.ts"]

FROM base AS agent
USER 65532
# Without a configuration it says so and ends, having left its compiled code for pods, whose root is read-only.
RUN ! node services/agent/src/main.ts && ls node_modules/.cache/agent/*
ENTRYPOINT ["node", "services/agent/src/main.ts"]

FROM base
USER node
VOLUME /data
ENTRYPOINT ["node"]
