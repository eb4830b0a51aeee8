/**
 * Golden frames: what messages look like on the wire, fixed for ever. A codec that writes or reads
 * them differently breaks SDKs in the field. New messages are added; old entries are never edited.
 */
import type { Command, Reply } from '../messages.ts';

export interface GoldenFrame<M> {
  readonly name: string;
  readonly message: M;
  readonly json: string;
  /** Hex, the length in front included. */
  readonly protobuf: string;
}

const encoder = new TextEncoder();
const payload = (json: string): Uint8Array => encoder.encode(json);

export const goldenCommands: readonly GoldenFrame<Command>[] = [
  {
    name: 'pong',
    message: {},
    json: '{}',
    protobuf: '00',
  },
  {
    name: 'connect, empty',
    message: { id: 1, connect: {} },
    json: '{"id":1,"connect":{}}',
    protobuf: '0408012200',
  },
  {
    name: 'connect, with all members',
    message: {
      id: 4_294_967_295,
      connect: {
        token: 'a.b.c',
        data: payload('{"a":[1,2.5e-3,null,true,"é\\u00e9\\n"]}'),
        subs: { 'chat:lobby': { recover: true, epoch: 'e1', offset: 9_007_199_254_740_991 }, 'news:': {} },
        name: 'js',
        version: '1.2.3',
        headers: { 'x-trace': 'π "quoted" \\ \n' },
      },
    },
    json: '{"id":4294967295,"connect":{"token":"a.b.c","data":{"a":[1,2.5e-3,null,true,"é\\u00e9\\n"]},"subs":{"chat:lobby":{"recover":true,"epoch":"e1","offset":9007199254740991},"news:":{}},"name":"js","version":"1.2.3","headers":{"x-trace":"π \\"quoted\\" \\\\ \\n"}}}',
    protobuf: '8a0108ffffffff0f2281010a05612e622e6312277b2261223a5b312c322e35652d332c6e756c6c2c747275652c22c3a95c75303065395c6e225d7d1a1d0a0a636861743a6c6f626279120f18013202653138ffffffffffffff0f1a090a056e6577733a120022026a732a05312e322e33321a0a07782d7472616365120fcf80202271756f74656422205c200a',
  },
  {
    name: 'subscribe, with all members',
    message: {
      id: 2,
      subscribe: {
        channel: 'chat:lobby',
        token: 't',
        recover: true,
        epoch: 'xyz',
        offset: 12,
        data: payload('[]'),
        positioned: true,
        recoverable: true,
        join_leave: true,
        delta: 'fossil',
        flag: 3,
        type: 1,
      },
    },
    json: '{"id":2,"subscribe":{"channel":"chat:lobby","token":"t","recover":true,"epoch":"xyz","offset":12,"data":[],"positioned":true,"recoverable":true,"join_leave":true,"delta":"fossil","flag":3,"type":1}}',
    protobuf: '3208022a2e0a0a636861743a6c6f6262791201741801320378797a380c42025b5d4801500158016206666f7373696c70037801',
  },
  {
    name: 'subscribe, with false and zero said out loud',
    message: { id: 2, subscribe: { channel: 'c', recover: false, epoch: '', offset: 0 } },
    json: '{"id":2,"subscribe":{"channel":"c","recover":false,"epoch":"","offset":0}}',
    protobuf: '0d08022a090a0163180032003800',
  },
  {
    name: 'subscribe, with a filter',
    message: { id: 2, subscribe: { channel: 'c', tf: {} } },
    json: '{"id":2,"subscribe":{"channel":"c","tf":{}}}',
    protobuf: '0908022a050a01636a00',
  },
  { name: 'unsubscribe', message: { id: 3, unsubscribe: { channel: 'chat:lobby' } }, json: '{"id":3,"unsubscribe":{"channel":"chat:lobby"}}', protobuf: '100803320c0a0a636861743a6c6f626279' },
  {
    name: 'publish',
    message: { id: 4, publish: { channel: 'chat:lobby', data: payload('{"text":"hello"}') } },
    json: '{"id":4,"publish":{"channel":"chat:lobby","data":{"text":"hello"}}}',
    protobuf: '2208043a1e0a0a636861743a6c6f62627912107b2274657874223a2268656c6c6f227d',
  },
  {
    name: 'publish, with all members',
    message: {
      id: 300,
      publish: {
        channel: 'doc:1',
        data: payload('"x"'),
        key: 'k',
        idempotency_key: '5f1c',
        expected_offset: 4_294_967_296,
        expected_epoch: 'e',
        final: true,
      },
    },
    json: '{"id":300,"publish":{"channel":"doc:1","data":"x","key":"k","idempotency_key":"5f1c","expected_offset":4294967296,"expected_epoch":"e","final":true}}',
    protobuf: '2908ac023a240a05646f633a31120322782222016baa060435663163b0068080808010ba060165c00601',
  },
  { name: 'presence', message: { id: 5, presence: { channel: 'c' } }, json: '{"id":5,"presence":{"channel":"c"}}', protobuf: '07080542030a0163' },
  { name: 'presence_stats', message: { id: 6, presence_stats: { channel: 'c' } }, json: '{"id":6,"presence_stats":{"channel":"c"}}', protobuf: '0708064a030a0163' },
  {
    name: 'history, newest first without a bound',
    message: { id: 7, history: { channel: 'c', limit: -1, since: { offset: 5, epoch: 'e' }, reverse: true } },
    json: '{"id":7,"history":{"channel":"c","limit":-1,"since":{"offset":5,"epoch":"e"},"reverse":true}}',
    protobuf: '1b080752170a016338ffffffffffffffffff01420508051201654801',
  },
  { name: 'ping', message: { id: 8, ping: {} }, json: '{"id":8,"ping":{}}', protobuf: '0408085a00' },
  { name: 'send', message: { send: { data: payload('1') } }, json: '{"send":{"data":1}}', protobuf: '0562030a0131' },
  { name: 'rpc', message: { id: 9, rpc: { data: payload('{}'), method: 'sum' } }, json: '{"id":9,"rpc":{"data":{},"method":"sum"}}', protobuf: '0d08096a090a027b7d120373756d' },
  { name: 'refresh', message: { id: 10, refresh: { token: 't' } }, json: '{"id":10,"refresh":{"token":"t"}}', protobuf: '07080a72030a0174' },
  { name: 'sub_refresh', message: { id: 11, sub_refresh: { channel: 'c', token: 't' } }, json: '{"id":11,"sub_refresh":{"channel":"c","token":"t"}}', protobuf: '0a080b7a060a0163120174' },
];

