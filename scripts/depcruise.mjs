// Runs dependency-cruiser on the JavaScript API of TypeScript 6, since TypeScript 7 no longer has one: whatever asks for
// 'typescript' in this process gets the package 'typescript6'. Arguments go through to depcruise.
import Module, { register } from 'node:module';

const TYPESCRIPT = /^typescript(?=\/|$)/;

// require() and require.resolve()
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  return resolveFilename.call(this, request.replace(TYPESCRIPT, 'typescript6'), ...rest);
};
// import()
const hook = `export const resolve = (name, context, next) => next(name.replace(${TYPESCRIPT}, 'typescript6'), context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

await import('../node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
