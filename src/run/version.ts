export { NUMERICS_VERSION } from '../partition/version.ts';
