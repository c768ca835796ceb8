/** Work on data that needs no shares yet, so that any worker can do it: pure functions of their arguments. */
export type DataTask = { readonly kind: 'none' };
export type DataTaskResult = Float64Array | undefined;

export function runDataTask(_task: DataTask): DataTaskResult {
  return undefined;
}
