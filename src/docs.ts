/** Writes what the documents say of commands, settings and errors from the code, between their marks, and `.env.example` and the manual pages whole. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { manPages } from './docs/man.ts';
import { commandReference, commandTable, envExample, errorTables, settingsTables } from './docs/pages.ts';

/** What each document has between its marks. */
const generated: Readonly<Record<string, { name: string; content: () => string }>> = {
  'README.md': { name: 'commands', content: commandTable },
  'docs/commands.md': { name: 'reference', content: commandReference },
  'docs/settings.md': { name: 'settings', content: settingsTables },
  'docs/errors.md': { name: 'errors', content: errorTables },
};

/** Each file that is written, as it should be; `read` gives a document as it is. */
export function documents(read: (file: string) => string): Record<string, string> {
  const files: Record<string, string> = { '.env.example': envExample(), ...manPages() };
  for (const [file, { name, content }] of Object.entries(generated)) {
    files[file] = filled(file, read(file), name, content());
  }
  return files;
}

/** Replaces what stands between the marks of `name`. */
function filled(file: string, document: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} has no marks ${begin} and ${end}`);
  return `${document.slice(0, from + begin.length)}\n\n${content}\n\n${document.slice(to)}`;
}

if (process.argv[1]?.endsWith('docs.js')) {
  const root = new URL('../', import.meta.url);
  const files = documents((file) => readFileSync(new URL(file, root), 'utf8'));
  mkdirSync(new URL('man/', root), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(new URL(file, root), text);
}
