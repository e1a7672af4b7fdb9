// What the key of an amphora's heartbeats is sealed for.
export const heartbeatPurpose = (amphoraId: string): string => `heartbeat-key:${amphoraId}`;
