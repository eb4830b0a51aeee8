import { basename } from 'node:path';
import ts from 'typescript';

/** Sizes at which a file or function wants a reason (CONTRIBUTING.md, "Sizes"). */
export const sizes = { functionLinesMax: 70, fileLinesMax: 400 } as const;

/** The words by which a reason is given, in a comment in front of the function or at the head of the file. */
const excuse = 'long on purpose:';

const vagueName = /(^|-)(utils?|helpers?|common|manager|misc)([-.]|$)/;
const sourceName = /^[a-z0-9]+(-[a-z0-9]+)*([.][a-z0-9]+)*[.]tsx?$/;
/** What a home folder looks like on the systems people use. */
const homeFolder = /(^|[\s"'`(=:])(\/root\/|\/home\/[a-z][\w-]*\/|\/Users\/[A-Z]?[\w-]+\/|[A-Z]:\\Users\\)/;
/** Calls whose callback is a test or a group of them: it is counted for itself. */
const testCalls = new Set(['test', 'it', 'describe', 'suite', 'before', 'after', 'beforeEach', 'afterEach']);

/** What is wrong with one file, each as `:line: text`. */
export function findings(file: string, text: string, machinePaths: readonly string[] = []): string[] {
  return [...nameFindings(file), ...pathFindings(text, machinePaths), ...sizeFindings(file, text)];
}

function nameFindings(file: string): string[] {
  const name = basename(file);
  if (!/[.]tsx?$/.test(name)) return [];
  if (vagueName.test(name)) return [': a name that fits anything: name the file after the one noun it holds'];
  if (!sourceName.test(name)) return [': file names are kebab-case, after their main export'];
  return [];
}

function pathFindings(text: string, machinePaths: readonly string[]): string[] {
  const found: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (homeFolder.test(line) || machinePaths.some((path) => line.includes(`${path}/`))) {
      found.push(`:${index + 1}: a path of one machine: take it relative to the repository, or from tmpdir()`);
    }
  }
  return found;
}

function sizeFindings(file: string, text: string): string[] {
  if (!/[.]tsx?$/.test(file)) return [];
  const found: string[] = [];
  const lines = text.split('\n');
  if (lines.length > sizes.fileLinesMax && !lines.slice(0, 30).some((line) => line.includes(excuse))) {
    found.push(`: ${lines.length} lines: two nouns? Split it, or say "// ${excuse} why" at its head`);
  }
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const length = ownLines(node, source);
      if (length > sizes.functionLinesMax && !isExcused(node, source)) {
        const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
        found.push(
          `:${line}: a function of ${length} lines: push its loops into leaves, or say "// ${excuse} why" before it`,
        );
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Lines of a function without those of the tests it holds: a conformance suite is a list, not a flow. */
function ownLines(node: ts.Node, source: ts.SourceFile): number {
  let lines = span(node, source);
  const subtract = (inner: ts.Node): void => {
    if (ts.isCallExpression(inner) && testCalls.has(calleeName(inner))) lines -= span(inner, source);
    else ts.forEachChild(inner, subtract);
  };
  ts.forEachChild(node, subtract);
  return lines;
}

function calleeName(call: ts.CallExpression): string {
  const callee = call.expression;
  const name = ts.isPropertyAccessExpression(callee) ? callee.expression : callee;
  return ts.isIdentifier(name) ? name.text : '';
}

function span(node: ts.Node, source: ts.SourceFile): number {
  const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
  return source.getLineAndCharacterOfPosition(node.end).line - first + 1;
}

/** The reason stands in a comment before the statement the function belongs to, or on its first lines. */
function isExcused(node: ts.Node, source: ts.SourceFile): boolean {
  let statement: ts.Node = node;
  while (!ts.isStatement(statement) && !ts.isClassElement(statement) && !ts.isSourceFile(statement.parent)) {
    statement = statement.parent;
  }
  const head = node.getStart(source) + 400;
  return source.text.slice(statement.getFullStart(), Math.min(head, node.end)).includes(excuse);
}
