import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Ajv, type Schema } from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { spawnNode } from '@tutti/testkit';
import { formatProblem, loadConfig } from '@tutti/server/config';
import { filesUnder, root } from '../../scripts/files.ts';
import { composeSchema, deploymentSchema, type Compose, type Deployment } from './schemas.ts';

// What deploy/ says, against what the node does. No container is built here.

const text = (name: string): string => readFileSync(join(root, 'deploy', name), 'utf8');
const checked = <T>(schema: Schema, value: unknown): T => {
  const ajv = new Ajv({ allErrors: true });
  assert.ok(ajv.validate(schema, value), ajv.errorsText(ajv.errors));
  return value as T;
};
const compose = checked<Compose>(composeSchema, parse(text('compose.yaml')));
const deployment = checked<Deployment>(deploymentSchema, parse(text('kubernetes/deployment.yaml')));
const configMap = parse(text('kubernetes/config.yaml')) as { data: Record<string, string> };
const dockerfile = text('Dockerfile');
const unit = text('systemd/tutti.service');
const secret = 'a secret for tests of what is deployed';

const container = deployment.spec.template.spec.containers[0];
/** After the drain come last answers, closing handshakes and the last commit. */
const afterDrainSeconds = 15;

async function settingsOf(
  config: string,
  env: Record<string, string>,
): Promise<Awaited<ReturnType<typeof loadConfig>>> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-deploy-'));
  try {
    writeFileSync(join(folder, 'tutti.config.json'), config);
    return await loadConfig({ cwd: folder, env });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const unitValues = (name: string): string[] =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map((match) => match[1] ?? '');

/** Of each way to deploy: its variables, its configuration, and how long it waits for the end. */
const ways: Record<string, { env: Record<string, string>; config: string; graceSeconds: number }> = {
  compose: {
    env: { ...compose.services['tutti']?.environment },
    config: text('tutti.config.json'),
    graceSeconds: Number.parseInt(compose.services['tutti']?.stop_grace_period ?? '0', 10),
  },
  kubernetes: {
    env: Object.fromEntries(container.env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))),
    config: configMap.data['tutti.config.json'] ?? '',
    graceSeconds: deployment.spec.template.spec.terminationGracePeriodSeconds - sleepSeconds(),
  },
  systemd: {
    env: Object.fromEntries(unitValues('Environment').map((line) => line.split('=') as [string, string])),
    config: text('tutti.config.json'),
    graceSeconds: Number(unitValues('TimeoutStopSec')[0]),
  },
};

function sleepSeconds(): number {
  const [program, seconds] = container.lifecycle.preStop.exec.command;
  assert.equal(program, 'sleep');
  return Number(seconds);
}

for (const [way, { env, config, graceSeconds }] of Object.entries(ways)) {
  test(`${way}: each variable is an option, the configuration is sound, and the node is given time to drain`, async () => {
    // The file is read from where the test put it; unknown variables are problems.
    const rest: Record<string, string> = { ...env, TUTTI_TOKEN_HMAC_SECRET: secret };
    delete rest['TUTTI_CONFIG'];
    const { settings, problems, warnings } = await settingsOf(config, rest);
    assert.deepEqual([problems.map(formatProblem), warnings], [[], []]);
    assert.equal(settings.tokenHmacSecret, secret);
    assert.ok(graceSeconds >= settings.drainTimeMs / 1_000 + afterDrainSeconds, `${graceSeconds} s are too few`);
    assert.equal(settings.metricsPort, 9100);
    assert.notEqual(settings.console, 'port', 'demos and console are not for strangers');
  });
}

test('CON-3: the probes ask what the node answers, and a liveness probe never asks for readiness', async (t) => {
  const { startupProbe, readinessProbe, livenessProbe } = container;
  assert.equal(readinessProbe.httpGet.path, '/ready');
  assert.equal(livenessProbe.httpGet.path, '/health');
  const node = await spawnNode({ namespaces: { chat: {} } });
  t.after(() => node.close());
  const healthcheck = /fetch\('http:\/\/127\.0\.0\.1:8000([^']+)'\)/.exec(dockerfile)?.[1] ?? '';
  const metrics = deployment.spec.template.metadata.annotations['prometheus.io/path'] ?? '';
  for (const path of [
    ...[startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet.path),
    healthcheck,
    metrics,
  ]) {
    assert.equal((await fetch(`${node.url}${path}`)).status, 200, path);
  }
});

