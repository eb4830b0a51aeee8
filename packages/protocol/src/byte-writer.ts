/** Scratch space that stays allocated between messages; one larger message is given its own. */
const scratchBytesMax = 1 << 18;

const encoder = new TextEncoder();

/**
 * Bytes being put together. One writer serves a codec for all messages in turn, so that a message
 * costs one allocation, of its exact size. `position` and `bytes` are open to the codecs of this
 * package, which patch lengths in place; `bytes` changes when room is made.
 */
export class ByteWriter {
  bytes = new Uint8Array(4096);
  position = 0;

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.position + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.position));
    this.bytes = grown;
  }

  raw(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.position);
    this.position += source.length;
  }

  /** Text as UTF-8; a lone surrogate becomes U+FFFD. */
  utf8(text: string): void {
    // A UTF-16 unit takes at most three bytes.
    this.reserve(text.length * 3);
    this.position += encoder.encodeInto(text, this.bytes.subarray(this.position)).written;
  }

  /** What was written, as a copy, and an empty writer again. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.position);
    this.reset();
    return taken;
  }

  /** Also called before each message, in case the last one failed half-way. */
  reset(): void {
    this.position = 0;
    if (this.bytes.length > scratchBytesMax) this.bytes = new Uint8Array(4096);
  }
}
