import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inspectData, prepare } from '../../src/index.ts';
import { describeWith } from '../support/components.ts';
import { mixedCsv } from './tables.ts';

/** Reads all shards as docs/formats.md says, and compares with the encoded rows that `inspect --encoded` writes. */
const PROGRAM = `
import sys, json, glob, numpy as np, pandas as pd
from safetensors.numpy import load_file
from safetensors import safe_open
encoded = pd.read_parquet(sys.argv[2]).set_index('__row')
names = [c for c in encoded.columns if not c.startswith('__')]
rows, shards, padded = 0, 0, 0
for path in sorted(glob.glob(sys.argv[1] + '/shard-*.safetensors')):
    with safe_open(path, 'numpy') as file: meta = file.metadata()
    shard = load_file(path)
    x, y = shard['x'], shard['y']
    padded += x.shape[0] * x.shape[2] - len(y)
    assert not np.any(x.transpose(0, 2, 1).reshape(-1, x.shape[1])[len(y):]), 'padding is zero'
    x = x.transpose(0, 2, 1).reshape(-1, x.shape[1])[: len(y)]
    theirs = encoded.loc[shard['row']]
    assert np.array_equal(x.astype(np.float64), theirs[names].to_numpy()), path
    assert np.array_equal(y, theirs['__target'].to_numpy()), path
    assert np.array_equal(shard['weight'], theirs['__weight'].to_numpy()), path
    assert (theirs['__split'] == {'training': 'train', 'validation': 'validation'}[meta['set']]).all(), path
    rows += len(y); shards += 1
print(json.dumps(dict(rows=rows, shards=shards, padded=int(padded), encoded=len(encoded))))
`;

describeWith('python', 'Python reads shards', (binary) => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'paragrad-shards-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(['f32', 'f64'] as const)('with safetensors.numpy, %s', async (dtype) => {
    const csv = join(folder, 'table.csv');
    writeFileSync(csv, mixedCsv(1100));
    const options = { target: 'y', drop: ['answer'], weight: 'v', dtype };
    const out = join(folder, `dataset-${dtype}`);
    const { schema } = await prepare(csv, { ...options, out, chunkRows: 64, shardBytes: 40_000 });
    const encoded = join(folder, `encoded-${dtype}.parquet`);
    await inspectData(csv, { ...options, encoded });
    const found = JSON.parse(execFileSync(binary, ['-c', PROGRAM, out, encoded], { encoding: 'utf8' })) as Record<string, number>;
    expect(found.rows).toBe(schema.trainingRows + schema.validationRows);
    expect(found.encoded).toBe(found.rows);
    expect(found.shards).toBeGreaterThanOrEqual(3);
    expect(found.padded).toBeGreaterThan(0);
  });
});
