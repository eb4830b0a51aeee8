import { createServer, type RpcHandler, type TuttiServer } from '@tutti/server';
import { nullLog } from '@tutti/server/internal';
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
  const settings = testSettings(options, folder.path);
  let server: TuttiServer;
  try {
    server = await createServer({
      settings,
      log: nullLog,
      dashboard: false,
      ...(options.rpc === undefined ? {} : { rpc: options.rpc }),
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
    dataDir: folder.path,
    close: async () => {
      await server.close();
      await folder.remove();
    },
  };
}
