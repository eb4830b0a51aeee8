import { createServer, type HookFunctions, type RpcHandler, type TuttiServer } from '@tutti/server';
import { nullLog, type Engine, type Log } from '@tutti/server/internal';
import {
  testFolder,
  testSettings,
  testTokens,
  webSocketUrl,
  type TestSettings,
  type TestTokens,
} from './test-settings.ts';

export interface StartNodeOptions extends TestSettings {
  readonly rpc?: Readonly<Record<string, RpcHandler>>;
  /** Folder of a built page. Absent: none is served. */
  readonly dashboard?: string;
  /** In place of a temporary folder. */
  readonly dataDir?: string;
  readonly log?: Log;
  readonly hooks?: HookFunctions;
  /** In place of the one that the settings name. */
  readonly engine?: Engine;
}

/** A node in this process, with a temporary data folder. */
export interface StartedNode extends TestTokens {
  readonly url: string;
  readonly wsUrl: string;
  readonly port: number;
  readonly server: TuttiServer;
  readonly dataDir: string;
  /** Idempotent; removes the data folder. */
  close(): Promise<void>;
}

/** Arranges a node as it is in production, but for the defaults of `testSettings`. */
export async function startNode(options: StartNodeOptions = {}): Promise<StartedNode> {
  const folder = await testFolder();
  const settings = testSettings(options, options.dataDir ?? folder.path);
  let server: TuttiServer;
  try {
    server = await createServer({
      settings,
      log: options.log ?? nullLog,
      dashboard: options.dashboard ?? false,
      ...(options.rpc === undefined ? {} : { rpc: options.rpc }),
      ...(options.engine === undefined ? {} : { engine: options.engine }),
      ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
    });
  } catch (error) {
    await folder.remove();
    throw error;
  }
  const { url } = server;
  return {
    ...testTokens(settings),
    url,
    wsUrl: webSocketUrl(url),
    port: Number(new URL(url).port),
    server,
    dataDir: settings.dataDir,
    close: async () => {
      await server.close();
      await folder.remove();
    },
  };
}
