import { connect, type Socket } from 'node:net';
import { connectionToken } from '@tutti/bench/load/token';
import { HostileWebSocket, opcodes, rawFrame, upgradeRequest, type RawFrame } from '@tutti/testkit/hostile-websocket';
import { testTokenSecret } from '@tutti/testkit/test-settings';

/** Where to attack, and what of the node's settings decides how long it takes. */
export interface Target {
  readonly port: number;
  /** Ping interval and pong time-out together, milliseconds. */
  readonly silenceMs: number;
}

/** Resolves to how the node ended it, or `notEnded`. */
export type Attack = (target: Target) => Promise<string>;

export const notEnded = 'not ended';
const cut = 'cut';
const endMsMax = 15_000;
/** A peer that does not follow the closing handshake is terminated after 5 s. */
const closeMsMax = 5_000;

/** By name: what is done, and the limits that may end it, as `how` has them. */
export const attacks: Readonly<Record<string, { readonly attack: Attack; readonly limits: readonly string[] }>> = {
  // Handshakes.
  'a socket that says nothing': { attack: (target) => rawUntilEnd(target, () => undefined), limits: ['HTTP 408'] },
  'headers, a byte at a time': { attack: slowHeaders, limits: ['HTTP 408'] },
  'headers of 16 KiB': {
    attack: (target) => rawUntilEnd(target, (socket) => socket.write(withHeaders({ 'X-Large': 'x'.repeat(16_384) }))),
    limits: ['HTTP 431'],
  },
  'no connect after the handshake': {
    attack: (target) => peerUntilEnd(target, { authenticates: false }),
    limits: ['close 3502'],
  },
  // Frames.
  // Cut: the end of the connection may overtake the Close frame.
  'a flood of pings': {
    attack: floodOf({ opcode: opcodes.ping, payload: 'x'.repeat(125) }),
    limits: ['close 3013', cut],
  },
  'a flood of pings, answers unread': {
    attack: floodOf({ opcode: opcodes.ping, payload: 'x'.repeat(125) }, 'unread'),
    limits: [cut, 'close 3013'],
  },
  'a flood of pongs': {
    attack: floodOf({ opcode: opcodes.pong, payload: 'x'.repeat(4) }),
    limits: ['close 3013', cut],
  },
  'a message in fragments of a byte': {
    attack: floodOf({ opcode: opcodes.continuation, payload: 'x', fin: false }, 'read', {
      opcode: opcodes.text,
      payload: '{',
      fin: false,
    }),
    limits: ['close 1008', cut],
  },
  'a message that is not finished': {
    attack: (target) => peerUntilEnd(target, { frame: { opcode: opcodes.text, payload: '{"id":', fin: false } }),
    // Whichever comes first: it does not answer pings either.
    limits: ['close 3502', 'close 3012'],
  },
  'a frame of 1 GiB, announced': {
    attack: (target) => peerUntilEnd(target, { frame: { opcode: opcodes.text, announcedLength: 2 ** 30 } }),
    limits: ['close 1009'],
  },
  // Commands.
  // Held to commandRateMax; its answer to a ping comes too late then, behind its own flood.
  'a flood of tiny commands': { attack: floodOf(tinyCommands()), limits: ['close 3012'] },
  'a flood of pongs of the protocol': { attack: floodOf(text(lines('{}', 50))), limits: ['close 3501', cut] },
  'a flood of commands, answers unread': {
    attack: floodOf(historyCommands(), 'unread'),
    limits: [cut, 'close 3008', 'close 3012'],
  },
  // Readers.
  'never reads a busy channel': { attack: neverReads('live:busy'), limits: [cut] },
  'never reads a busy channel with history': { attack: neverReads('log:busy'), limits: [cut] },
};

function text(payload: string): RawFrame {
  return { opcode: opcodes.text, payload };
}

function lines(line: string, count: number): string {
  return Array.from({ length: count }, () => line).join('\n');
}

