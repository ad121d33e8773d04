import js from '@eslint/js';
import imports from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** The floors of src/lib, lowest first: each may import those before it, never those after it (DESIGN.md). */
const floors = ['base', 'systems', 'models', 'config', 'pipeline', 'observe', 'learning', 'local'];
/** The views of the live page: each knows itself and what they share. */
const views = ['now', 'belt', 'images', 'bins', 'label', 'models', 'letters', 'try'];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // What is opened with `using` is closed before a promise that is returned unawaited settles.
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  {
    // One place reads the environment; everybody else gets a Config.
    files: ['src/lib/**/*.ts', 'src/commands/**/*.ts'],
    ignores: [
      'src/lib/config/**',
      'src/lib/base/sandbox/native-environment.ts',
      'src/commands/shared/run.ts',
    ],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'take it from Config' },
      ],
    },
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: { 'import-x': imports },
    settings: {
      'import-x/extensions': ['.ts', '.tsx'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts', '.tsx'] },
    },
    rules: {
      'import-x/no-duplicates': ['error', { 'prefer-inline': false }],
      'import-x/order': ['error', { alphabetize: { order: 'asc' } }],
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { 'import-x': imports },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': [
        'error',
        {
          basePath: import.meta.dirname,
          zones: [
            ...floors.slice(0, -1).map((floor, n) => ({
              target: `src/lib/${floor}`,
              from: floors.slice(n + 1).map((above) => `src/lib/${above}`),
              message: `${floor}/ is below it: see the floors in DESIGN.md.`,
            })),
            ...views.map((view) => ({
              target: `web/${view}`,
              from: views.filter((other) => other !== view).map((other) => `web/${other}`),
              message: 'A view imports no other: what two use stands in web/shared.',
            })),
            { target: 'web/shared', from: views.map((view) => `web/${view}`) },
            {
              target: 'src/lib',
              from: ['src/commands', 'src/compose.ts', 'src/cli.ts', 'src/library.ts', 'src/main.ts'],
            },
          ],
        },
      ],
    },
  },
);
