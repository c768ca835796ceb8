// Exports of the module. No data section and no allocation: all instances of a program share imported memories
// (src/kernels/wasm.ts). Kernels of a storage type or loss are in instances.ts, which scripts/wasm-exports.mjs writes.
export { momentsF32, momentsF64, packF32F32, packF32F64, packF64F32, packF64F64 } from './ingest';
export * from './instances';
export { readLimit } from './limit';
export { mapMath, mapUnit } from './math';
export { addSums } from './batch';
export { subtractProducts } from './cholesky';
export { initialize } from './page';