/** As many as a frame may hold. */
function tinyCommands(): RawFrame {
  return text(lines('{"id":9,"presence_stats":{"channel":"live:x"}}', 60));
}

function historyCommands(): RawFrame {
  return text(lines('{"id":9,"history":{"channel":"log:busy","limit":10}}', 60));
}

function withHeaders(headers: Record<string, string>): string {
  return upgradeRequest({ headers });
}

/** A plain socket, until the node ends it. */
function rawUntilEnd({ port }: Target, act: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1');
    const timer = setTimeout(() => end(notEnded), endMsMax);
    const end = (how: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(how);
    };
    socket.on('connect', () => act(socket));
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1];
      end(status === undefined ? cut : `HTTP ${status}`);
    });
  });
}

function slowHeaders(target: Target): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const request = upgradeRequest();
  return rawUntilEnd(target, (socket) => {
    let at = 0;
    timer = setInterval(() => {
      if (socket.writable) socket.write(request.slice(at, (at += 1)));
    }, 100);
  }).finally(() => clearInterval(timer));
}

/** Upgraded, and authenticated unless said. Undefined: refused with 503, as in any crowd. */
async function open({ port }: Target, authenticates = true): Promise<HostileWebSocket | string> {
  let peer: HostileWebSocket;
  try {
    peer = await HostileWebSocket.open(port);
  } catch (error) {
    const status = /HTTP\/1\.1 (\d{3})/.exec(String(error))?.[1];
    return status === '503' ? 'refused' : `not upgraded: ${String(error).slice(0, 80)}`;
  }
  peer.answersPings = true;
  if (!authenticates) return peer;
  const token = connectionToken('mallory', testTokenSecret);
  peer.send(text(JSON.stringify({ id: 1, connect: { token } })));
  await peer.next();
  return peer;
}

async function peerUntilEnd(
  target: Target,
  { frame, authenticates = true }: { frame?: RawFrame; authenticates?: boolean },
): Promise<string> {
  const peer = await open(target, authenticates);
  if (typeof peer === 'string') return peer;
  if (frame !== undefined) peer.send(frame);
  return howItEnds(peer, endMsMax);
}

/** Reads on to the end, and says how it came. */
async function howItEnds(peer: HostileWebSocket, withinMs: number): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(notEnded), withinMs);
  });
  const ended = peer.closeFrame().then((close) => (close === undefined ? cut : `close ${close.code}`));
  const how = await Promise.race([ended, late]);
  clearTimeout(timer);
  peer.destroy();
  return how;
}

/** Writes the frame as fast as the node takes it. `unread`: without reading a byte. */
function floodOf(frame: RawFrame, reading: 'read' | 'unread' = 'read', first?: RawFrame): Attack {
  return async (target) => {
    const peer = await open(target);
    if (typeof peer === 'string') return peer;
    if (first !== undefined) peer.send(first);
    if (reading === 'unread') peer.pause();
    const bytes = rawFrame(frame);
    const chunk = Buffer.concat(Array.from({ length: Math.max(1, Math.floor(32_768 / bytes.length)) }, () => bytes));
    const { socket } = peer;
    const pump = (): void => {
      if (socket.writable && socket.write(chunk)) setImmediate(pump);
    };
    socket.on('drain', pump);
    pump();
    return howItEnds(peer, endMsMax);
  };
}

/** Takes nothing from its socket, and looks only once the node must have ended it. */
function neverReads(channel: string): Attack {
  return async (target) => {
    const peer = await open(target);
    if (typeof peer === 'string') return peer;
    peer.answersPings = false;
    peer.send(text(JSON.stringify({ id: 2, subscribe: { channel } })));
    await peer.next();
    peer.pause();
    await new Promise((resolve) => setTimeout(resolve, target.silenceMs + closeMsMax + 2_000));
    peer.resume();
    const how = await howItEnds(peer, 2_000);
    return how.startsWith('close') ? cut : how;
  };
}
