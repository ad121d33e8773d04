/** What the few names that a state dict uses stand for, made as plain values from checked arguments. */
import { malformed, unsafe, isKind, type Dict, type Known, type Opaque, type StorageReference, type Value, type StorageType } from './values.ts';

const maxDims = 8;

export function global(name: string): Known {
  if (!isKnown(name)) throw unsafe(name);
  return { kind: 'global', name };
}

/** NEWOBJ: an object of a class that is plain data. */
export function newObject(type: Value): Opaque {
  if (!isKind(type, 'global') || !isOpaque(type.name)) throw unsafe('NEWOBJ (an object of a class)');
  return { kind: 'opaque', name: type.name };
}

/** A call that is none: the three that a state dict makes, and those of which only the name is kept. */
export function reduce(callee: Value, values: Value): Value {
  if (!isKind(callee, 'global')) throw unsafe('a call of something that is no function');
  if (!isKind(values, 'tuple')) throw unsafe(`a call of ${callee.name} with other than a tuple`);
  const { items } = values;
  switch (callee.name) {
    case 'collections.OrderedDict':
      if (items.length > 0) throw unsafe('an OrderedDict with arguments');
      return { kind: 'dict', entries: new Map() };
    case 'torch._utils._rebuild_tensor_v2':
      return rebuildTensor(items);
    case 'torch._utils._rebuild_parameter': {
      const [tensor, trained, hooks] = items;
      if (
        items.length !== 3 ||
        !isKind(tensor, 'tensor') ||
        typeof trained !== 'boolean' ||
        !isEmptyDict(hooks)
      ) {
        throw malformed('a parameter is not made of a tensor');
      }
      return tensor;
    }
    case 'collections.defaultdict':
      return { kind: 'dict', entries: new Map() };
    default:
      if (!isOpaque(callee.name)) throw unsafe(`a call of ${callee.name}`);
      return { kind: 'opaque', name: callee.name };
  }
}

/** `_metadata` (versions of the modules) hangs on a state dict as an attribute: read and dropped. */
export function build(target: Value, state: Value): Dict | Opaque {
  if (isKind(target, 'opaque')) return target;
  if (!isKind(target, 'dict') || !isKind(state, 'dict')) throw unsafe('BUILD (the state of an object)');
  if ([...state.entries.keys()].some((key) => key !== '_metadata')) {
    throw unsafe('BUILD with other attributes than _metadata');
  }
  return target;
}

/** `('storage', type, key, location, count)`; the legacy format adds a view, which no state dict of weights has. */
export function persistentStorage(id: Value): StorageReference {
  if (!isKind(id, 'tuple') || id.items[0] !== 'storage') throw unsafe('a persistent id that is no storage');
  const [, type, key, location, count, view] = id.items;
  const elements = isKind(type, 'global') ? storageType(type.name) : undefined;
  if (elements === undefined) throw malformed('a storage is of no type that PyTorch has');
  if (typeof key !== 'string' || !/^\d{1,20}$/.test(key) || typeof location !== 'string' || !isCount(count)) {
    throw malformed('a storage is described wrongly');
  }
  if (id.items.length > 6 || (view ?? null) !== null) throw malformed('a storage is a view of another');
  return { kind: 'storage', type: elements, key, count };
}

/** `(storage, offset, size, stride, requires_grad, hooks[, metadata])`, all of it within the storage. */
function rebuildTensor(items: readonly Value[]): Value {
  const [storage, offset, size, stride, trained, hooks, metadata] = items;
  const wellFormed =
    (items.length === 6 || (items.length === 7 && (metadata === null || isEmptyDict(metadata)))) &&
    isKind(storage, 'storage') &&
    isCount(offset) &&
    typeof trained === 'boolean' &&
    isEmptyDict(hooks);
  if (!wellFormed) throw malformed('a tensor is described wrongly');
  const [dims, strides] = [counts(size), counts(stride)];
  if (dims.length !== strides.length) throw malformed('a tensor has sizes and strides of different number');
  const elements = dims.reduce((product, dim) => product * dim, 1);
  const last = dims.reduce((at, dim, i) => at + (dim - 1) * strides[i]!, offset);
  if (elements > storage.count || (elements > 0 && last >= storage.count)) {
    throw malformed('a tensor reaches beyond its storage');
  }
  return { kind: 'tensor', storage, offset, dims, strides };
}

