/** The model that a person names, else the active one. */
import { noModel } from './no-model.ts';
import type { ModelEntry, ModelStore } from './store.ts';

/** Throws `no_model`, `model_not_found`, `model_ambiguous`. */
export async function chosenEntry(store: ModelStore, reference: string | undefined): Promise<ModelEntry> {
  if (reference !== undefined) return store.find(reference);
  const active = await store.active();
  if (active === undefined) throw noModel(await store.list());
  return active;
}
