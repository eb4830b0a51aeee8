import { BadMessage, bytesText, MessageFields } from '../../cluster/message-fields.ts';
import type { Peers } from '../../cluster/peers.ts';
import type { EmulationRequest } from './emulation-request.ts';

const topic = 'emulation';
/** A frame that is handed on: with what base64 and envelope add it is well within a control message. */
export const relayedFrameBytesMax = 128 * 1024;
/** Longer than a peer is ever held back for one frame. */
const answerWithinMs = 10_000;
/** Frames handed on that are not answered yet; half of the questions that a node may have open, so that no stranger takes all. */
export const relaysMax = 500;
/** More than a client has to answer at once. */
const answersBytesMax = 64;

/**
 * Hands requests on to the node that has their session, so that a load balancer may send them anywhere.
 * The session's id goes with them and is as much a secret there as here (S24).
 */
export class EmulationRelay {
  readonly #peers: Peers;
  #underWay = 0;

  /** `take`: acts on a frame for a session of this node, and resolves when its peer may send the next. */
  constructor(peers: Peers, take: (asked: EmulationRequest) => Promise<void>) {
    this.#peers = peers;
    peers.answer(topic, readRelayed, async (asked) => {
      await take(asked);
      return {};
    });
    peers.hear(topic, readRelayed, (_from, asked) => {
      void take(asked);
    });
  }

  /**
   * `gone`: there is no such node, or it did not answer. `busy`: too many wait, and this one was not sent. Frames of one
   * session arrive in the order of these calls.
   */
  async relay(asked: EmulationRequest): Promise<'taken' | 'gone' | 'busy'> {
    const { node, session, data, codec } = asked;
    const question = { node, session, codec, data: bytesText(data) };
    if (this.#underWay >= relaysMax) return answersPings(asked) ? this.#tell(node, question) : 'busy';
    const options = { only: node, withinMs: answerWithinMs };
    this.#underWay += 1;
    try {
      const { answers } = await this.#peers.survey(topic, question, () => undefined, options);
      return answers.length > 0 ? 'taken' : 'gone';
    } finally {
      this.#underWay -= 1;
    }
  }

  #tell(node: string, frame: object): 'taken' | 'gone' {
    const there = this.#peers.others.filter(({ name }) => name === node);
    for (const peer of there) this.#peers.tellOne(peer, topic, frame);
    return there.length > 0 ? 'taken' : 'gone';
  }
}

/**
 * Thousands of streams that were sent much at once answer at once, and one that is refused would end: their
 * answers wait for none. It is the only kind of frame that may overtake others.
 */
function answersPings({ data, codec }: EmulationRequest): boolean {
  if (data.length === 0 || data.length > answersBytesMax) return false;
  return codec === 'json' ? /^\{\}(\n\{\})*\n?$/.test(Buffer.from(data).toString()) : data.every((byte) => byte === 0);
}

function readRelayed(value: unknown): EmulationRequest {
  const fields = new MessageFields(value);
  const codec = fields.text('codec');
  if (codec !== 'json' && codec !== 'protobuf') throw new BadMessage('codec is unknown');
  return { node: fields.text('node'), session: fields.text('session'), data: fields.bytes('data'), codec };
}
