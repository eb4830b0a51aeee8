import type { Rejection } from '@tutti/protocol';
import type { FieldTable, ValuesOf } from './fields.ts';

export const errorFields = {
  code: { type: 'integer', required: true, description: 'A code of the catalogue of errors.' },
  message: { type: 'text', required: true, description: 'What happened.' },
  temporary: { type: 'boolean', description: 'The same may succeed later.' },
  remedy: { type: 'text', description: 'What to do about it.' },
} as const satisfies FieldTable;

export type ApiError = ValuesOf<typeof errorFields>;

export function errorOf({ kind, message }: Rejection, remedy: string = kind.remedy): ApiError {
  return {
    code: kind.code,
    message,
    ...(kind.temporary ? { temporary: true } : {}),
    ...(remedy === '' ? {} : { remedy }),
  };
}
