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
  | Opaque
  | StorageReference
  | TensorReference;

export interface Known {
  kind: 'global';
  name: string;
}
/** What a checkpoint has beside its weights and what is not looked into: a setting, a number of numpy's, a layer. */
export interface Opaque {
  kind: 'opaque';
  /** The name of its class. */
  name: string;
}
export interface Tuple {
  kind: 'tuple';
  items: readonly Value[];
}
export interface List {
  kind: 'list';
  items: Value[];
}
/** Only what has a text for its key; an optimizer's state is kept under numbers. */
export interface Dict {
  kind: 'dict';
  entries: Map<string, Value>;
  /** There were other keys. */
  otherKeys?: true;
}

/** `other`: complex, quantised, not told. */
export type StorageType =
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'float64'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool'
  | 'other';

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

export function isKind<
  Kind extends 'tuple' | 'list' | 'dict' | 'global' | 'opaque' | 'storage' | 'tensor',
>(
  value: Value | undefined,
  kind: Kind,
): value is Extract<Value, { kind: Kind }> {
  return typeof value === 'object' && value !== null && value.kind === kind;
}
