/** The all-reduce of each way to communicate (docs/algorithms.md). */
export const ALGORITHMS = { 'peer-to-peer': 'direct', 'client-server': 'client-server', ring: 'ring' } as const;
