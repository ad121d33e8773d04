/** What `classify --server` does: shows how far it is, labels as they come with --json, else a table at the end. */
import { checkPaths, type Rejection } from '../../lib/base/files/walk.ts';
import { printable } from '../../lib/base/printable.ts';
import { Progress } from '../../lib/base/report/progress.ts';
import { table } from '../../lib/base/report/table.ts';
import { classifyRemotely, type RemoteEvent } from '../../lib/local/classify/classify-remotely.ts';
import { countFiles } from '../../lib/local/classify/classify.ts';
import type { RemoteImage } from '../../lib/local/classify/labels-file.ts';
import { LabelsFile } from '../../lib/local/classify/labels-file.ts';
import { ServerClient } from '../../lib/local/classify/server-client.ts';
import { compareKeys } from '../../lib/systems/objects/store.ts';
import type { Context } from '../run.ts';
import { writeJsonLine, writeLine } from '../write-line.ts';
import type { ClassifyFlags } from './classify.ts';

const defaultConcurrency = 8;

export default async function (
  context: Context,
  path: string,
  server: string,
  flags: ClassifyFlags,
): Promise<number> {
  const { config, interactive, json, say, signal } = context;
  const { include, exclude, limit, rate, out, again = false, concurrency = defaultConcurrency } = flags;
  await checkPaths([path]);
  const followLinks = flags.followLinks === true;
  const files = { path, include, exclude, followLinks, signal, ...(limit !== undefined && { limit }) };
  await using client = new ServerClient({ server, token: config.remote.token, connections: concurrency });
  await using labels = out === undefined ? undefined : await LabelsFile.open(out, { server, again });
  using progress = new Progress({ label: 'classify', unit: 'files', interactive, line: say });
  void countFiles(files).then(
    (count) => count !== undefined && progress.expect(count),
    () => undefined,
  );
  const began = performance.now();
  const rows: RemoteImage[] = [];
  const rejected: Rejection[] = [];
  let classified = 0;
  let before = 0;
  let told: string | undefined;
  const report = async (event: RemoteEvent): Promise<void> => {
    switch (event.kind) {
      case 'waiting':
        if (told !== (told = event.reason)) say(`waiting: ${event.reason}`);
        return;
      case 'rejected':
        progress.advance(1);
        rejected.push(event.rejection);
        return;
      case 'classified':
        progress.advance(1);
        classified++;
        if (event.before) before++;
        if (json) await writeJsonLine(event.result);
        else rows.push(event.result);
    }
  };
  await classifyRemotely(
    { client, labels, report },
    {
      ...files,
      maxBytes: config.limits.maxBytes,
      concurrency,
      run: labels?.run ?? (again ? crypto.randomUUID() : ''),
      ...(rate !== undefined && { rate }),
    },
  );
  progress[Symbol.dispose]();
  rows.sort((a, b) => compareKeys(a.image, b.image));
  if (rows.length > 0) await writeLine(resultTable(rows));
  const lines = rejected.map((r) => `rejected  ${printable(r.path)}: ${printable(r.reason)}`);
  if (json) lines.forEach(say);
  else if (lines.length > 0) await writeLine(lines.join('\n'));
  const seconds = (performance.now() - began) / 1000;
  const known = before > 0 ? `, ${before} of them before` : '';
  say(
    `classified ${classified} images${known} in ${seconds.toFixed(1)} s, rejected ${rejected.length} files${out === undefined ? '' : `; labels in ${out}`}`,
  );
  if (signal.aborted) say('interrupted; run it again to go on');
  return signal.aborted || rejected.length > 0 ? 1 : 0;
}

function resultTable(rows: readonly RemoteImage[]): string {
  const columns = [
    { title: 'image', value: (r: RemoteImage) => r.image },
    { title: 'category', value: (r: RemoteImage) => r.category },
    { title: '%', value: (r: RemoteImage) => r.confidence.toFixed(1), align: 'right' as const },
  ];
  const hasBins = rows.some(({ bin }) => bin !== null);
  return table(rows, hasBins ? [...columns, { title: 'bin', value: (r) => r.bin }] : columns);
}
