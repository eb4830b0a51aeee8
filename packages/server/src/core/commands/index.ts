import type { CommandTable } from '../session.ts';
import { connect } from './connect.ts';
import { history } from './history.ts';
import { presence, presenceStats } from './presence.ts';
import { publish } from './publish.ts';
import { refresh, subRefresh } from './refresh.ts';
import { rpc, send } from './rpc.ts';
import { subscribe } from './subscribe.ts';
import { unsubscribe } from './unsubscribe.ts';

export const commands: CommandTable = {
  connect,
  subscribe,
  unsubscribe,
  publish,
  presence,
  presence_stats: presenceStats,
  history,
  rpc,
  send,
  refresh,
  sub_refresh: subRefresh,
};
