import { errorFields } from './api-error.ts';
import { batchSummary } from './batch.ts';
import { apiBounds } from './contract.ts';
import type { FieldSpec, FieldTable } from './fields.ts';
import type { ApiMethod } from './method.ts';
import { methods } from './methods/index.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** The API as an OpenAPI 3.1 document, from the very tables that requests are read by. */
export function openApiDocument(version: string): JsonSchema {
  const paths = Object.fromEntries([...methods.values()].map((method) => [`/api/${method.name}`, pathOf(method)]));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tutti server API',
      version,
      description:
        'For backends: publish, decide who is subscribed, and see who is there. What a method refuses is answered with status 200 and an error.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ apiKey: [] }, { authorization: [] }],
    paths: { ...paths, '/api/batch': batchPath() },
    components: {
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        authorization: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: 'The word `apikey`, a space, and the key.',
        },
      },
      schemas: { Error: objectSchema(errorFields, true) },
      responses: { Refused: { description: 'Refused before a method was asked.', ...json(errorAnswer) } },
    },
  };
}

const errorAnswer: JsonSchema = {
  type: 'object',
  properties: { error: { $ref: '#/components/schemas/Error' } },
  required: ['error'],
  additionalProperties: false,
};

function pathOf({ name, summary, params, result }: ApiMethod): JsonSchema {
  const success = {
    type: 'object',
    properties: { result: objectSchema(result, true) },
    required: ['result'],
    additionalProperties: false,
  };
  return operation(name, summary, objectSchema(params, false), { oneOf: [success, errorAnswer] });
}

function batchPath(): JsonSchema {
  const all = [...methods.values()];
  const single = (name: string, schema: JsonSchema): JsonSchema => ({
    type: 'object',
    properties: { [name]: schema },
    required: [name],
    additionalProperties: false,
  });
  const request = {
    type: 'object',
    properties: {
      commands: {
        type: 'array',
        maxItems: apiBounds.batchCommandsMax,
        items: { oneOf: all.map(({ name, params }) => single(name, objectSchema(params, false))) },
        description: 'Each has one member, named as its method.',
      },
      parallel: { type: 'boolean', description: 'All at once, in no order.' },
    },
  };
  const reply = { oneOf: [...all.map(({ name, result }) => single(name, objectSchema(result, true))), errorAnswer] };
  const answer = {
    type: 'object',
    properties: { replies: { type: 'array', items: reply, description: 'In the order of the commands.' } },
    required: ['replies'],
    additionalProperties: false,
  };
  return operation('batch', batchSummary, request, { oneOf: [answer, errorAnswer] });
}

function operation(name: string, summary: string, request: JsonSchema, answer: JsonSchema): JsonSchema {
  const refused = { $ref: '#/components/responses/Refused' };
  const statuses = [400, 401, 403, 413, 415, 503].map((status): [string, JsonSchema] => [String(status), refused]);
  return {
    post: {
      operationId: name,
      summary,
      requestBody: { required: true, ...json(request) },
      responses: {
        '200': { description: 'What the method answers.', ...json(answer) },
        ...Object.fromEntries<JsonSchema>(statuses),
      },
    },
  };
}

function json(schema: JsonSchema): { content: JsonSchema } {
  return { content: { 'application/json': { schema } } };
}

/** `isExact`: results have no other members; in requests others are ignored. */
function objectSchema(table: FieldTable, isExact: boolean): JsonSchema {
  const fields = Object.entries(table).filter(([, { type }]) => type !== 'refused');
  const required = fields.filter(([, spec]) => spec.required === true).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(
      fields.map(([name, spec]) => [name, { ...schemaOf(spec, isExact), description: spec.description }]),
    ),
    ...(required.length > 0 ? { required } : {}),
    ...(isExact ? { additionalProperties: false } : {}),
  };
}

function schemaOf(spec: FieldSpec, isExact: boolean): JsonSchema {
  switch (spec.type) {
    case 'text':
      return { type: 'string', ...(spec.bytesMax === undefined ? {} : { maxLength: spec.bytesMax }) };
    case 'boolean':
      return { type: 'boolean' };
    case 'integer':
      return { type: 'integer', minimum: spec.min ?? 0, maximum: spec.max ?? Number.MAX_SAFE_INTEGER };
    case 'number':
      return { type: 'number' };
    case 'base64':
      return { type: 'string', contentEncoding: 'base64' };
    case 'texts':
      return { type: 'array', items: { type: 'string' }, maxItems: spec.countMax };
    case 'tags':
      return { type: 'object', additionalProperties: { type: 'string' } };
    case 'object':
      return objectSchema(spec.fields, isExact);
    case 'list':
      return { type: 'array', items: objectSchema(spec.of, isExact) };
    case 'map':
      return { type: 'object', additionalProperties: objectSchema(spec.of, isExact) };
    case 'json':
    case 'refused':
      return {};
  }
}
