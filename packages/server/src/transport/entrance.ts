import type { IncomingMessage } from 'node:http';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { Places, type NoPlace, type PlaceBounds } from './places.ts';
import { RemoteAddresses } from './remote-addresses.ts';
import type { AddressPace, Admission, UpgradeRefusal } from './transport.ts';

export interface EntranceOptions extends PlaceBounds {
  /** Addresses or networks (`10.0.0.0/8`) whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
}

export interface EntranceSeams {
  readonly telemetry: Telemetry;
  /** Without it everybody is admitted. */
  readonly admission?: Admission;
  /** Without it an address may come as often as it likes. */
  readonly pace?: AddressPace;
  /** Shared with the other transports of the node; without it the bounds of the options hold here alone. */
  readonly places?: Places;
}

const everybody: Admission = { admit: () => undefined, giveBack: () => undefined };
/** Of bounds that do not say when they are free again. Clients add their own jitter (CON-4). */
const retryAfterMs = 1_000;

/** Who may open a connection now, whatever its transport; asked before anything of a request but its address is looked at. */
export class Entrance {
  readonly addresses: RemoteAddresses;
  readonly places: Places;
  readonly #telemetry: Telemetry;
  readonly #admission: Admission;
  readonly #pace: AddressPace | undefined;
  readonly #headers: Readonly<Record<string, string>>;

  /** `headers`: of each refusal, besides when to come back. */
  constructor(options: EntranceOptions, seams: EntranceSeams, headers: Readonly<Record<string, string>> = {}) {
    this.addresses = new RemoteAddresses(options.trustedProxies);
    this.places = seams.places ?? new Places(options);
    this.#telemetry = seams.telemetry;
    this.#admission = seams.admission ?? everybody;
    this.#pace = seams.pace;
    this.#headers = headers;
  }

  /** To be asked first, because nothing costs less (CON-2). Undefined: it may go on, and counts as one until `giveBack`. */
  admit(): UpgradeRefusal | undefined {
    const refused = this.#admission.admit();
    if (refused === undefined) return undefined;
    return this.busy(refused.reason, 'the node takes no connection now', refused.retryAfterMs);
  }

  /** The connection just admitted came to nothing: it was malformed, or not allowed. */
  giveBack(): void {
    this.#admission.giveBack();
  }

  /** Whose request it is; or why there is nothing for that address now. Takes no place yet. */
  addressOf(request: IncomingMessage): string | UpgradeRefusal {
    const address = this.addresses.of(request);
    const often = this.#pace?.admit(address);
    if (often !== undefined) return this.busy(often.reason, often.message, often.retryAfterMs, 429);
    const full = this.places.full(address);
    return full === undefined ? address : this.full(full);
  }

  draining(): UpgradeRefusal {
    return this.busy('draining', 'the node is stopping');
  }

  full(reason: NoPlace): UpgradeRefusal {
    return this.busy(reason, Places.message(reason));
  }

  busy(reason: string, message: string, returnMs: number = retryAfterMs, status = 503): UpgradeRefusal {
    this.count(reason);
    return { status, message, headers: { 'Retry-After': String(Math.ceil(returnMs / 1_000)), ...this.#headers } };
  }

  /** A request is refused. */
  count(reason: string): void {
    this.#telemetry.count('handshakes_refused', 1, reason);
  }
}
