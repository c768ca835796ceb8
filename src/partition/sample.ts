import { type Layout, panelRows, panelsOf, panelsOfChunk } from './layout.ts';

/**
 * Panels of a chunk that are in the sample i ↦ ⌊i · panels / count⌋, i < count, of a set's panels: ascending numbers within
 * the chunk.
 */
export function sampledPanels(layout: Layout, count: number, chunk: number): number[] {
  const panels = panelsOf(layout);
  const first = (chunk * layout.chunkRows) / panelRows(layout.dtype);
  const end = first + panelsOfChunk(layout, chunk);
  const sampled: number[] = [];
  for (let i = Math.ceil((first * count) / panels); i < count; i += 1) {
    const panel = Math.floor((i * panels) / count);
    if (panel >= end) break;
    if (panel >= first && panel - first !== sampled[sampled.length - 1]) sampled.push(panel - first);
  }
  return sampled;
}
