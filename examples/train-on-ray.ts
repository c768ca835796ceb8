// Trains here and on a Ray cluster, and compares the bits. The cluster is the local one (paragrad cluster start ray --nodes 3), or
// the one whose address is given.
//
//   node scripts/run-ts.mjs examples/train-on-ray.ts [http://HOST:8265]
import { type TrainOptions, train } from 'paragrad';

const [rayAddress] = process.argv.slice(2);
const FILE = 'examples/ames-housing.csv';
/** Small chunks, so that there are some for each worker. */
const options: TrainOptions = { target: 'Sale_Price', chunkRows: 64 };

const here = await train(FILE, { ...options, engine: 'inline' });
const there = await train(FILE, {
  ...options,
  engine: 'ray',
  workers: 3,
  ...(rayAddress === undefined ? {} : { rayAddress }),
  onEvent: (event) => {
    if (event.kind === 'note') console.error(event.text);
  },
});

for (const [name, { summary }] of Object.entries({ here, there })) {
  const { seconds, weightsSha256 } = summary;
  console.log(`${name.padEnd(5)}  ${seconds.total.toFixed(1).padStart(5)} s  ${weightsSha256.slice(0, 16)}`);
}
console.log(here.summary.weightsSha256 === there.summary.weightsSha256 ? 'the same bits' : 'OTHER BITS');
