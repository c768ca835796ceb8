// Floating promises, found by types: a statement whose value is a promise that nobody awaits, returns, voids or catches. Biome's
// rule says the same in the editor, but does not see through the types of Node.js and of packages; this does.
//
//   node scripts/check-promises.mjs [tsconfig.json]
import path from 'node:path';
import ts from 'typescript6';

const configPath = path.resolve(process.argv[2] ?? 'tsconfig.json');
const host = {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
    throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
  },
};
const { fileNames, options } = ts.getParsedCommandLineOfConfigFile(configPath, {}, host);
const program = ts.createProgram(fileNames, options);
const checker = program.getTypeChecker();

/** A type with a `then` that takes two callbacks, in any member of a union. */
function isThenable(type, node) {
  const members = type.isUnion() ? type.types : [type];
  return members.some((member) => {
    const then = checker.getApparentType(member).getProperty('then');
    return then !== undefined && checker.getTypeOfSymbolAtLocation(then, node).getCallSignatures().length > 0;
  });
}

/** p.catch(f), p.then(f, g), and what comes after them in a chain. */
function isCaught(node) {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { name, expression } = node.expression;
  if (name.text === 'catch' && node.arguments.length > 0) return true;
  if (name.text === 'then' && node.arguments.length > 1) return true;
  return name.text === 'finally' && isCaught(expression);
}

const { CommaToken, AmpersandAmpersandToken, BarBarToken, QuestionQuestionToken } = ts.SyntaxKind;
const CHOICES = new Set([CommaToken, AmpersandAmpersandToken, BarBarToken, QuestionQuestionToken]);

/** The operands that a statement's value may be. */
function valuesOf(node) {
  if (ts.isParenthesizedExpression(node)) return valuesOf(node.expression);
  if (ts.isConditionalExpression(node)) return [...valuesOf(node.whenTrue), ...valuesOf(node.whenFalse)];
  if (ts.isBinaryExpression(node) && CHOICES.has(node.operatorToken.kind)) return [...valuesOf(node.left), ...valuesOf(node.right)];
  // An assignment keeps its promise.
  return ts.isBinaryExpression(node) ? [] : [node];
}

let found = 0;
function visit(node, source) {
  if (ts.isExpressionStatement(node))
    for (const value of valuesOf(node.expression)) {
      if (ts.isVoidExpression(value) || ts.isAwaitExpression(value) || isCaught(value)) continue;
      const type = checker.getTypeAtLocation(value);
      const elements = checker.isArrayType(type) ? checker.getTypeArguments(type) : [type];
      if (!elements.some((element) => isThenable(element, value))) continue;
      const { line, character } = source.getLineAndCharacterOfPosition(value.getStart(source));
      console.error(
        `${path.relative('.', source.fileName)}:${line + 1}:${character + 1} floating promise: ${value.getText(source).split('\n')[0]}`,
      );
      found += 1;
    }
  ts.forEachChild(node, (child) => visit(child, source));
}

for (const source of program.getSourceFiles()) if (!source.fileName.includes('/node_modules/')) visit(source, source);
if (found > 0)
  console.error(`${found} floating promise${found === 1 ? '' : 's'}: await, return or catch them; void says that one may be lost`);
process.exitCode = found > 0 ? 1 : 0;
