/** What `classify --server` does: has a server classify the images, and keeps the labels in a file where that is wanted. */
import { checkPaths } from '../../lib/base/files/walk.ts';
import { counted } from '../../lib/base/report/table.ts';
import { classifyRemotely, type RemoteEvent } from '../../lib/local/classify/classify-remotely.ts';
import { type RemoteImage } from '../../lib/local/classify/labels-file.ts';
import { LabelsFile } from '../../lib/local/classify/labels-file.ts';
import { ServerClient } from '../../lib/local/classify/server-client.ts';
import { compareKeys } from '../../lib/systems/objects/store.ts';
import type { Context } from '../shared/run.ts';
import { linesFor, Waiting } from '../shared/service-log.ts';
import type { ClassifyFlags } from './action.ts';
import { ShownLabels } from './labels.ts';

const defaultConcurrency = 8;

export default async function (
  context: Context,
  path: string,
  server: string,
  flags: ClassifyFlags,
): Promise<number> {
  const { config, say, signal } = context;
  const { include, exclude, limit, rate, out, again = false, concurrency = defaultConcurrency } = flags;
  await checkPaths([path]);
  const followLinks = flags.followLinks === true;
  const strict = flags.strict === true;
  const files = {
    path,
    include,
    exclude,
    followLinks,
    strict,
    signal,
    ...(limit !== undefined && { limit }),
  };
  await using client = new ServerClient({ server, token: config.remote.token, connections: concurrency });
  await using labels = out === undefined ? undefined : await LabelsFile.open(out, { server, again });
  using shown = new ShownLabels<RemoteImage>(context, files);
  let before = 0;
  using waiting = new Waiting(linesFor(say));
  const report = (event: RemoteEvent): Promise<void> | void => {
    if (event.kind === 'waiting') return waiting.for(event.reason);
    waiting.over();
    if (event.kind === 'classified' && event.before) before++;
    return shown.hear(event);
  };
  await classifyRemotely(
    { client, labels, report },
    {
      ...files,
      maxBytes: config.limits.maxBytes,
      concurrency,
      giveUpAfterMs: config.giveUpAfterMs,
      run: labels?.run ?? (again ? crypto.randomUUID() : ''),
      ...(rate !== undefined && { rate }),
    },
  );
  await shown.end({
    order: (a, b) => compareKeys(a.image, b.image),
    more: (rows) => (rows.some(({ bin }) => bin !== null) ? [{ title: 'bin', value: (r) => r.bin }] : []),
  });
  const { classified, rejected, seconds } = shown;
  const known = before > 0 ? `, ${before} of them earlier` : '';
  say(
    `classified ${counted(classified, 'image')}${known} in ${seconds.toFixed(1)} s, rejected ${counted(rejected, 'file')}${out === undefined ? '' : `; labels in ${out}`}`,
  );
  if (shown.passedOver !== '') say(shown.passedOver);
  if (signal.aborted) say('interrupted; run it again to continue');
  return signal.aborted || rejected > 0 ? 1 : 0;
}
