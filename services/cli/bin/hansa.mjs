#!/usr/bin/env node
import { launch } from "../../../deploy/tools/launch.mjs";

process.exitCode = await launch("services/cli/src/main.ts", process.argv.slice(2));
