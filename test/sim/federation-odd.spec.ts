/** The odd seeds. */
import { federationSpec } from "./federation-seeds.ts";

federationSpec(1);
