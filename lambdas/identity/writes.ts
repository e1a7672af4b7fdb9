// Writes of administrators who meet on one row, as two grants of one role do: the second one tries again.
import { untilWon } from '../repositories/contention.ts';
import type { ApiRequest } from '../runtime/http/request.ts';

/** One at a time in this process: there are few, and none is urgent. */
const turn = 'IDENTITY';

/** @throws ApiError 503 after twenty seconds of losing */
export const settled = <T>({ services }: ApiRequest, write: () => Promise<T>): Promise<T> =>
  untilWon(services, turn, write);
