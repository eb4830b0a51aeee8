import assert from 'node:assert/strict';
import { test } from 'node:test';

import { explainNoConnection, type TokenOrigin } from './explain.ts';

const cases: [TokenOrigin, RegExp, RegExp][] = [
  ['none', /asks for a token$/, /Make one with `tutti token`/],
  ['given', /refused the token: invalid token$/, /ask whoever made this one/],
  ['configured', /refused the token: invalid token$/, /key of the configuration here/],
  ['dev', /refused the token: invalid token$/, /key of `tutti dev`.*login service/],
];
for (const [tokenOrigin, message, remedy] of cases) {
  test(`a refused token is explained by where it came from: ${tokenOrigin}`, async () => {
    const failure = { code: 3500, reason: 'invalid token', tokenOrigin };
    const error = await explainNoConnection('ws://127.0.0.1:8000/connection/websocket', failure);
    assert.match(error.message, message);
    assert.match(error.remedies.join(' '), remedy);
  });
}