function counts(value: Value | undefined): readonly number[] {
  if (!isKind(value, 'tuple') || value.items.length > maxDims || !value.items.every(isCount)) {
    throw malformed('a tensor has sizes that are none');
  }
  return value.items;
}

function isCount(value: Value | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function isEmptyDict(value: Value | undefined): boolean {
  return isKind(value, 'dict') && value.entries.size === 0;
}

const storages: Record<string, StorageType> = {
  'torch.FloatStorage': 'float32',
  'torch.HalfStorage': 'float16',
  'torch.BFloat16Storage': 'bfloat16',
  'torch.DoubleStorage': 'float64',
  'torch.LongStorage': 'int64',
  'torch.IntStorage': 'int32',
  'torch.ShortStorage': 'int16',
  'torch.CharStorage': 'int8',
  'torch.ByteStorage': 'uint8',
  'torch.BoolStorage': 'bool',
  'torch.ComplexFloatStorage': 'other',
  'torch.ComplexDoubleStorage': 'other',
  'torch.QInt8Storage': 'other',
  'torch.QUInt8Storage': 'other',
  'torch.QInt32Storage': 'other',
  'torch.storage.UntypedStorage': 'other',
};

/** Those that a state dict is made of. */
const makers = new Set([
  'collections.OrderedDict',
  'torch._utils._rebuild_tensor_v2',
  // torchvision's own files hold Parameters: a tensor and whether it is trained.
  'torch._utils._rebuild_parameter',
]);

/** What stands beside the weights in a checkpoint: plain data, of which only the name is kept. */
const data = [
  /^(__builtin__|builtins)\.(set|frozenset|bytearray|bytes|complex|int|float|str|bool|list|dict|tuple|slice|range|object)$/,
  /^_codecs\.encode$/,
  /^collections\.(defaultdict|Counter|deque)$/,
  /^argparse\.Namespace$/,
  /^types\.SimpleNamespace$/,
  /^datetime\.(datetime|date|time|timedelta|timezone)$/,
  /^pathlib(\._local)?\.(Pure)?(Posix|Windows)?Path$/,
  /^numpy\._?core\.multiarray\.(scalar|_reconstruct)$/,
  /^numpy\.(dtype|ndarray|(u?int|float|complex)\d+|bool_?)$/,
  /^numpy\.dtypes\.\w+DType$/,
  /^torch\.(device|Size|serialization\._get_layout)$/,
  /^torch\.(float|double|half|bfloat|u?int|long|short|bool|complex|quint|qint)\d*(_\w+|x\d+)?$/,
  /^torch\.(strided|per_\w+_affine|contiguous_format|channels_last)$/,
  /^torch\._utils\._rebuild_(tensor|tensor_v3|qtensor|sparse_tensor|parameter_with_state|meta_tensor_no_storage)$/,
  /^torch\._tensor\._rebuild_from_type_v2$/,
];

/** Layers and networks of the libraries: what torch.save(model) names. */
const layers = /^(torch\.nn|torchvision\.(models|ops)|timm\.(models|layers))\.[\w.]+$/;

/** The names that a pickle of torch.save may use: words, not code. What is not among them could run. */
function storageType(name: string): StorageType | undefined {
  return Object.hasOwn(storages, name) ? storages[name] : undefined;
}

export function isLayer(name: string): boolean {
  return layers.test(name);
}

/** Plain data whose calls and attributes make nothing that is looked into. */
function isOpaque(name: string): boolean {
  return isLayer(name) || data.some((pattern) => pattern.test(name));
}

function isKnown(name: string): boolean {
  return makers.has(name) || storageType(name) !== undefined || isOpaque(name);
}
