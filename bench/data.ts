/** Generated data of a wanted condition number: the same numbers every time. */
export interface GeneratedData {
  readonly rows: number;
  readonly columns: number;
  /** Row-major, in shared memory. */
  readonly x: Float32Array;
  /** x·w + noise. */
  readonly y: Float64Array;
  /** 0 or 1, drawn from the logistic model of x·w. */
  readonly classes: Float64Array;
}

/** 32-bit xorshift: fast, and good enough for a benchmark. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/**
 * x = H₂·D·H₁·z, z uniform of variance 1, D falling from 1 to 1/condition, H₁ and H₂ reflections: X has about this condition
 * number, and no column stands for itself.
 */
export function generate(rows: number, columns: number, condition: number): GeneratedData {
  const random = generator(2_463_534_242);
  const unit = (): Float64Array => {
    const v = Float64Array.from({ length: columns }, () => random() - 0.5);
    const length = Math.sqrt(v.reduce((sum, value) => sum + value * value, 0));
    return v.map((value) => value / length);
  };
  const [first, second] = [unit(), unit()];
  const scales = Float64Array.from({ length: columns }, (_, j) => condition ** (-j / Math.max(1, columns - 1)));
  const w = Float64Array.from({ length: columns }, () => random() * 2 - 1);
  const x = new Float32Array(new SharedArrayBuffer(rows * columns * 4));
  const y = new Float64Array(rows);
  const classes = new Float64Array(rows);
  const z = new Float64Array(columns);
  const reflect = (v: Float64Array): void => {
    let dot = 0;
    for (let j = 0; j < columns; j += 1) dot += (v[j] as number) * (z[j] as number);
    for (let j = 0; j < columns; j += 1) z[j] = (z[j] as number) - 2 * dot * (v[j] as number);
  };
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) z[j] = (random() - 0.5) * Math.sqrt(12);
    reflect(first);
    for (let j = 0; j < columns; j += 1) z[j] = (z[j] as number) * (scales[j] as number);
    reflect(second);
    let sum = 0;
    for (let j = 0; j < columns; j += 1) {
      x[i * columns + j] = z[j] as number;
      sum += (z[j] as number) * (w[j] as number);
    }
    y[i] = sum + (random() - 0.5);
    classes[i] = Number(random() < 1 / (1 + Math.exp(-2 * sum)));
  }
  return { rows, columns, x, y, classes };
}
