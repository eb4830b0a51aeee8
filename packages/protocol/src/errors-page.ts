/** The reference page of codes, docs/spec/errors.md, from the catalogues. A script writes it; a test compares. */
import { disconnects, isReconnectCode, unsubscribes, type DisconnectKind } from './close-codes.ts';
import { rejections, type RejectionKind } from './errors.ts';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function byCode<T extends { readonly code: number }>(catalogue: Record<string, T>): T[] {
  return Object.values(catalogue).sort((a, b) => a.code - b.code);
}

function closeRows(catalogue: Record<string, DisconnectKind>, comesBack: (code: number) => boolean): string[][] {
  return byCode(catalogue).map((kind) => [
    String(kind.code),
    kind.reason,
    kind.meaning,
    comesBack(kind.code) ? 'yes' : 'no',
  ]);
}

/** The whole page as Markdown, ending with a line feed. Pure: the same catalogues give the same page. */
export function renderErrorsPage(): string {
  const rejectionRows = byCode<RejectionKind>(rejections).map((kind) => [
    String(kind.code),
    kind.name,
    kind.message,
    kind.remedy,
    kind.temporary ? 'yes' : 'no',
  ]);
  return `<!-- Generated from packages/protocol/src/errors.ts and close-codes.ts by "npm run docs". Do not edit. -->

# Codes

## Rejections

A rejection answers one command; the connection goes on. Codes 100–119 are those of the Centrifuge
protocol, 120–199 are Tutti's, 400–1999 belong to applications. A temporary one may succeed when the
same command is sent again; SDKs do so by themselves, with back-off.

${table(['Code', 'Name', 'Message', 'What to do', 'Temporary'], rejectionRows)}

## Disconnects

A disconnect ends the connection with this code and reason: in the WebSocket close frame, or as a
push where the transport has none. The range is the advice: after 3000–3499 and 4000–4499 clients
reconnect with back-off, after 3500–3999 and 4500–4999 they stop. 4000–4999 belong to applications.

${table(['Code', 'Reason', 'Meaning', 'Client reconnects'], closeRows(disconnects, isReconnectCode))}

## Unsubscribes

An unsubscribe ends one subscription; the connection goes on. From 2500 up clients subscribe again and
recover; below, they do not.

${table(
  ['Code', 'Reason', 'Meaning', 'Client resubscribes'],
  closeRows(unsubscribes, (code) => code >= 2500),
)}
`;
}
