import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testLimits } from '@tutti/testkit/core-node';
import { Heartbeat } from './heartbeat.ts';

test('CON-1: the first ping comes within the second half of the interval, as chance has it', () => {
  for (const chance of [0, 0.25, 0.999]) {
    const heartbeat = new Heartbeat(testLimits);
    heartbeat.start(1_000, chance);
    const wait = heartbeat.nextIn(1_000);
    assert.ok(wait >= 12_500 && wait <= 25_000, `${wait} ms`);
    assert.equal(heartbeat.due(1_000 + wait - 1), 'nothing');
    assert.equal(heartbeat.due(1_000 + wait), 'ping');
  }
});

test('CON-1: a peer that does not answer is dead when the pong time-out ends, not before', () => {
  const heartbeat = new Heartbeat(testLimits);
  heartbeat.start(0, 0);
  assert.equal(heartbeat.due(12_500), 'ping');
  assert.equal(heartbeat.due(20_499), 'nothing');
  assert.equal(heartbeat.due(20_500), 'dead');
});

test('CON-1: a peer that answers lives on, and is pinged each interval', () => {
  const heartbeat = new Heartbeat(testLimits);
  heartbeat.start(0, 1);
  for (let at = 25_000; at <= 250_000; at += 25_000) {
    assert.equal(heartbeat.due(at), 'ping');
    heartbeat.pinged(at);
    assert.ok(heartbeat.pong());
    assert.equal(heartbeat.due(at + 24_999), 'nothing');
  }
});

test('a pong that nobody asked for is told apart', () => {
  const heartbeat = new Heartbeat(testLimits);
  heartbeat.start(0, 1);
  assert.equal(heartbeat.pong(), false);
  assert.equal(heartbeat.due(25_000), 'ping');
  heartbeat.pinged(25_000);
  assert.equal(heartbeat.pong(), true);
  assert.equal(heartbeat.pong(), false);
});

test('CON-1: where marks are pings, too, the answers before its own are no answer to the ping', () => {
  const pings = { waiting: 0, begin: () => undefined, answered: () => (pings.waiting -= 1) >= 0 };
  const heartbeat = new Heartbeat(testLimits, { protocolPings: pings });
  heartbeat.start(0, 0);
  assert.equal(heartbeat.due(12_500), 'ping');
  // Two marks before it, and one behind it.
  pings.waiting = 3;
  heartbeat.pinged(12_500);
  pings.waiting += 1;
  assert.deepEqual([heartbeat.pong(), heartbeat.pong()], [true, true]);
  heartbeat.alive(20_000);
  assert.equal(heartbeat.due(27_999), 'nothing');
  assert.equal(heartbeat.due(28_000), 'dead');
  assert.equal(heartbeat.pong(), true);
  assert.equal(heartbeat.due(28_000), 'nothing');
  assert.deepEqual([heartbeat.pong(), heartbeat.pong()], [true, false], 'the mark behind it, and nothing more');
});

test('CON-1: who reads slowly may answer two pings one after the other', () => {
  const heartbeat = new Heartbeat(testLimits);
  heartbeat.start(0, 1);
  for (let now = 25_000; now <= 50_000; now += 5_000) {
    if (heartbeat.due(now) === 'ping') heartbeat.pinged(now);
    heartbeat.alive(now);
  }
  assert.deepEqual([heartbeat.pong(), heartbeat.pong(), heartbeat.pong()], [true, true, false]);
  assert.equal(heartbeat.due(74_999), 'nothing');
});

test('CON-1: a ping that is late by a tick of the wheel does not make the end later by another', () => {
  const heartbeat = new Heartbeat(testLimits);
  heartbeat.start(0, 1);
  assert.equal(heartbeat.due(25_200), 'ping');
  assert.equal(heartbeat.due(32_999), 'nothing');
  assert.equal(heartbeat.due(33_000), 'dead');
  // A node that stalled for longer gives the peer its time.
  const stalled = new Heartbeat(testLimits);
  stalled.start(0, 1);
  assert.equal(stalled.due(30_000), 'ping');
  assert.equal(stalled.due(37_700), 'nothing');
});

test('CON-1: a peer that only listens is pinged, and no pong is waited for', () => {
  const heartbeat = new Heartbeat(testLimits, { isOneWay: true });
  heartbeat.start(0, 1);
  for (let now = testLimits.pingIntervalMs; now < 10 * testLimits.pingIntervalMs; now += testLimits.pingIntervalMs) {
    assert.equal(heartbeat.due(now), 'ping');
    assert.equal(heartbeat.due(now + testLimits.pongTimeoutMs), 'nothing');
  }
  assert.equal(heartbeat.pong(), false, 'nobody asked');
});
