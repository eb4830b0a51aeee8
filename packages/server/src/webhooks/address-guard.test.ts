import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressGuard } from './address-guard.ts';

const refused = [
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.0.1', '169.254.169.254', '172.16.0.1', '172.31.9.9'],
  ...[
    '192.0.0.8',
    '192.168.1.1',
    '198.18.0.1',
    '203.0.113.9',
    '224.0.0.1',
    '239.1.1.1',
    '240.0.0.1',
    '255.255.255.255',
  ],
  ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '2001:db8::1', '2001:0:1::1'],
  // An IPv4 address in other clothes: mapped (in both spellings), compatible, NAT64, 6to4.
  ...['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:10.0.0.1', '::ffff:169.254.169.254', '::127.0.0.1'],
  ...['64:ff9b::7f00:1', '2002:7f00:1::', '2002:a00:1::1'],
  ...['', 'localhost', '1.2.3', '0x7f.0.0.1'],
];

test('S26: no address that is not public is connected to, however it is written', () => {
  const guard = new AddressGuard([]);
  for (const address of refused) assert.notEqual(guard.problem(address, true), undefined, address);
});

test('S26: public addresses are, and only with https', () => {
  const guard = new AddressGuard([]);
  for (const address of [
    '1.1.1.1',
    '93.184.215.14',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
  ]) {
    assert.equal(guard.problem(address, true), undefined, address);
    assert.match(guard.problem(address, false) ?? '', /must be https/, address);
  }
});

test('S26: networks that the operator names may be reached, also by http; metadata addresses never', () => {
  const guard = new AddressGuard(['127.0.0.0/8', '10.1.0.0/16', '169.254.0.0/16', '::1', '0.0.0.0/0', '::/0']);
  for (const address of ['127.0.0.1', '10.1.2.3', '::1', '::ffff:127.0.0.1', '192.168.7.7']) {
    assert.equal(guard.problem(address, false), undefined, address);
  }
  for (const address of [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '100.100.100.200',
    'fd00:ec2::254',
  ]) {
    assert.match(guard.problem(address, true) ?? '', /never allowed/, address);
  }
  assert.notEqual(new AddressGuard(['10.1.0.0/16']).problem('10.2.0.1', true), undefined);
});
