/** The server API: what backends call. */
export { apiPrefix, ApiRoute, type ApiOptions } from './api-route.ts';
export type { ApiNode, ApiTarget } from './contract.ts';
export { methods } from './methods/index.ts';
export { openApiDocument } from './openapi.ts';