const publication = { data: payload('{"n":1}'), offset: 7 };

export const goldenReplies: readonly GoldenFrame<Reply>[] = [
  { name: 'ping', message: {}, json: '{}', protobuf: '00' },
  {
    name: 'error',
    message: { id: 2, error: { code: 109, message: 'token expired', temporary: true } },
    json: '{"id":2,"error":{"code":109,"message":"token expired","temporary":true}}',
    protobuf: '1708021213086d120d746f6b656e20657870697265641801',
  },
  {
    name: 'connect',
    message: {
      id: 1,
      connect: {
        client: '0192d5b4',
        version: '0.1.0',
        expires: true,
        ttl: 3600,
        data: payload('{"motd":"hi"}'),
        subs: {
          '#user': { recoverable: true, epoch: 'e', publications: [publication], recovered: true, offset: 6 },
        },
        ping: 25,
        pong: true,
        session: 's',
        node: 'n',
        time: 1_790_000_000_000,
      },
    },
    json: '{"id":1,"connect":{"client":"0192d5b4","version":"0.1.0","expires":true,"ttl":3600,"data":{"motd":"hi"},"subs":{"#user":{"recoverable":true,"epoch":"e","publications":[{"data":{"n":1},"offset":7}],"recovered":true,"offset":6}},"ping":25,"pong":true,"session":"s","node":"n","time":1790000000000}}',
    protobuf: '5b08012a570a0830313932643562341205302e312e30180120901c2a0d7b226d6f7464223a226869227d321f0a052375736572121618013201653a0b22077b226e223a317d300740014806381940014a017352016e5880d8c1a28c34',
  },
  {
    name: 'connect, with the bound of frames',
    message: { id: 1, connect: { client: 'c', frame_bytes_max: 65_536 } },
    json: '{"id":1,"connect":{"client":"c","frame_bytes_max":65536}}',
    protobuf: '0c08012a080a0163a806808004',
  },
  { name: 'subscribe, empty', message: { id: 2, subscribe: {} }, json: '{"id":2,"subscribe":{}}', protobuf: '0408023200' },
  {
    name: 'subscribe, recovered',
    message: {
      id: 2,
      subscribe: {
        expires: true,
        ttl: 60,
        recoverable: true,
        epoch: 'e',
        publications: [
          publication,
          {
            data: payload('"two"'),
            info: { user: '42', client: 'c1', conn_info: payload('{"name":"Ann"}'), chan_info: payload('{}') },
            offset: 8,
            tags: { lang: 'en' },
            delta: false,
            time: 1_790_000_000_000,
            channel: 'chat:lobby',
            key: 'k',
            epoch: 'e',
            skipped: 3,
            final: true,
          },
        ],
        recovered: true,
        offset: 6,
        positioned: true,
        data: payload('[0]'),
        was_recovering: true,
        delta: true,
        type: 1,
      },
    },
    json: '{"id":2,"subscribe":{"expires":true,"ttl":60,"recoverable":true,"epoch":"e","publications":[{"data":{"n":1},"offset":7},{"data":"two","info":{"user":"42","client":"c1","conn_info":{"name":"Ann"},"chan_info":{}},"offset":8,"tags":{"lang":"en"},"delta":false,"time":1790000000000,"channel":"chat:lobby","key":"k","epoch":"e","skipped":3,"final":true}],"recovered":true,"offset":6,"positioned":true,"data":[0],"was_recovering":true,"delta":true,"type":1}}',
    protobuf: '81010802327d0801103c18013201653a0b22077b226e223a317d30073a5422052274776f222a1c0a023432120263311a0e7b226e616d65223a22416e6e227d22027b7d30083a0a0a046c616e671202656e40004880d8c1a28c34520a636861743a6c6f6262795a016b720165a80603b006014001480650015a035b305d600168017801',
  },
  { name: 'unsubscribe', message: { id: 3, unsubscribe: {} }, json: '{"id":3,"unsubscribe":{}}', protobuf: '0408033a00' },
  { name: 'publish, empty', message: { id: 4, publish: {} }, json: '{"id":4,"publish":{}}', protobuf: '0408044200' },
  {
    name: 'publish, with position',
    message: { id: 4, publish: { offset: 9, epoch: 'e', duplicate: true } },
    json: '{"id":4,"publish":{"offset":9,"epoch":"e","duplicate":true}}',
    protobuf: '0e0804420aa80609b2060165b80601',
  },
  { name: 'presence, empty', message: { id: 5, presence: { presence: {} } }, json: '{"id":5,"presence":{"presence":{}}}', protobuf: '0408054a00' },
  {
    name: 'presence',
    message: { id: 5, presence: { presence: { c1: { user: '42', client: 'c1' }, c2: { user: '', client: 'c2' } } } },
    json: '{"id":5,"presence":{"presence":{"c1":{"user":"42","client":"c1"},"c2":{"user":"","client":"c2"}}}}',
    protobuf: '2008054a1c0a0e0a02633112080a023432120263310a0a0a026332120412026332',
  },
  {
    name: 'presence_stats',
    message: { id: 6, presence_stats: { num_clients: 3, num_users: 2 } },
    json: '{"id":6,"presence_stats":{"num_clients":3,"num_users":2}}',
    protobuf: '080806520408031002',
  },
  {
    name: 'history, empty',
    message: { id: 7, history: { publications: [], epoch: '', offset: 0 } },
    json: '{"id":7,"history":{"publications":[],"epoch":"","offset":0}}',
    protobuf: '0408075a00',
  },
  {
    name: 'history',
    message: { id: 7, history: { publications: [publication], epoch: 'e', offset: 7 } },
    json: '{"id":7,"history":{"publications":[{"data":{"n":1},"offset":7}],"epoch":"e","offset":7}}',
    protobuf: '1608075a120a0b22077b226e223a317d30071201651807',
  },
  { name: 'rpc, empty', message: { id: 9, rpc: {} }, json: '{"id":9,"rpc":{}}', protobuf: '0408096a00' },
  { name: 'rpc', message: { id: 9, rpc: { data: payload('{"sum":3}') } }, json: '{"id":9,"rpc":{"data":{"sum":3}}}', protobuf: '0f08096a0b0a097b2273756d223a337d' },
  {
    name: 'refresh',
    message: { id: 10, refresh: { client: '0192d5b4', version: '0.1.0', expires: true, ttl: 3600 } },
    json: '{"id":10,"refresh":{"client":"0192d5b4","version":"0.1.0","expires":true,"ttl":3600}}',
    protobuf: '1a080a72160a0830313932643562341205302e312e30180120901c',
  },
  { name: 'sub_refresh', message: { id: 11, sub_refresh: { expires: true, ttl: 60 } }, json: '{"id":11,"sub_refresh":{"expires":true,"ttl":60}}', protobuf: '08080b7a040801103c' },
  {
    name: 'push of a publication',
    message: { push: { channel: 'chat:lobby', pub: { data: payload('{"text":"hello"}'), offset: 1, epoch: 'e' } } },
    json: '{"push":{"channel":"chat:lobby","pub":{"data":{"text":"hello"},"offset":1,"epoch":"e"}}}',
    protobuf: '272225120a636861743a6c6f626279221722107b2274657874223a2268656c6c6f227d3001720165',
  },
  {
    name: 'push of a join',
    message: { push: { channel: 'c', join: { info: { user: '42', client: 'c1' } } } },
    json: '{"push":{"channel":"c","join":{"info":{"user":"42","client":"c1"}}}}',
    protobuf: '11220f1201632a0a0a080a02343212026331',
  },
  {
    name: 'push of a leave',
    message: { push: { channel: 'c', leave: { info: { user: '42', client: 'c1' } } } },
    json: '{"push":{"channel":"c","leave":{"info":{"user":"42","client":"c1"}}}}',
    protobuf: '11220f120163320a0a080a02343212026331',
  },
  {
    name: 'push of an unsubscribe',
    message: { push: { channel: 'c', unsubscribe: { code: 2500, reason: 'insufficient state' } } },
    json: '{"push":{"channel":"c","unsubscribe":{"code":2500,"reason":"insufficient state"}}}',
    protobuf: '1e221c1201633a1710c4131a12696e73756666696369656e74207374617465',
  },
  { name: 'push of a message', message: { push: { message: { data: payload('[1]') } } }, json: '{"push":{"message":{"data":[1]}}}', protobuf: '09220742050a035b315d' },
  {
    name: 'push of a subscribe',
    message: {
      push: {
        channel: '#user',
        subscribe: { recoverable: true, epoch: 'e', offset: 4, positioned: true, data: payload('0') },
      },
    },
    json: '{"push":{"channel":"#user","subscribe":{"recoverable":true,"epoch":"e","offset":4,"positioned":true,"data":0}}}',
    protobuf: '172215120523757365724a0c0801220165280430013a0130',
  },
  {
    name: 'push of a disconnect',
    message: { push: { disconnect: { code: 3001, reason: 'shutdown', reconnect: true } } },
    json: '{"push":{"disconnect":{"code":3001,"reason":"shutdown","reconnect":true}}}',
    protobuf: '1322115a0f08b917120873687574646f776e1801',
  },
  { name: 'push of a refresh', message: { push: { refresh: { expires: true, ttl: 60 } } }, json: '{"push":{"refresh":{"expires":true,"ttl":60}}}', protobuf: '08220662040801103c' },
];
