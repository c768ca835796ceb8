/** A table with all that encoding knows: numbers, categories, dates, booleans, missing values, weights and offsets. */
export function mixedCsv(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const a = ((i * 37) % 101) / 7;
    const b = i % 9 === 0 ? '' : String(Math.sqrt(i + 1));
    const day = `2020-0${1 + (i % 9)}-1${i % 10}`;
    const color = ['red', 'green', 'blue', ''][(i * 7) % 4];
    const y = i % 50 === 17 ? '' : String(3 * a - (i % 4) + ((i * 13) % 17) / 5);
    return [a, b, day, color, i % 3 === 0, (i % 5) / 2, (i % 6) / 10, y, i % 11 < 5 ? 'yes' : 'no'].join(',');
  });
  return `a,b,day,color,flag,v,o,y,answer\n${lines.join('\n')}\n`;
}
