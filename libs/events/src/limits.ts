/** Limits of the log. A record, event or value beyond one of them is poison to a reader and refused by a writer. */

export const EVENTS_PER_RECORD_MAX = 100;
/** Size of a body. The bus allows 256 KiB with headers. */
export const RECORD_BYTES_MAX = 131_072;
/** One encoded event; half a record, so that a full value never blocks its neighbours. */
export const EVENT_BYTES_MAX = 65_536;
export const KEY_LENGTH_MAX = 512;
/** Nesting of `data`, so that no reader recurses without bound. */
export const DEPTH_MAX = 16;
/** Epochs and sequences stay far inside safe integers, so that "1 + the highest" is always a number. */
export const POSITION_MAX = 2 ** 48;
export const HEARTBEAT_BYTES_MAX = 262_144;
/** Of one list, as it is read. */
export const HEADS_PER_BEAT_MAX = 2048;
/** Of one list, as it is written: two full ones and all evidence stay below HEARTBEAT_BYTES_MAX. */
export const HEADS_TOLD_MAX = 400;
/** About 450 bytes each. */
export const EVIDENCE_PER_BEAT_MAX = 8;
export const OPERATORS_MAX = 16;
/** Earlier commands that an `operators` order can keep in force. */
export const KEPT_COMMANDS_MAX = 500;
/** KEP-5939: entries of `clusterSelectors`. */
export const CLUSTER_SELECTORS_MAX = 16;
export const REQUIREMENTS_PER_SELECTOR_MAX = 16;
export const VALUES_PER_REQUIREMENT_MAX = 64;
/** Exported labels, and exported annotations, of one export. */
export const EXPORTED_METADATA_MAX = 64;
/** All exported labels and annotations of one export together, keys and values. */
export const EXPORTED_METADATA_CHARS_MAX = 16_384;
export const SERVICE_PORTS_MAX = 100;
export const SERVICE_ACCOUNTS_MAX = 64;
