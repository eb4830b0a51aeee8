import type { Schema } from 'ajv';

/** The part of a Deployment that matters here; unknown members of a container are refused, as a typing error would be. */
export interface Deployment {
  readonly spec: {
    readonly replicas: number;
    readonly selector: { readonly matchLabels: Record<string, string> };
    readonly template: {
      readonly metadata: { readonly labels: Record<string, string>; readonly annotations: Record<string, string> };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly enableServiceLinks: boolean;
        readonly topologySpreadConstraints: readonly { labelSelector: { matchLabels: Record<string, string> } }[];
        readonly containers: readonly [Container, ...Container[]];
      };
    };
  };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Container {
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}

const object = (required: Record<string, Schema>, optional: Record<string, Schema> = {}): Schema => ({
  type: 'object',
  required: Object.keys(required),
  additionalProperties: false,
  properties: { ...required, ...optional },
});
const list = (items: Schema): Schema => ({ type: 'array', minItems: 1, items });
const words: Schema = { type: 'object', additionalProperties: { type: 'string' } };
const name: Schema = { type: 'string', minLength: 1 };
const count: Schema = { type: 'integer', minimum: 1 };

const probe = object(
  {
    httpGet: object({ path: { type: 'string', pattern: '^/' }, port: name }),
    periodSeconds: count,
    failureThreshold: count,
  },
  { timeoutSeconds: count },
);

const container = object({
  name,
  image: name,
  args: list(name),
  env: list({
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', pattern: '^TUTTI_[A-Z_]+$' },
      value: { type: 'string' },
      valueFrom: { type: 'object' },
    },
    oneOf: [{ required: ['value'] }, { required: ['valueFrom'] }],
    additionalProperties: false,
  }),
  envFrom: list({ type: 'object' }),
  ports: list(object({ name, containerPort: count })),
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe,
  lifecycle: object({ preStop: object({ exec: object({ command: list(name) }) }) }),
  resources: object({ requests: object({ cpu: name, memory: name }), limits: object({ memory: name }) }),
  securityContext: object({
    allowPrivilegeEscalation: { const: false },
    readOnlyRootFilesystem: { const: true },
    capabilities: { const: { drop: ['ALL'] } },
  }),
  volumeMounts: list({ type: 'object', required: ['name', 'mountPath'] }),
});

export const deploymentSchema: Schema = object({
  apiVersion: { const: 'apps/v1' },
  kind: { const: 'Deployment' },
  metadata: { type: 'object' },
  spec: object({
    // The embedded engine is one process: two would be two islands.
    replicas: { const: 1 },
    strategy: { const: { type: 'Recreate' } },
    selector: object({ matchLabels: words }),
    template: object({
      metadata: object({ labels: words, annotations: words }),
      spec: object({
        terminationGracePeriodSeconds: count,
        enableServiceLinks: { type: 'boolean' },
        automountServiceAccountToken: { const: false },
        securityContext: { type: 'object', required: ['runAsNonRoot', 'seccompProfile'] },
        topologySpreadConstraints: list({
          type: 'object',
          required: ['maxSkew', 'topologyKey', 'whenUnsatisfiable', 'labelSelector'],
        }),
        containers: list(container),
        volumes: list({ type: 'object', required: ['name'] }),
      }),
    }),
  }),
});

export interface Compose {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly image: string;
        readonly environment?: Record<string, string>;
        readonly volumes?: readonly string[];
        readonly ports?: readonly string[];
        readonly stop_grace_period?: string;
      }
    >
  >;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export const composeSchema: Schema = object({
  name,
  services: {
    type: 'object',
    required: ['tutti', 'nats', 'redis', 'prometheus', 'grafana'],
    additionalProperties: object(
      { image: name },
      {
        build: object({ context: name, dockerfile: name }),
        profiles: list(name),
        command: list({ type: 'string' }),
        ports: list({ type: 'string', pattern: '^[0-9.:]+$' }),
        environment: words,
        volumes: list(name),
        stop_grace_period: { type: 'string', pattern: '^[0-9]+s$' },
        restart: name,
        read_only: { type: 'boolean' },
        cap_drop: list(name),
        security_opt: list(name),
        ulimits: { type: 'object' },
      },
    ),
  },
  volumes: { type: 'object' },
});
