/** The contract on the simulator's archive. */
import { archiveContract } from "../contract/archive.contract.ts";
import { ArchiveServer, MemoryArchive } from "./archive/memory-archive.ts";

archiveContract("simulator", async () => {
  let nowMs = 1000;
  const server = new ArchiveServer(() => nowMs);
  return {
    open: () => new MemoryArchive(server),
    pass: async (ms) => {
      nowMs += ms;
    },
    close: async () => {},
  };
});
