/** What `model pull` does: gets a model and, where none is active, makes it the active one; without a name, lists the catalogue. */
import { ask, canAsk } from '../../lib/base/report/ask.ts';
import { table } from '../../lib/base/report/table.ts';
import { catalogue, type CatalogueModel } from '../../lib/models/pull/catalogue.ts';
import { pullShown, type ShownPull } from '../../lib/models/pull/pull-shown.ts';
import { entryLabel } from '../../lib/models/store/entry.ts';
import { openModelStore, type ModelStore } from '../../lib/models/store/store.ts';
import type { Context } from '../shared/run.ts';

export interface PullFlags {
  from?: string;
  file?: string;
  sha256?: string;
  yes?: boolean;
}

export default async function (context: Context, model: string | undefined, flags: PullFlags): Promise<void> {
  if (model === undefined) return context.print(catalogue.map(document), () => shown(process.stdout.columns));
  const store = openModelStore(context.config.models);
  const { from, file } = flags;
  const pulled = await pullShown(context, store, model, { from, file, sha256: flags.sha256 });
  const active = pulled.active || (await activate(context, store, pulled, flags.yes === true));
  const { entry, sha256, verified, warnings, license, commit } = pulled;
  for (const warning of warnings) context.say(warning);
  if (!verified) {
    const why = from === undefined ? 'kept: later pulls must have it' : 'not verified: no --sha256 was given';
    context.say(`sha256 of the file: ${sha256} (${why})`);
  }
  const { name, version, digest, path } = entry;
  const result = {
    name,
    version,
    digest,
    path,
    sha256,
    verified,
    license: license ?? null,
    commit: commit ?? null,
  };
  const installed = `installed ${entryLabel(entry)}${license === undefined ? '' : ` (licence: ${license})`}`;
  context.print({ ...result, warnings, active }, () =>
    active
      ? `${installed}; it is the active model`
      : `${installed}; use it: visionscale model use ${entryLabel(entry)}`,
  );
}

/** Another model is active: the person decides. */
async function activate(
  context: Context,
  store: ModelStore,
  { entry }: ShownPull,
  yes: boolean,
): Promise<boolean> {
  const current = (await store.active())!;
  const question = `Make ${entryLabel(entry)} the active model instead of ${entryLabel(current)}?`;
  if (!yes && !(canAsk(context) && (await ask(question, false, context.signal)))) return false;
  await store.use(entry);
  return true;
}

function shown(width: number | undefined): string {
  const listed = table(
    catalogue,
    [
      { title: 'model', value: ({ name }) => name },
      { title: 'top-1', value: ({ top1 }) => `${top1.toFixed(1)} %`, align: 'right' },
      { title: 'time', value: ({ cost }) => cost?.toFixed(2) ?? null, align: 'right' },
      {
        title: 'size',
        value: ({ megabytes }) => (megabytes === undefined ? null : `${megabytes} MB`),
        align: 'right',
        drop: 1,
      },
      { title: 'licence', value: ({ license }) => license },
      { title: '', value: ({ about }) => about, drop: 2 },
    ],
    width,
  );
  return (
    `${listed}\n\n` +
    'top-1: right on ImageNet, as published; time: for an image, squeezenet1_1 is 1.\n' +
    'Get one: visionscale model pull <model>, or of the Hugging Face hub\n' +
    'visionscale model pull hf:<owner>/<repository>'
  );
}

/** What `--json` shows of a model; null: not known. */
function document({ from, cost, megabytes, name, license, top1, top1Source, preprocessing }: CatalogueModel) {
  const source =
    from.kind === 'pth'
      ? { url: from.url, sha256: from.sha256 }
      : { url: `hf:${from.repository}@${from.commit}`, file: from.file, sha256: null };
  return {
    name,
    license,
    top1,
    top1Source,
    cost: cost ?? null,
    megabytes: megabytes ?? null,
    preprocessing,
    source,
  };
}
