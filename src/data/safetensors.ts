import { ParagradError } from '../errors.ts';

/**
 * The safetensors format: 8 bytes with the header's length, a JSON header, the tensors' bytes. Python opens such a file as it
 * is (`safetensors.numpy.load_file`). Format: github.com/huggingface/safetensors, README.
 */
export interface Tensor {
  readonly dtype: 'F64';
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/** A tensor's place in a file: what the header says of it. */
export interface TensorShape {
  readonly dtype: 'F32' | 'F64' | 'I64';
  readonly shape: readonly number[];
}

const BYTES = { F32: 4, F64: 8, I64: 8 } as const;
const HEADER_LIMIT_BYTES = 100_000_000;
const ALIGN_BYTES = 64;

export function bytesOfTensor({ dtype, shape }: TensorShape): number {
  return shape.reduce((product, n) => product * n, BYTES[dtype]);
}

/**
 * The beginning of a file, up to the first tensor; the tensors follow in the order of `tensors`, without gaps. The header is
 * padded with spaces so that they start at a multiple of `align` bytes.
 */
export function safetensorsHead(
  tensors: Readonly<Record<string, TensorShape>>,
  metadata: Readonly<Record<string, string>>,
  align = ALIGN_BYTES,
): Uint8Array {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const [name, { dtype, shape }] of Object.entries(tensors)) {
    const end = offset + bytesOfTensor({ dtype, shape });
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const bytes = new TextEncoder().encode(JSON.stringify(header));
  const head = new Uint8Array(Math.ceil((8 + bytes.length) / align) * align).fill(0x20, 8);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
  head.set(bytes, 8);
  return head;
}

/** A whole file. Tensors start at a multiple of 8 bytes. */
export function writeSafetensors(tensors: Readonly<Record<string, Tensor>>, metadata: Readonly<Record<string, string>>): Uint8Array {
  const head = safetensorsHead(tensors, metadata, 8);
  let at = head.length;
  const file = new Uint8Array(Object.values(tensors).reduce((sum, { values }) => sum + values.byteLength, at));
  file.set(head);
  for (const { values } of Object.values(tensors)) {
    const view = new DataView(file.buffer, at, values.byteLength);
    values.forEach((value, i) => {
      view.setFloat64(i * 8, value, true);
    });
    at += values.byteLength;
  }
  return file;
}

/**
 * Tensors of a file written by `writeSafetensors`.
 *
 * @throws PARAGRAD_MODEL_FILE when the bytes are not such a file, or it is cut off.
 */
export function readSafetensors(file: Uint8Array, name: string): { tensors: Record<string, Tensor>; metadata: Record<string, string> } {
  const broken = (why: string): ParagradError =>
    new ParagradError('PARAGRAD_MODEL_FILE', `${name} is not a whole safetensors file: ${why}`, { place: { file: name } });
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 8) throw broken('it is shorter than 8 bytes');
  const length = Number(view.getBigUint64(0, true));
  if (length > HEADER_LIMIT_BYTES || 8 + length > file.length) throw broken('its header is cut off');
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> & {
    __metadata__?: Record<string, string>;
  };
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(8, 8 + length)));
  } catch {
    throw broken('its header is not JSON');
  }
  const tensors: Record<string, Tensor> = {};
  const { __metadata__: metadata = {}, ...entries } = header;
  for (const [tensor, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const [begin, end] = data_offsets;
    const count = shape.reduce((product, n) => product * n, 1);
    if (dtype !== 'F64') throw broken(`tensor ${tensor} has dtype ${dtype}, not F64`);
    if (end - begin !== count * 8 || 8 + length + end > file.length) throw broken(`tensor ${tensor} is cut off`);
    const values = Float64Array.from({ length: count }, (_, i) => view.getFloat64(8 + length + begin + i * 8, true));
    tensors[tensor] = { dtype, shape, values };
  }
  return { tensors, metadata };
}
