/**
 * What the lab's components are: command, configuration, addresses and proof of health of each.
 * Writes configurations below the state folder. Starts nothing and knows no order.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { HansaError } from "@hansa/core";
import { type ApiTarget, callApi, newSigningKey } from "@hansa/identity";
import { startChild } from "../../../../deploy/tools/child.ts";
import { type LabPaths, makePrivate } from "../../../../deploy/tools/lab-paths.ts";
import { startNats } from "../../../../deploy/tools/nats.ts";
import { envoyBinary } from "../../../../deploy/tools/paths.mjs";
import { openPostgres } from "../../../../deploy/tools/postgres.ts";
import { type AddressPlan, PORTS } from "../addresses.ts";
import type { Topology, TopologyCluster } from "../topology/types.ts";
import type { ComponentKind, ComponentSpec } from "./component.ts";
import { accepts, answersOk } from "./probes.ts";
import { proxyIdOf, type Replica, type Replicas, replicaName } from "./replicas.ts";
