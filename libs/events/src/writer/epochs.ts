/** What keeps the epochs of one log apart beyond what its writer remembers. Pure. */
import type { Genesis } from "../genesis.ts";

/** A mere word about a log's epochs counts up to here above what is certain: nobody makes so many. */
export const EPOCH_LEAP_MAX = 1_000_000;

/**
 * Seconds since genesis; no new epoch is below. A disk that was lost, a bus that was wiped and peers that were away know
 * nothing of epochs that somebody once heard of; a clock that goes forward keeps them apart all the same.
 */
export const epochFloor = ({ createdMs }: Pick<Genesis, "createdMs">, nowMs: number): number =>
  Math.max(0, Math.floor((nowMs - createdMs) / 1000));
