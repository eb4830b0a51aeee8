// Lint rules that a machine can hold us to; each of our own carries its reason in the message.
import tseslint from 'typescript-eslint';

const tests = ['**/*.test.ts', '**/*.test.tsx', '**/*.bench.ts', 'tests/**', 'packages/testkit/**', '**/testing/**'];

/** Where the environment may be read. Everything else is given its settings, so that it can be tested and shown. */
const environmentReaders = [
  'packages/server/src/config/load.ts', // the one place that turns the environment into settings
  'packages/cli/src/main.ts', // the process entry: hands the environment to load.ts
  'packages/dashboard/vite.config.ts', // a build, not the product
  'scripts/**',
  'proofs/**',
  'examples/**',
  ...tests,
];

const clockGlobals = [
  'Date',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'performance',
];

const processEnv = {
  object: 'process',
  property: 'env',
  message: 'Only config/load.ts reads the environment; take a settings object in the constructor.',
};

const consoleOutput = {
  name: 'console',
  message: 'A node speaks through Telemetry.log, the command through its output module, a test by failing.',
};

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.tutti/**', '**/*.d.ts'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-var': 'error',
      'prefer-const': 'error',
      'object-shorthand': 'error',
      'no-param-reassign': 'off',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // node:test returns a promise that the runner itself awaits.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
            { from: 'package', package: 'node:test', name: ['before', 'after', 'beforeEach', 'afterEach'] },
          ],
        },
      ],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none', ignoreRestSiblings: true },
      ],
      // Numbers in templates read well; the rule is for objects that would print as [object Object].
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Index access is checked by noUncheckedIndexedAccess; where a bound was just proven, `!` is the honest form.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Input from outside is checked at run time against types that promise more than the wire does.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // `() => emitter.close()` as a void callback is plain to read.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // An interface's implementation may be async by contract and synchronous by nature.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      // Deleting from a record is what some platform APIs (headers, environment of a child) ask for.
      '@typescript-eslint/no-dynamic-delete': 'off',
      // A type parameter used once still names the payload in a signature.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // Messages without members (`ping: {}`) are part of the wire.
      '@typescript-eslint/no-generated-empty-object-type': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
    },
  },
  {
    files: ['packages/*/src/**/*.ts', 'packages/*/src/**/*.tsx'],
    rules: { 'no-restricted-globals': ['error', consoleOutput] },
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    ignores: environmentReaders,
    rules: { 'no-restricted-properties': ['error', processEnv] },
  },
  {
    // Core takes time and chance from outside, so that a simulation can run it from a seed.
    files: ['packages/server/src/core/**/*.ts'],
    ignores: tests,
    rules: {
      'no-restricted-globals': [
        'error',
        consoleOutput,
        ...clockGlobals.map((name) => ({ name, message: 'Core touches no other time: use Clock.' })),
        { name: 'crypto', message: 'Core touches no other chance: use Random.' },
      ],
      'no-restricted-properties': [
        'error',
        processEnv,
        { object: 'Math', property: 'random', message: 'Core touches no other chance: use Random.' },
        { object: 'process', property: 'hrtime', message: 'Core touches no other time: use Clock.' },
        { object: 'process', property: 'nextTick', message: 'Core touches no other time: use Clock.soon.' },
      ],
    },
  },
  {
    files: tests,
    rules: {
      'no-restricted-globals': 'off',
      // Tests reach into odd values on purpose; what they assert is the check.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // Programs that people run: the console is their output.
    files: ['packages/cli/**', 'packages/bench/**', 'scripts/**', 'proofs/**', 'examples/**'],
    rules: { 'no-restricted-globals': 'off' },
  },
);
