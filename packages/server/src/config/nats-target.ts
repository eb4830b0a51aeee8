/** Servers of one NATS, any of which leads to all: `nats://host:4222,nats://other:4222`; `tls://` for TLS. */
export function isNatsUrl(engine: string): boolean {
  return /^(nats|tls):/.test(engine);
}

/** The list, or what is wrong with it. It may hold a password, and is not repeated. */
export function parseNatsUrls(engine: string): readonly URL[] | string {
  const texts = engine.split(',').map((text) => text.trim());
  const urls = texts.filter((text) => URL.canParse(text)).map((text) => new URL(text));
  const isWhole = ({ protocol, hostname }: URL): boolean => isNatsUrl(protocol) && hostname !== '';
  if (urls.length === texts.length && urls.every(isWhole)) return urls;
  return 'must name the servers of a NATS, each as nats://host:4222 (tls:// for TLS), with commas between them';
}
