/** The names that a pickle of torch.save may use: words, not code. What is not among them could run. */
import type { StorageType } from './values.ts';

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

export function storageType(name: string): StorageType | undefined {
  return Object.hasOwn(storages, name) ? storages[name] : undefined;
}

export function isLayer(name: string): boolean {
  return layers.test(name);
}

/** Plain data whose calls and attributes make nothing that is looked into. */
export function isOpaque(name: string): boolean {
  return isLayer(name) || data.some((pattern) => pattern.test(name));
}

export function isKnown(name: string): boolean {
  return makers.has(name) || storageType(name) !== undefined || isOpaque(name);
}
