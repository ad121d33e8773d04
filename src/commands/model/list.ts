/** What `model list` does: reads the manifests and prints them. */
import { formatBytes } from '../../lib/base/report/progress.ts';
import { table } from '../../lib/base/report/table.ts';
import { entryLabel } from '../../lib/models/store/entry.ts';
import { openModelStore, type ModelEntry } from '../../lib/models/store/store.ts';
import type { Context } from '../shared/run.ts';

export default async function (context: Context): Promise<void> {
  const store = openModelStore(context.config.models);
  const entries = await store.list();
  const active = await store.active().catch((error: Error) => {
    context.say(error.message);
    return undefined;
  });
  const rows = entries.map((entry) => ({ ...entry, active: entry.path === active?.path }));
  context.print(rows.map(document), () =>
    rows.length === 0
      ? `no models in ${store.directory}; get one: visionscale model pull squeezenet1_1`
      : table(
          rows,
          [
            { title: '', value: ({ active }) => (active ? '*' : ''), style: () => 'ok' },
            { title: 'model', value: entryLabel, cut: 'middle' },
            {
              title: 'input',
              value: ({ manifest }) => manifest?.preprocessing.crop ?? null,
              align: 'right',
              drop: 2,
            },
            { title: 'output', value: ({ manifest }) => manifest?.output ?? null, drop: 4 },
            { title: 'size', value: ({ bytes }) => formatBytes(bytes), align: 'right' },
            { title: 'digest', value: ({ digest }) => digest?.slice(7, 19) ?? null, drop: 3 },
            { title: 'created', value: ({ manifest }) => manifest?.created?.slice(0, 10) ?? null, drop: 1 },
            {
              title: '',
              value: noteOf,
              cut: 'end',
              style: ({ fault }) => (fault === undefined ? undefined : 'error'),
            },
          ],
          process.stdout.columns,
        ),
  );
}

function noteOf({ fault, bundled, manifest }: ModelEntry): string {
  const knows = manifest?.knows === undefined ? [] : [`only recognises ${manifest.knows}`];
  return fault ?? [...(bundled ? ['bundled'] : []), ...knows].join('; ');
}

/** What `--json` shows of an entry. */
function document({ manifest, ...entry }: ModelEntry & { active: boolean }) {
  const { inputSize, preprocessing, output, created, parent, source, metrics, knows, engines } =
    manifest ?? {};
  return {
    ...entry,
    inputSize: inputSize ?? preprocessing?.crop,
    output,
    created,
    parent,
    source,
    metrics,
    knows,
    engines,
  };
}
