#!/bin/sh
# Makes the federation in /hub where there is none, and hands each part its folder.
set -eu
if [ ! -f /hub/genesis.json ]; then
  node services/hub/src/main.ts init --dir /hub --federation "$HANSA_FEDERATION" --operators "$HANSA_OPERATORS" \
    --api-hosts hub,localhost,127.0.0.1 --api-listen 0.0.0.0 --api-port 8443 \
    --nats nats://nats:4222 --nats-listen 0.0.0.0:4222 --nats-data /data \
    --postgres postgres://hansa@postgres:5432/hansa
fi
# Public JWTs only.
cp /hub/nats.conf /nats/nats.conf
chmod 644 /nats/nats.conf
chown -R 1000:1000 /hub /agent /sockets /join
chmod 700 /hub /agent /sockets /join
