// Octavia's spelling of a time: UTC, microseconds, no zone. Fixed width, so it sorts as text.

/** @param ms milliseconds since the epoch */
export const timestamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000`;
/** Milliseconds since the epoch. */
export const parseTimestamp = (text: string): number => Date.parse(`${text.slice(0, 23)}Z`);
