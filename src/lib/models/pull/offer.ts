/** Offers the ImageNet model to a person whose command wants a model and has none. Nothing downloads unasked. */
import { ask, canAsk } from '../../base/report/ask.ts';
import { noModel } from '../store/chosen.ts';
import { entryLabel } from '../store/entry.ts';
import { openModelStore } from '../store/store.ts';
import type { ProxySettings } from './download.ts';
import type { HubSettings } from './hub-client.ts';

export interface OfferContext {
  config: { model: string | undefined; models: string; proxy: ProxySettings; hub: HubSettings };
  json: boolean;
  /** The flag --yes. */
  yes: boolean;
  /** Whether a person is watching stderr. */
  interactive: boolean;
  signal: AbortSignal;
  say: (text: string) => void;
}

/**
 * Returns when a model is chosen: by the settings, as the store's active one, or because the person at the terminal (or
 * --yes) agreed to the download. Else throws `no_model`, which names `model pull squeezenet1_1`.
 */
export async function ensureModel(context: OfferContext): Promise<void> {
  const { config, signal, say, yes } = context;
  if (config.model !== undefined) return;
  const store = openModelStore(config.models);
  if ((await store.active()) !== undefined) return;
  const entries = await store.list();
  const none = entries.every(({ bundled }) => bundled);
  const agreed = yes || (none && canAsk(context) && (await ask(question, true, signal)));
  if (!agreed) throw noModel(entries);
  // Only now: most runs have a model, and the download brings an HTTP client and protobuf along.
  const { pullShown } = await import('./pull-shown.ts');
  const { entry } = await pullShown(context, store, 'squeezenet1_1', {});
  say(`installed ${entryLabel(entry)} in ${store.directory}`);
}

const question = 'No model is installed. Download SqueezeNet ImageNet, 5 MB?';
