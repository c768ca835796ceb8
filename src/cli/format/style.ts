/** Three ways to set off text. They leave it as it is where no colour is wanted. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
}

const sgr =
  (open: number, close: number) =>
  (text: string): string =>
    text === '' ? '' : `\u001b[${open}m${text}\u001b[${close}m`;
const same = (text: string): string => text;

export const PLAIN: Style = { bold: same, dim: same, red: same };
export const COLOUR: Style = { bold: sgr(1, 22), dim: sgr(2, 22), red: sgr(31, 39) };

/** Colour on a terminal, unless NO_COLOR (https://no-color.org) says otherwise. */
export function styleFor(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Style {
  return isTerminal && (env.NO_COLOR ?? '') === '' ? COLOUR : PLAIN;
}
