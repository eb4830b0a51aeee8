/** The server API: what backends call. */
export { apiPrefix, ApiRoute, type ApiOptions } from './api-route.ts';
export type { ApiNode, ApiTarget } from './contract.ts';
export { methods } from './methods/index.ts';
export { guardedRoute } from './guarded-route.ts';
export { judgeKeys } from './keys.ts';
export { openApiDocument } from './openapi.ts';
