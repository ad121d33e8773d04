/** What `model list` does: reads the manifests and prints them. */
import { openDatabase } from '../../compose.ts';
import { errorMessage } from '../../lib/base/errors.ts';
import { formatBytes, table } from '../../lib/base/report/table.ts';
import { entryLabel } from '../../lib/models/store/entry.ts';
import { openModelStore, type ModelEntry } from '../../lib/models/store/store.ts';
import { type BeltModel, listBeltModels } from '../../lib/systems/database/tables/belt-models.ts';
import { hasPipeline } from '../shared/pipeline-here.ts';
import type { Context } from '../shared/run.ts';

interface Row extends ModelEntry {
  active: boolean;
  /** Those that have it as their own. */
  belts: string[];
}

export default async function (context: Context): Promise<void> {
  const store = openModelStore(context.config.models);
  const entries = await store.list();
  const active = await store.active().catch((error: Error) => {
    context.say(error.message);
    return undefined;
  });
  const ofBelts = hasPipeline(context) ? await beltModels(context) : [];
  const rows: Row[] = entries.map((entry) => ({
    ...entry,
    active: entry.path === active?.path,
    belts: ofBelts.filter(({ digest }) => digest === entry.digest).map(({ belt }) => belt),
  }));
  for (const { belt, digest, ...model } of ofBelts) {
    if (entries.some((entry) => entry.digest === digest)) continue;
    context.say(`belt ${belt} takes ${entryLabel(model)}, which is not in ${store.directory}`);
  }
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

/** What cannot be asked now is said, and left out. */
async function beltModels(context: Context): Promise<BeltModel[]> {
  try {
    await using database = await openDatabase(context);
    return await listBeltModels(database.pool, context.config.pipeline);
  } catch (error) {
    context.say(`which belts have models of their own cannot be told: ${errorMessage(error)}`);
    return [];
  }
}

function noteOf({ fault, bundled, manifest, belts }: Row): string {
  const knows = manifest?.knows === undefined ? [] : [`only recognises ${manifest.knows}`];
  const whose = belts.length === 0 ? [] : [`${belts.length === 1 ? 'belt' : 'belts'} ${belts.join(', ')}`];
  return fault ?? [...whose, ...(bundled ? ['bundled'] : []), ...knows].join('; ');
}

/** What `--json` shows of an entry. */
function document({ manifest, ...entry }: Row) {
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
