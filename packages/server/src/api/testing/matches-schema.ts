import type { JsonSchema } from '../openapi.ts';

type Node = Record<string, unknown>;

/** What of a value does not fit a schema, as paths; the part of JSON Schema that our document uses, and no more. */
export function misfits(value: unknown, schema: JsonSchema, document: JsonSchema, path = '$'): string[] {
  const reference = schema['$ref'];
  if (typeof reference === 'string') return misfits(value, lookUp(document, reference), document, path);
  const options = schema['oneOf'] as JsonSchema[] | undefined;
  if (options !== undefined) {
    const results = options.map((option) => misfits(value, option, document, path));
    const fitting = results.filter((result) => result.length === 0).length;
    return fitting === 1 ? [] : [`${path}: fits ${fitting} of oneOf: ${results.flat().join('; ')}`];
  }
  return [...ofType(value, schema, path), ...ofParts(value, schema, document, path)];
}

function ofType(value: unknown, schema: JsonSchema, path: string): string[] {
  const type = schema['type'] as string | undefined;
  if (type === undefined) return [];
  const isRight =
    type === 'integer'
      ? Number.isSafeInteger(value)
      : type === 'array'
        ? Array.isArray(value)
        : type === 'object'
          ? typeof value === 'object' && value !== null && !Array.isArray(value)
          : typeof value === type;
  if (!isRight) return [`${path}: is no ${type}`];
  if (typeof value === 'number' && value < ((schema['minimum'] as number | undefined) ?? -Infinity))
    return [`${path}: too small`];
  return [];
}

function ofParts(value: unknown, schema: JsonSchema, document: JsonSchema, path: string): string[] {
  if (Array.isArray(value)) {
    const items = schema['items'] as JsonSchema | undefined;
    return items === undefined ? [] : value.flatMap((item, i) => misfits(item, items, document, `${path}[${i}]`));
  }
  if (typeof value !== 'object' || value === null || schema['type'] !== 'object') return [];
  const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
  const additional = schema['additionalProperties'] as boolean | JsonSchema | undefined;
  const found = ((schema['required'] ?? []) as string[])
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => `${path}.${name}: missing`);
  for (const [name, member] of Object.entries(value)) {
    const part = Object.hasOwn(properties, name) ? properties[name] : additional;
    if (part === false) found.push(`${path}.${name}: not in the document`);
    else if (typeof part === 'object') found.push(...misfits(member, part, document, `${path}.${name}`));
  }
  return found;
}

function lookUp(document: JsonSchema, reference: string): JsonSchema {
  let node: unknown = document;
  for (const name of reference.slice(2).split('/')) node = (node as Node)[name];
  return node as JsonSchema;
}

/** What a method answers with status 200. */
export function answerSchema(document: JsonSchema, method: string): JsonSchema {
  const paths = document['paths'] as Record<string, { post: { responses: Record<string, { content: Node }> } }>;
  const content = paths[`/api/${method}`]?.post.responses['200']?.content['application/json'];
  return (content as { schema: JsonSchema }).schema;
}
