# Hub and agent: Node 24 runs the TypeScript as it is; there is no build step.
FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json ./
COPY libs ./libs
COPY services ./services
COPY migrations ./migrations
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
  && mkdir /data && chown node:node /data
COPY deploy/compose ./deploy/compose
USER node
VOLUME /data
ENTRYPOINT ["node"]
