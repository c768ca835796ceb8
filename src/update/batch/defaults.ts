export const DEFAULT_BATCH_ROWS = 256;
/** Of the way from the intercept-only model to the optimum: less than the hundredth that is promised, since the gap is an estimate. */
export const DEFAULT_BATCH_TOLERANCE = 5e-3;
export const DEFAULT_COSINE_EPOCHS = 20;