test('ports, names and labels agree wherever they are said', () => {
  const named = new Map(container.ports.map(({ name, containerPort }) => [name, containerPort]));
  assert.deepEqual(
    named,
    new Map([
      ['http', 8000],
      ['metrics', 9100],
    ]),
  );
  for (const { httpGet } of [container.readinessProbe, container.livenessProbe, container.startupProbe])
    assert.ok(named.has(httpGet.port));
  const service = parse(text('kubernetes/service.yaml')) as {
    spec: { selector: object; ports: { targetPort: string }[] };
  };
  assert.deepEqual(
    service.spec.ports.map(({ targetPort }) => targetPort),
    ['http'],
    'the metrics are no service',
  );
  const labels = deployment.spec.template.metadata.labels;
  const budget = parse(text('kubernetes/disruption-budget.yaml')) as { spec: { selector: { matchLabels: object } } };
  const [spread] = deployment.spec.template.spec.topologySpreadConstraints;
  for (const selector of [
    service.spec.selector,
    budget.spec.selector.matchLabels,
    deployment.spec.selector.matchLabels,
    spread?.labelSelector.matchLabels,
  ]) {
    assert.deepEqual(selector, labels);
  }
  assert.equal(deployment.spec.template.metadata.annotations['prometheus.io/port'], '9100');
  assert.match(dockerfile, /^EXPOSE 8000 9100$/m);
  assert.deepEqual(compose.services['tutti']?.ports, ['8000:8000'], 'the metrics are not published');
  const scrape = parse(text('prometheus/compose.yml')) as {
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  assert.deepEqual(scrape.scrape_configs[0]?.static_configs[0]?.targets, ['tutti:9100']);
});

test('a pod of a service that is named tutti is not given variables that look like options', () => {
  assert.equal(deployment.spec.template.spec.enableServiceLinks, false);
});

test('S5: the secret that is printed as an example starts no node', async () => {
  const example = parse(text('kubernetes/secret.yaml')) as { stringData: Record<string, string> };
  const { problems } = await settingsOf(text('tutti.config.json'), example.stringData);
  assert.match(problems.map(formatProblem).join('\n'), /needs at least 32/);
});

test('images are pinned, and the Node of the image is the one of the repository', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const froms = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map((match) => match[1]);
  assert.deepEqual(froms, [`node:${devDependencies['node']}-bookworm-slim`, 'base', 'base']);
  const images = [...Object.values(compose.services).map(({ image }) => image), container.image];
  for (const image of images) assert.match(image, /^[a-z/]+:v?\d+\.\d+\.\d+$/);
});

test('the image holds every package that the command needs, and what is copied is there', () => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(\S+(?: \S+)*) \S+$/gm)].flatMap((match) =>
    (match[1] ?? '').split(' '),
  );
  for (const path of copied) assert.ok(existsSync(join(root, path)), path);
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  const needed = new Set<string>();
  const need = (name: string): void => {
    if (needed.has(name)) return;
    needed.add(name);
    const manifest = readFileSync(join(root, 'packages', name, 'package.json'), 'utf8');
    const { dependencies = {} } = JSON.parse(manifest) as { dependencies?: Record<string, string> };
    for (const each of Object.keys(dependencies)) if (each.startsWith('@tutti/')) need(each.slice('@tutti/'.length));
  };
  need('cli');
  for (const name of needed) assert.match(last, new RegExp(`^COPY packages/${name} `, 'm'), name);
  // npm ci wants the manifest of every workspace.
  for (const name of filesUnder('packages').filter((file) => /^packages\/[^/]+\/package\.json$/.test(file))) {
    assert.ok(dockerfile.includes(`COPY ${name} ${dirname(name)}/`), name);
  }
});

test('what compose mounts is there', () => {
  for (const { volumes = [] } of Object.values(compose.services)) {
    for (const volume of volumes) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('.')) assert.ok(existsSync(join(root, 'deploy', source)), source);
      else assert.ok(Object.hasOwn(compose.volumes, source), source);
    }
  }
});

test('every file of YAML can be read, and the overlay names those that are there', () => {
  for (const file of filesUnder('deploy').filter((name) => /\.ya?ml$/.test(name))) {
    for (const document of parseAllDocuments(readFileSync(join(root, file), 'utf8'), { uniqueKeys: true })) {
      assert.deepEqual(document.errors, [], file);
    }
  }
  const { resources } = parse(text('kubernetes/kustomization.yaml')) as { resources: string[] };
  const there = filesUnder('deploy/kubernetes').map((file) => file.slice('deploy/kubernetes/'.length));
  assert.deepEqual([...resources, 'kustomization.yaml'].sort(), there.filter((file) => !file.includes('/')).sort());
});

const analyze = spawnSync('systemd-analyze', ['--version']).status === 0;
test('systemd reads the unit without a complaint', { skip: analyze ? false : 'no systemd-analyze here' }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-unit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tutti.service');
  // The program and its folders are not installed here.
  writeFileSync(
    file,
    unit.replaceAll('/opt/tutti/node_modules/.bin/node', process.execPath).replaceAll('/opt/tutti', root),
  );
  const { stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  const ours = stderr.split('\n').filter((line) => line.includes('tutti.service'));
  assert.deepEqual([ours, status], [[], 0]);
});

const kubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
test('kubectl puts the manifests together', { skip: kubectl ? false : 'no kubectl here' }, () => {
  const out = execFileSync('kubectl', ['kustomize', join(root, 'deploy/kubernetes')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const kinds = parseAllDocuments(out).map((document) => (document.toJS() as { kind: string }).kind);
  assert.deepEqual(kinds.sort(), [
    'ConfigMap',
    'Deployment',
    'PersistentVolumeClaim',
    'PodDisruptionBudget',
    'Secret',
    'Service',
  ]);
});
