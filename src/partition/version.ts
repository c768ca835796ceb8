/** Version of the numerical contract (docs/numerics.md): a change of any bit of any result changes it. */
export const NUMERICS_VERSION = 1;
