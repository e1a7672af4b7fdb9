// What HAProxy answers with in its own name, in the words of the listener's owner. Answers of members pass as they are.
import type { ListenerRow } from '../domain/listener.ts';
import { type Argument, content, value, words } from './config.ts';

export const errorPageLines = ({ error_pages }: ListenerRow): Argument[][] =>
  Object.entries(error_pages ?? {})
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([status, { content_type, body }]) => [
      ...words`http-error status ${Number(status)} content-type ${value(content_type)} string ${content(body)}`,
      ...words`hdr Cache-Control no-cache`,
    ]);
