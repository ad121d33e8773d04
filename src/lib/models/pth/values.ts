/** What a pickle of tensors may hold: plain data, and references to storages that are looked up later. */

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Tuple
  | List
  | Dict
  | Known
  | StorageReference
  | TensorReference;

/** The globals that are understood: as words, not as code. */
export const knownGlobals = [
  'collections.OrderedDict',
  'torch._utils._rebuild_tensor_v2',
  // torchvision's own files hold Parameters: a tensor and whether it is trained.
  'torch._utils._rebuild_parameter',
  'torch.FloatStorage',
  'torch.HalfStorage',
] as const;
export type GlobalName = (typeof knownGlobals)[number];

export interface Known {
  kind: 'global';
  name: GlobalName;
}
export interface Tuple {
  kind: 'tuple';
  items: readonly Value[];
}
export interface List {
  kind: 'list';
  items: Value[];
}
/** Keys that are not text are kept nowhere: a state dict has none. */
export interface Dict {
  kind: 'dict';
  entries: Map<string, Value>;
}

export type StorageType = 'float32' | 'float16';

export interface StorageReference {
  kind: 'storage';
  type: StorageType;
  /** Names it within the file. */
  key: string;
  /** In elements. */
  count: number;
}

export interface TensorReference {
  kind: 'tensor';
  storage: StorageReference;
  /** In elements, as are the strides. */
  offset: number;
  dims: readonly number[];
  strides: readonly number[];
}

export function isKind<Kind extends 'tuple' | 'list' | 'dict' | 'global' | 'storage' | 'tensor'>(
  value: Value | undefined,
  kind: Kind,
): value is Extract<Value, { kind: Kind }> {
  return typeof value === 'object' && value !== null && value.kind === kind;
}
