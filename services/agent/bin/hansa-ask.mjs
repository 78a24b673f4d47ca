#!/usr/bin/env node
import { ask } from "../src/ask.ts";

process.exitCode = await ask(process.argv.slice(2));
