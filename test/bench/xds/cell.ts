/** One server under test with its clients: a cell of the table. */
import { fileURLToPath } from "node:url";
import type { Argv } from "../../../deploy/tools/child.ts";
import type { TlsArguments } from "./certificates.ts";
import type { GoPrograms } from "./go-programs.ts";
import { CLIENT_CORE, Program, SERVER_CORE } from "./program.ts";

export type ServerKind = "hansa" | "linear" | "snapshot";

export interface CellOptions {
  readonly kind: ServerKind;
  readonly names: number;
  readonly endpoints: number;
  readonly streams: number;
  readonly tls: TlsArguments;
}

/** Answer of the load generator to `rounds`. */
export interface Rounds {
  readonly rounds: number;
  readonly pushes: number;
  /** The server's, user and system, ACK included. */
  readonly cpuUsPerPush: number;
  readonly bytesPerPush: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Answer of the load generator to `connect` and `reconnect`. */
export interface Connected {
  readonly warmStreams: number;
  /** To streams that had named the versions of everything. */
  readonly resourcesSent: number;
  readonly removed: number;
  readonly cpuUsPerWarm: number;
}

const hansaServer = fileURLToPath(new URL("hansa-server.ts", import.meta.url));

export class Cell {
  readonly options: CellOptions;
  private readonly server: Program;
  private readonly load: Program;

  private constructor(options: CellOptions, server: Program, load: Program) {
    this.options = options;
    this.server = server;
    this.load = load;
  }

  /** A server with all its streams connected. */
  static async start(options: CellOptions, programs: GoPrograms): Promise<Cell> {
    const { names, streams, tls } = options;
    const server = new Program(serverArgv(options, programs), SERVER_CORE);
    let load: Program | undefined;
    try {
      const { address, control } = (await server.answer()) as { address: string; control: string };
      const to = ["--target", address, "--control", control];
      const counts = ["--streams", `${streams}`, "--names", `${names}`];
      load = new Program([programs.load, ...to, ...counts, ...tls.client], CLIENT_CORE);
      const cell = new Cell(options, server, load);
      await cell.ask("connect");
      return cell;
    } catch (error) {
      await Promise.all([load?.end(), server.end()]);
      throw error;
    }
  }

  /** Rounds of one change for `forMs`, at least `min` of them. */
  async rounds(forMs: number, min: number): Promise<Rounds> {
    return (await this.ask(`rounds ${forMs} ${min}`)) as Rounds;
  }

  async reconnect(): Promise<Connected> {
    return (await this.ask("reconnect")) as Connected;
  }

  async end(): Promise<void> {
    await this.load.end();
    await this.server.end();
  }

  private async ask(command: string): Promise<unknown> {
    this.load.tell(command);
    return await this.load.answer();
  }
}

function serverArgv({ kind, names, endpoints, tls }: CellOptions, { peer }: GoPrograms): Argv {
  const args = ["--names", `${names}`, "--endpoints", `${endpoints}`, ...tls.server];
  if (kind === "hansa") return [process.execPath, hansaServer, ...args];
  return [peer, "--cache", kind, ...args];
}
