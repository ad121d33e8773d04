/** A watched folder is left through no link, whenever the link comes to be there. */
import { mkdir, mkdtemp, realpath, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type WatchEvent, type Sender, SettledFiles, Visit } from '../../../src/lib/pipeline/watch/visit.ts';

let root: string;
let dir: string;
let sent: string[];
let events: WatchEvent[];

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'visionscale visit ')));
  dir = join(root, 'folder');
  await mkdir(join(root, 'secret'), { recursive: true });
  await mkdir(join(dir, 'belt'), { recursive: true });
  [sent, events] = [[], []];
  await put(join(root, 'secret', 'a.png'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Alike in everything that can be told without opening it. */
async function put(path: string): Promise<string> {
  await writeFile(path, 'secret');
  const then = new Date('2026-01-01T00:00:00Z');
  await utimes(path, then, then);
  return path;
}

/** Nothing is decoded here: whatever is read is sent. */
function visit(settleMs = 0): Visit {
  const send = ({ key }: { key: string }) => {
    sent.push(key);
    return Promise.resolve({ sent: true, replaced: false });
  };
  return new Visit(
    {
      sender: { send } as unknown as Sender,
      settled: new SettledFiles({ settleMs }),
      report: (event) => void events.push(event),
    },
    { dir, prefix: '', maxBytes: 1e6, incompleteMs: 0, deleteAfter: true },
  );
}

/** Looks as often as it is asked to. */
async function visited(path: string): Promise<void> {
  const one = visit();
  for (let looks = 0; looks < 20 && (await one.visit(path)) !== null; looks++);
}

it('sends what lies in the folder', async () => {
  await visited(await put(join(dir, 'belt', 'a.png')));
  expect(sent).toEqual(['belt/a.png']);
});

it('sends nothing through a linked directory', async () => {
  await rm(join(dir, 'belt'), { recursive: true });
  await symlink(join(root, 'secret'), join(dir, 'belt'));
  await visited(join(dir, 'belt', 'a.png'));
  expect(sent).toEqual([]);
  expect(events).toMatchObject([
    { kind: 'rejected', reason: expect.stringContaining('symbolic link') as string },
  ]);
});

it('sends nothing through a link further up, nor by a way back into the folder', async () => {
  await mkdir(join(root, 'secret', 'deep'));
  await put(join(root, 'secret', 'deep', 'a.png'));
  await symlink(join(root, 'secret'), join(dir, 'up'));
  await visited(join(dir, 'up', 'deep', 'a.png'));
  await symlink(join('..', 'folder-2'), join(dir, 'beside'));
  await mkdir(join(root, 'folder-2'));
  await put(join(root, 'folder-2', 'a.png'));
  await visited(join(dir, 'beside', 'a.png'));
  expect(sent).toEqual([]);
});

it('sends nothing where a directory became a link between two looks', async () => {
  const later = new Date(Date.now() + 86_400_000);
  for (const name of [join(dir, 'belt', 'a.png'), join(root, 'secret', 'a.png')]) {
    await put(name);
    // Of a time that has not come, so that one look is not enough.
    await utimes(name, later, later);
  }
  const path = join(dir, 'belt', 'a.png');
  const one = visit(10);
  expect(await one.visit(path)).toBeGreaterThan(0);
  await rename(join(dir, 'belt'), join(root, 'moved away'));
  await symlink(join(root, 'secret'), join(dir, 'belt'));
  while ((await one.visit(path)) !== null);
  expect(sent).toEqual([]);
});

it('sends no linked file', async () => {
  await symlink(join(root, 'secret', 'a.png'), join(dir, 'a.png'));
  await visited(join(dir, 'a.png'));
  expect(sent).toEqual([]);
  expect(events).toMatchObject([{ kind: 'rejected', reason: 'it is not a regular file' }]);
});
