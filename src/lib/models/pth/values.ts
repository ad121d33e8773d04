/** What a pickle of tensors may hold: plain data, and references to storages that are looked up later. */
import { VisionscaleError } from '../../base/errors.ts';

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

// The two ways in which a .pth file is refused: it wants to run something, or it is not what it should be.

/** For what a state dict of weights never needs. Nothing of it has been run: there is nothing that could run it. */
export function unsafe(what: string): VisionscaleError {
  return new VisionscaleError(
    `the .pth file asks for ${what}; only plain tensors are read, so it was refused`,
    {
      code: 'model_unsafe',
      hint:
        'Do not load this file with other programs unless you trust its maker. If you do, load it in PyTorch and write\n' +
        'torch.save(model.state_dict(), "weights.pth"), which holds tensors only.',
    },
  );
}

/** For a file that is damaged, too large, or no state dict. */
export function malformed(
  what: string,
  hint = 'It must be a state dict as torch.save writes it. Was the file downloaded completely?',
): VisionscaleError {
  return new VisionscaleError(`the .pth file cannot be read: ${what}`, { code: 'model_invalid', hint });
}

/** The way that every network can go. */
export const exportLine =
  'torch.onnx.export(model.eval(), torch.zeros(1, 3, 224, 224), "model.onnx", external_data=False)';

/** For a file that holds the weights of SqueezeNet in a form that only PyTorch can open. */
export const stateDictLine = 'torch.save(model.state_dict(), "weights.pth")';

/** For torch.save(model): its classes are code that this program does not have. */
export function wholeModel(className: string): VisionscaleError {
  return malformed(
    `it holds a whole model (${className}) as torch.save(model) writes it, not its weights`,
    `Where you trust its maker, load it in PyTorch and save the weights: ${stateDictLine}\n` +
      `(of a squeezenet1_1), or export the network: ${exportLine}`,
  );
}
