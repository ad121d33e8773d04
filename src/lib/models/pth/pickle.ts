/**
 * Reads a pickle as torch.save writes one, as data. Python's pickle is a program that may call anything; this is no
 * evaluator of it: it knows a few opcodes that make plain values, a handful of names, and refuses every other.
 */
import { build, global, newObject, persistentStorage, reduce, isLayer } from './build.ts';
import { malformed, unsafe, isKind, type Dict, type StorageReference, type Value } from './values.ts';

/** A state dict of hundreds of layers needs less than a tenth of it. */
const maxBytes = 2 ** 20;
const maxDepth = 64;
const maxStack = 65_536;
const maxMemo = 65_536;
const maxText = 4096;

/** What the refusal calls the opcodes that could run or fetch something. */
const refused: Record<number, string> = {
  0x69: 'INST (an object of a class)',
  0x6f: 'OBJ (an object of a class)',
  0x92: 'NEWOBJ_EX (an object of a class)',
  0x93: 'STACK_GLOBAL (a name made at run time)',
  0x82: 'EXT1 (a registered extension)',
  0x83: 'EXT2 (a registered extension)',
  0x84: 'EXT4 (a registered extension)',
  0x50: 'PERSID (a persistent id as text)',
};

export interface Pickled {
  value: Value;
  end: number;
  /** By their keys: all that it refers to, wherever in the value. */
  storages: ReadonlyMap<string, StorageReference>;
  /** The first layer or network that it names: it may be a whole model. */
  layer: string | undefined;
}

