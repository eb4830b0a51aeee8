/** A message of another node that is not what its topic carries. It is dropped and counted. */
export class BadMessage extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BadMessage';
  }
}

/**
 * The fields of an object that came over the bus, each checked as it is read (S25). Fields nobody asks for are
 * ignored: a newer node may say more. All throw `BadMessage`.
 */
export class MessageFields {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadMessage('is no object');
    this.#fields = value as Record<string, unknown>;
  }

  has(name: string): boolean {
    return this.#own(name) !== undefined;
  }

  text(name: string): string {
    const value = this.#own(name);
    if (typeof value !== 'string') throw new BadMessage(`${name} is no text`);
    return value;
  }

  /** A whole number, at least 0, that JSON carries without loss. */
  count(name: string): number {
    const value = this.#own(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      throw new BadMessage(`${name} is no count`);
    return value;
  }

  number(name: string): number {
    const value = this.#own(name);
    if (typeof value !== 'number' || !Number.isFinite(value)) throw new BadMessage(`${name} is no number`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#own(name);
    if (typeof value !== 'boolean') throw new BadMessage(`${name} is neither true nor false`);
    return value;
  }

  /** Written as base64. */
  bytes(name: string): Uint8Array {
    return Buffer.from(this.text(name), 'base64');
  }

  /** As it came: for who reads it next. */
  value(name: string): unknown {
    return this.#own(name);
  }

  fields(name: string): MessageFields {
    return new MessageFields(this.#own(name));
  }

  list<Item>(name: string, read: (value: unknown) => Item): readonly Item[] {
    const value = this.#own(name);
    if (!Array.isArray(value)) throw new BadMessage(`${name} is no list`);
    return value.map(read);
  }

  /** Undefined where the field is absent. */
  optional<Value>(name: string, read: (fields: this) => Value): Value | undefined {
    return this.has(name) ? read(this) : undefined;
  }

  #own(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
  }
}

/** For lists of texts. Throws `BadMessage`. */
export function textItem(value: unknown): string {
  if (typeof value !== 'string') throw new BadMessage('an item is no text');
  return value;
}

/** How bytes stand in a message. */
export function bytesText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
