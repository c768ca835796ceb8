import type { Command } from 'commander';
import type { EvaluateFlags, Handlers, PredictFlags } from '../flags.ts';
import { BAD_VALUES, examples, FORMAT, group, HELP, JSON_OPTION, option, sourceOf, THRESHOLD } from './shared.ts';

// Commands that take a trained model.

export function addPredict(program: Command, handlers: Handlers): void {
  const predict = program.command('predict').summary('predict the rows of a table with a trained model');
  predict
    .argument('<model>', 'folder that train has saved')
    .argument('<file...>', 'files of the same kinds, with the columns that the model was trained on');
  predict.description(
    'Predicts every row of a table: a number; the probability of the positive class and the likelier label; or, of several classes, the likeliest label and the probability of each.',
  );
  group(predict, 'Data:', BAD_VALUES());
  group(predict, 'Classes:', THRESHOLD());
  group(
    predict,
    'Output:',
    option('--out <file>', 'write a file: .csv, .jsonl or .parquet (default: to the terminal)'),
    FORMAT(),
    option('--force', 'replace the file where it exists'),
    JSON_OPTION(),
  );
  predict.addHelpOption(HELP().helpGroup('Output:'));
  examples(
    predict,
    'paragrad predict model new.csv',
    'paragrad predict model new.csv --out predictions.csv',
    'paragrad predict model new.csv --out predictions.parquet',
  );
  predict.action((model: string, files: string[], flags: PredictFlags) => handlers.predict(model, sourceOf(files), flags));
}

export function addEvaluate(program: Command, handlers: Handlers): void {
  const evaluate = program.command('evaluate').summary('measure a trained model on a table that has the target');
  evaluate
    .argument('<model>', 'folder that train has saved')
    .argument('<file...>', 'files of the same kinds, with the target and the columns that the model was trained on');
  evaluate.description(
    'Compares predictions with the target: errors of a number; of two classes log loss, AUC, the confusion matrix and what other thresholds would give; of several log loss, the confusion matrix and each class by itself.',
  );
  group(evaluate, 'Data:', BAD_VALUES());
  group(evaluate, 'Classes:', THRESHOLD());
  group(evaluate, 'Output:', JSON_OPTION());
  evaluate.addHelpOption(HELP().helpGroup('Output:'));
  examples(evaluate, 'paragrad evaluate model test.csv', 'paragrad evaluate model test.csv --json');
  evaluate.action((model: string, files: string[], flags: EvaluateFlags) => handlers.evaluate(model, sourceOf(files), flags));
}
