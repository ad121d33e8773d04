/** Counts what a protobuf file holds before it becomes objects: two bytes can stand for an object of hundreds. */
import protobuf from 'protobufjs/light.js';
import { invalidOnnx } from './invalid.ts';

/** Fields and packed numbers together; the largest published classifiers have tens of thousands. */
const MAX_FIELDS = 500_000;
const LENGTH_DELIMITED = 2;

/** Throws `model_invalid` when `bytes`, read as `type`, would become more than `maxFields` values. */
export function checkFieldCount(type: protobuf.Type, bytes: Uint8Array, maxFields = MAX_FIELDS): void {
  const reader = protobuf.Reader.create(bytes);
  let count = 0;
  const add = (fields: number) => {
    count += fields;
    if (count > maxFields) throw invalidOnnx(`the file has more than ${maxFields} fields`);
  };
  const walk = (message: protobuf.Type, end: number, depth: number): void => {
    if (depth > protobuf.util.recursionLimit) throw invalidOnnx('the file is nested too deeply');
    while (reader.pos < end) {
      const tag = reader.tag();
      const field = message.fieldsById[tag >>> 3];
      add(1);
      if (field === undefined || (tag & 7) !== LENGTH_DELIMITED) {
        reader.skipType(tag & 7, depth, tag >>> 3);
        continue;
      }
      const length = reader.uint32();
      const next = reader.pos + length;
      if (next > end) throw invalidOnnx('the file is cut short or not ONNX');
      if (field.resolvedType instanceof protobuf.Type) walk(field.resolvedType, next, depth + 1);
      else if (field.type !== 'bytes' && field.type !== 'string') add(length); // packed numbers
      reader.pos = next;
    }
  };
  walk(type, bytes.length, 0);
}
