/** Safe on checked JSON: a string cannot hold these bytes, so all of them are white space. */
export function breaksToSpaces(json: Uint8Array): void {
  for (let pos = 0; pos < json.length; pos++) {
    const byte = json[pos];
    if (byte === 0x0a || byte === 0x0d) json[pos] = 0x20;
  }
}