/** The value and where it ends. Throws `model_unsafe` or `model_invalid`; memory is bounded by the limits above. */
export function readPickle(bytes: Uint8Array, start = 0): Pickled {
  return new Reader(bytes, start).read();
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #start: number;
  #at: number;
  #stack: Value[] = [];
  /** The stacks below each MARK. */
  readonly #below: Value[][] = [];
  readonly #memo = new Map<number, Value>();
  readonly #storages = new Map<string, StorageReference>();
  #layer: string | undefined;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = start;
    this.#at = start;
  }

  read(): Pickled {
    if (this.#take(1)[0] !== 0x80) throw malformed('it does not begin with a pickle of protocol 2');
    const protocol = this.#take(1)[0];
    if (protocol !== 2) throw malformed(`its pickle has protocol ${protocol}, not 2`);
    for (;;) {
      const opcode = this.#take(1)[0]!;
      if (opcode === 0x2e) break; // STOP
      this.#step(opcode);
      if (this.#stack.length > maxStack || this.#memo.size > maxMemo)
        throw malformed('its pickle holds too much');
    }
    if (this.#stack.length !== 1 || this.#below.length > 0) throw malformed('its pickle ends too early');
    return {
      value: this.#stack[0]!,
      end: this.#at,
      storages: this.#storages,
      layer: this.#layer,
    };
  }

  #step(opcode: number): void {
    switch (opcode) {
      case 0x28: // MARK
        if (this.#below.length >= maxDepth) throw malformed('its pickle is nested too deeply');
        this.#below.push(this.#stack);
        this.#stack = [];
        break;
      case 0x4e: // NONE
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x4b: // BININT1
        return this.#push(this.#unsigned(1));
      case 0x4d: // BININT2
        return this.#push(this.#unsigned(2));
      case 0x4a: // BININT
        return this.#push(this.#unsigned(4) | 0);
      case 0x8a: // LONG1
        return this.#push(this.#long());
      case 0x47: // BINFLOAT
        this.#take(8);
        return this.#push(this.#view.getFloat64(this.#at - 8));
      case 0x58: // BINUNICODE
        return this.#push(this.#text(this.#unsigned(4)));
      case 0x29: // EMPTY_TUPLE
        return this.#push({ kind: 'tuple', items: [] });
      case 0x74: // TUPLE
        return this.#push({ kind: 'tuple', items: this.#toMark() });
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#push({ kind: 'tuple', items: this.#pop(opcode - 0x84) });
      case 0x5d: // EMPTY_LIST
        return this.#push({ kind: 'list', items: [] });
      case 0x61: // APPEND
        return this.#append(this.#pop(1));
      case 0x65: // APPENDS
        return this.#append(this.#toMark());
      case 0x7d: // EMPTY_DICT
        return this.#push({ kind: 'dict', entries: new Map() });
      case 0x73: // SETITEM
        return this.#set(this.#pop(2));
      case 0x75: // SETITEMS
        return this.#set(this.#toMark());
      case 0x71: // BINPUT
        return this.#remember(this.#unsigned(1));
      case 0x72: // LONG_BINPUT
        return this.#remember(this.#unsigned(4));
      case 0x68: // BINGET
        return this.#recall(this.#unsigned(1));
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#unsigned(4));
      case 0x63: // GLOBAL
        return this.#global(`${this.#line()}.${this.#line()}`);
      case 0x51: // BINPERSID
        return this.#persistent(persistentStorage(this.#pop(1)[0]!));
      case 0x81: // NEWOBJ
        return this.#push(newObject(this.#pop(2)[0]!));
      case 0x52: {
        // REDUCE
        const [callee, values] = this.#pop(2);
        return this.#push(reduce(callee!, values!));
      }
      case 0x62: {
        // BUILD
        const [target, state] = this.#pop(2);
        return this.#push(build(target!, state!));
      }
      default:
        throw unsafe(refused[opcode] ?? `the pickle opcode 0x${opcode.toString(16).padStart(2, '0')}`);
    }
  }

  #global(name: string): void {
    this.#push(global(name));
    if (isLayer(name)) this.#layer ??= name;
  }

  #persistent(storage: StorageReference): void {
    const known = this.#storages.get(storage.key);
    if (known !== undefined && (known.type !== storage.type || known.count !== storage.count)) {
      throw malformed('a storage is described in two ways');
    }
    this.#storages.set(storage.key, storage);
    this.#push(storage);
  }

  #push(value: Value): void {
    this.#stack.push(value);
  }

  #pop(count: number): Value[] {
    if (this.#stack.length < count) throw malformed('its pickle takes what is not there');
    return this.#stack.splice(this.#stack.length - count, count);
  }

  #top(): Value {
    const top = this.#stack.at(-1);
    if (top === undefined) throw malformed('its pickle takes what is not there');
    return top;
  }

  #toMark(): Value[] {
    const items = this.#stack;
    const below = this.#below.pop();
    if (below === undefined) throw malformed('its pickle lacks a mark');
    this.#stack = below;
    return items;
  }

  #append(items: Value[]): void {
    const list = this.#top();
    if (isKind(list, 'opaque')) return;
    if (typeof list !== 'object' || list?.kind !== 'list')
      throw malformed('its pickle appends to what is no list');
    for (const item of items) list.items.push(item);
  }

  #set(items: Value[]): void {
    const dict = this.#top();
    if (isKind(dict, 'opaque')) return;
    if (typeof dict !== 'object' || dict?.kind !== 'dict')
      throw malformed('its pickle fills what is no dict');
    if (items.length % 2 !== 0) throw malformed('its pickle has a key without a value');
    for (let i = 0; i < items.length; i += 2) setEntry(dict, items[i]!, items[i + 1]!);
  }

  #remember(index: number): void {
    this.#memo.set(index, this.#top());
  }

  #recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw malformed('its pickle refers to what it has not defined');
    this.#push(value);
  }

  #take(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw malformed('it ends in the middle of its pickle');
    if (end - this.#start > maxBytes) throw malformed(`its pickle is longer than ${maxBytes} bytes`);
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #unsigned(bytes: 1 | 2 | 4): number {
    this.#take(bytes);
    const at = this.#at - bytes;
    if (bytes === 1) return this.#view.getUint8(at);
    return bytes === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
  }

  #long(): bigint {
    const digits = this.#take(this.#unsigned(1));
    let value = 0n;
    for (let i = digits.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i]!);
    return BigInt.asIntN(8 * digits.length, value);
  }

  #text(length: number): string {
    if (length > maxText) throw malformed(`its pickle holds a text of ${length} bytes`);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#take(length).slice());
    } catch (error) {
      throw error instanceof TypeError ? malformed('its pickle holds text that is not UTF-8') : error;
    }
  }

  /** Printable ASCII up to a line feed: half of a global's name. */
  #line(): string {
    let line = '';
    for (;;) {
      const byte = this.#take(1)[0]!;
      if (byte === 0x0a) return line;
      if (line.length >= 200) throw malformed('its pickle holds a name without end');
      line += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?';
    }
  }
}

function setEntry(dict: Dict, key: Value, value: Value): void {
  if (typeof key === 'string') dict.entries.set(key, value);
  else dict.otherKeys = true;
}
