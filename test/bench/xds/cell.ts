/** One server under test with its clients: a cell of the table. */
import { fileURLToPath } from "node:url";
import type { Argv } from "../../../deploy/tools/child.ts";
import type { TlsArguments } from "./certificates.ts";
import type { GoPrograms } from "./go-programs.ts";
import { CLIENT_CORE, Program, SERVER_CORE } from "./program.ts";

export type ServerKind = "hansa" | "linear" | "snapshot";

export interface ServerOptions {
  /** Load assignments. */
  readonly names: number;
  /** Of each. */
  readonly endpoints: number;
  readonly tls: TlsArguments;
}

export interface CellOptions extends ServerOptions {
  readonly kind: ServerKind;
  readonly streams: number;
}

export interface RunningServer {
  readonly program: Program;
  readonly address: string;
  /** URL of its control API. */
  readonly control: string;
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
  private readonly server: RunningServer;
  private readonly load: Program;

  private constructor(options: CellOptions, server: RunningServer, load: Program) {
    this.options = options;
    this.server = server;
    this.load = load;
  }

  /** A server with all its streams connected. */
  static async start(options: CellOptions, programs: GoPrograms): Promise<Cell> {
    const { kind, names, streams, tls } = options;
    const server =
      kind === "hansa" ? await startHansa(options) : await startPeer(programs.peer, kind, options);
    const to = ["--target", server.address, "--control", server.control];
    const counts = ["--streams", `${streams}`, "--names", `${names}`];
    const load = new Program([programs.load, ...to, ...counts, ...tls.client], CLIENT_CORE);
    const cell = new Cell(options, server, load);
    try {
      await cell.ask("connect");
      return cell;
    } catch (error) {
      await cell.end();
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
    await this.server.program.end();
  }

  private async ask(command: string): Promise<unknown> {
    this.load.tell(command);
    return await this.load.answer();
  }
}

export const startHansa = (options: ServerOptions): Promise<RunningServer> =>
  startServer([process.execPath, hansaServer, ...serverArguments(options)]);

const startPeer = (peer: string, cache: string, options: ServerOptions): Promise<RunningServer> =>
  startServer([peer, "--cache", cache, ...serverArguments(options)]);

const serverArguments = ({ names, endpoints, tls }: ServerOptions): string[] => [
  ...["--names", `${names}`, "--endpoints", `${endpoints}`],
  ...tls.server,
];

async function startServer(argv: Argv): Promise<RunningServer> {
  const program = new Program(argv, SERVER_CORE);
  try {
    return { program, ...((await program.answer()) as { address: string; control: string }) };
  } catch (error) {
    await program.end();
    throw error;
  }
}
