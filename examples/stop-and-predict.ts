// Trains on a file with plain gradient descent, shows how the loss falls, ends the run when it has fallen enough, saves the
// model, loads it again, and predicts.
//
//   npm run build && node scripts/run-ts.mjs examples/stop-and-predict.ts [folder for the model]
import { loadModel, predict, train } from 'paragrad';

const FILE = 'examples/ames-housing.csv';
const [out = 'runs/stop-and-predict'] = process.argv.slice(2);

const enough = new AbortController();
const { summary } = await train(FILE, {
  target: 'Sale_Price',
  optimizer: 'gradient-descent',
  tolerance: 0,
  maxPasses: 100_000,
  out,
  force: true,
  signal: enough.signal,
  onEvent: (event) => {
    if (event.kind === 'schema') console.log(`${event.schema.trainingRows} rows, ${event.schema.encodedColumns} columns`);
    if (event.kind !== 'steps') return;
    const last = event.steps.at(-1);
    // The gap estimates how far the objective is above its optimum.
    if (last !== undefined && last.gap < 0.05 * (last.nullLoss - last.objective)) enough.abort();
  },
});
console.log(`ended: ${summary.reason}; loss ${(100 * (summary.loss / summary.nullLoss)).toFixed(0)} % of the intercept alone`);

const model = await loadModel(out);
const { blocks, close } = await predict(model, FILE);
let highest = { row: -1, price: 0 };
for await (const { firstRow, prediction } of blocks)
  for (const [i, price] of prediction.entries()) if (price > highest.price) highest = { row: firstRow + i, price };
close();
console.log(`the dearest house, as the model sees it: row ${highest.row}, ${Math.round(highest.price)} dollars`);
