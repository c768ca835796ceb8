/** One line of JSON: typed arrays as arrays, NaN and infinities as null (as JSON.stringify has it). */
export function json(value: unknown): string {
  return `${JSON.stringify(value, (_key, item: unknown) => (ArrayBuffer.isView(item) && !(item instanceof DataView) ? Array.from(item as Float64Array) : item))}\n`;
}
