/** Finds the weights in what people save: a state dict, or a checkpoint that has one among other things. */
import { malformed, wholeModel } from './refuse.ts';
import { isKind, type Dict, type TensorReference, type Value } from './values.ts';

/** What trainers call it, the plainest first. */
const usualNames = [
  ...['state_dict', 'model_state_dict', 'model_state', 'model', 'net', 'network', 'module', 'weights', 'params'],
  ...['state', 'net_state_dict', 'network_state_dict', 'ema', 'model_ema', 'state_dict_ema', 'ema_state_dict'],
];
/** What wrappers put before every name: DataParallel, torch.compile, a module that holds the network. */
const wrapper = /^(module|_orig_mod|_module|model|net|network|backbone)\./;
const notWeights = /optim|sched|scaler|amp|loss|metric|queue|rng/i;
const maxDepth = 3;

/** By the names that the network itself gives them. `layer` is named where the file holds a whole model. */
export function weightsIn(root: Value, layer: string | undefined): Map<string, TensorReference> {
  if (!isKind(root, 'dict')) throw layer === undefined ? malformed('it is not a state dict') : wholeModel(layer);
  const chosen = choose(root, layer);
  let names = [...chosen.keys()];
  for (;;) {
    const prefix = wrapper.exec(names[0] ?? '')?.[0];
    if (prefix === undefined || !names.every((name) => name.startsWith(prefix))) break;
    names = names.map((name) => name.slice(prefix.length));
  }
  const values = [...chosen.values()];
  return new Map(names.map((name, i) => [name, values[i]!]));
}

function choose(root: Dict, layer: string | undefined): Map<string, TensorReference> {
  const own = weightsOf(root);
  if (own.size > 0) return own;
  const found = nested(root, []);
  for (const name of usualNames) {
    const usual = found.find(({ path }) => path.at(-1) === name);
    if (usual !== undefined) return usual.weights;
  }
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only.weights;
  if (layer !== undefined) throw wholeModel(layer);
  if (only === undefined) throw nothing(root);
  const places = found.map(({ path }) => path.map((key) => `[${JSON.stringify(key)}]`).join(''));
  throw malformed(
    `it is a checkpoint with several state dicts: ${places.slice(0, 10).join(', ')}`,
    `Save the one that is meant: torch.save(torch.load("checkpoint.pth")${places[0]!}, "weights.pth")`,
  );
}

/** Counters (of batches, of averaged models) are no weights, nor is what stands beside them. */
function weightsOf({ entries }: Dict): Map<string, TensorReference> {
  const found = new Map<string, TensorReference>();
  for (const [name, value] of entries) {
    if (!isKind(value, 'tensor')) continue;
    const isCounter = value.dims.length === 0 && /^u?int|^bool/.test(value.storage.type);
    if (!isCounter) found.set(name, value);
  }
  // A single number beside other things is a measure, such as the best accuracy.
  const isMeasure = found.size < entries.size && [...found.values()].every(({ dims }) => dims.length === 0);
  return isMeasure ? new Map<string, TensorReference>() : found;
}

/** Each dict once: a pickle may hold one in itself. */
function nested(dict: Dict, path: string[], seen = new Set([dict])): { path: string[]; weights: Map<string, TensorReference> }[] {
  if (path.length >= maxDepth) return [];
  return [...dict.entries].flatMap(([key, value]) => {
    if (!isKind(value, 'dict') || notWeights.test(key) || seen.has(value)) return [];
    seen.add(value);
    const here = [...path, key];
    const weights = weightsOf(value);
    return weights.size > 0 ? [{ path: here, weights }] : nested(value, here, seen);
  });
}

function nothing({ entries, otherKeys }: Dict) {
  const hint =
    'A checkpoint must hold the weights as a dict of tensors. Save them alone:\n' +
    'torch.save(checkpoint["state_dict"], "weights.pth"), or torch.save(model.state_dict(), "weights.pth")';
  const [first] = entries.keys();
  if (first !== undefined) return malformed(`its entry ${first} is not a tensor, nor is any other`, hint);
  return malformed(otherKeys ? 'its pickle has a key that is not text' : 'it holds no tensors', hint);
}
