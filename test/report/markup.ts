import { expect } from 'vitest';

const VOID = new Set(['meta']);

/** Tags close in their order, attributes are quoted, and no number is NaN or infinite. */
export function wellFormed(markup: string): void {
  expect(markup).not.toMatch(/NaN|Infinity|undefined/);
  const open: string[] = [];
  let rest = markup.replace(/^<!doctype html>/, '');
  for (const [tag, close, name, attributes = '', self] of rest.matchAll(/<(\/?)([a-zA-Z0-9]+)((?:\s+[a-zA-Z0-9-]+="[^"<]*")*)\s*(\/?)>/g)) {
    rest = rest.replace(tag, '');
    if (close === '/') expect(open.pop(), tag).toBe(name);
    else if (self === '' && !VOID.has(name as string)) open.push(name as string);
    expect(attributes).not.toMatch(/\son[a-z]+=/);
  }
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/<|>(?![^{}]*\})/);
}
